"""Chapter 6: the job ends, and the deletion that it held goes on."""

import json
from datetime import UTC, datetime

from lab.demo.samples import BUSY, JOB, NAMESPACE, RESOURCE_POOL
from lab.demo.stage import Stage
from lab.harness.failures import LabError
from lab.harness.simulator import DELETE_NODE_POOL
from modelarts_nodepool.api.names import RECONCILE_ANNOTATION


async def see_the_job_end(stage: Stage) -> None:
    """End the job, see the node pool go by one DELETE."""
    screen = stage.screen
    screen.step("The job ends, and its node pool is deleted")
    before = await stage.cloud.last_number()
    change = {"resourcePools": {RESOURCE_POOL: {"workloads": {JOB: {"status": "Completed"}}}}}
    screen.cloud("PATCH /_simulator/state", json.dumps(change, separators=(",", ":")))
    await stage.cloud.change(change)
    screen.note("the operator lists the jobs again every minute; this annotation makes it list them now")
    asked = f"{RECONCILE_ANNOTATION}={datetime.now(UTC):%H:%M:%S}"
    await stage.kubectl("annotate", "manp", BUSY, "-n", NAMESPACE, asked, "--field-manager=on-call")
    await stage.kubectl("wait", "--for=delete", f"manp/{BUSY}", "-n", NAMESPACE, "--timeout=60s")
    deletes = [call for call in await stage.cloud.calls(before) if call.operation == DELETE_NODE_POOL]
    if [call.node_pool for call in deletes] != [BUSY] or BUSY in await stage.cloud_counts():
        raise LabError(f"{BUSY} was to go by one DELETE after its job. DELETEs: {deletes}")
    screen.verified(f"{JOB} has ended; one DELETE was sent, and node pool and object are gone")
