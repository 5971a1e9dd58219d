"""Chapter 3: a node breaks in the cloud, the object says so, the node heals."""

import json

from lab.demo.objects import Seen
from lab.demo.samples import BROKEN, NAMESPACE, NODES, RESOURCE_POOL
from lab.demo.stage import Stage
from lab.harness.failures import LabError

HEALTH_MESSAGE = '{.status.conditions[?(@.type=="NodesHealthy")].message}{"\\n"}'
WAIT_TIMEOUT = "--timeout=60s"


async def see_a_node_break(stage: Stage) -> None:
    """Break one node, see it in status; mend it, see that too."""
    screen = stage.screen
    screen.step("A node breaks in the cloud, and the object says so")
    await _set_states(stage, {"available": NODES[BROKEN] - 1, "abnormal": 1})
    await stage.kubectl("wait", f"manp/{BROKEN}", "-n", NAMESPACE, "--for=condition=NodesHealthy=false", WAIT_TIMEOUT)
    await stage.until_seen("the object counts the abnormal node", BROKEN, _has_one_abnormal)
    await stage.kubectl("get", "manp", BROKEN, "-n", NAMESPACE)
    await stage.kubectl("get", "manp", BROKEN, "-n", NAMESPACE, "-o", f"jsonpath={HEALTH_MESSAGE}")
    screen.verified("1 abnormal in the cloud, 1 abnormal in status; still Ready, because the other node works")
    await _set_states(stage, {"available": NODES[BROKEN], "abnormal": 0})
    await stage.kubectl("wait", f"manp/{BROKEN}", "-n", NAMESPACE, "--for=condition=NodesHealthy", WAIT_TIMEOUT)
    screen.verified("the node was mended, and the object is healthy again")


def _has_one_abnormal(seen: Seen) -> bool:
    return seen.counts is not None and seen.counts["abnormal"] == 1 and seen.condition("Ready")[0] == "True"


async def _set_states(stage: Stage, states: dict[str, int]) -> None:
    change = {"resourcePools": {RESOURCE_POOL: {"nodePools": {BROKEN: {"states": states}}}}}
    stage.screen.cloud("PATCH /_simulator/state", json.dumps(change, separators=(",", ":")))
    await stage.cloud.change(change)
    now = (await stage.cloud_counts())[BROKEN]
    if any(now[state] != count for state, count in states.items()):
        raise LabError(f"The simulator was to show {states} for {BROKEN}. It shows {now}.")
