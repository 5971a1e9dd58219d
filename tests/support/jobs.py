"""The part of a kubelet and of the Job controller: runs a Job's container as a process here, and reports its end.

The control plane has neither, so a Job that helm waits for would never end by itself.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.api import Api
from tests.support.limits import HANGING_SECONDS
from tests.support.operator import NAMESPACE, OperatorProcess

JOBS = f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs"


@dataclass
class Ran:
    """What came of the Job."""

    codes: list[int] = field(default_factory=list)
    output: str = ""


@contextmanager
def running_the_next_job(api: Api, kubeconfig: Path, log: Path) -> Iterator[Ran]:
    """While the block runs, the first Job that begins is run; its end is written into its status."""
    ran, over = Ran(), threading.Event()
    known = {item["metadata"]["uid"] for item in api.items(JOBS)}

    def work() -> None:
        while not over.is_set():
            fresh = [item for item in api.items(JOBS) if item["metadata"]["uid"] not in known]
            if fresh:
                (container,) = fresh[0]["spec"]["template"]["spec"]["containers"]
                code, ran.output = OperatorProcess.as_deployed(container, NAMESPACE, kubeconfig, log).to_its_end()
                ran.codes.append(code)
                _report(api, fresh[0]["metadata"]["name"], code)
                return
            time.sleep(0.1)

    worker = threading.Thread(target=work, name="job")
    worker.start()
    try:
        yield ran
    finally:
        over.set()
        worker.join(HANGING_SECONDS)
        assert not worker.is_alive()


def _report(api: Api, name: str, code: int) -> None:
    """As the Job controller does: first what will be, then what is."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    first, last = ("SuccessCriteriaMet", "Complete") if code == 0 else ("FailureTarget", "Failed")
    common = {"status": "True", "lastProbeTime": now, "lastTransitionTime": now}
    conditions = [{"type": kind, "reason": "BackoffLimitExceeded", **common} for kind in (first, last)]
    status: dict[str, object] = {"startTime": now, "conditions": conditions, "uncountedTerminatedPods": {}}
    status |= {"succeeded": 1, "completionTime": now} if code == 0 else {"failed": 1}
    api.merge(f"{JOBS}/{name}/status", {"status": status})
