"""Chapter 7: an object with deletionPolicy Retain goes, and no cloud call is made for its node pool."""

import asyncio

from lab.demo.samples import NAMESPACE, NODES, RESOURCE_POOL, RETAINED, YEARLY_RESOURCE_POOL
from lab.demo.stage import Stage
from lab.harness.failures import LabError
from lab.harness.simulator import LIST_NODE_POOLS, Call

# Longer than a poll interval: a call that came late would be seen.
AFTERWARDS_SECONDS = 3.0


async def keep_a_node_pool(stage: Stage) -> None:
    """Delete the object, show that the cloud was not asked for anything."""
    screen = stage.screen
    screen.step("kubectl delete with deletionPolicy Retain: the object goes, the node pool stays")
    before = await stage.cloud.last_number()
    await stage.kubectl("delete", "manp", RETAINED, "-n", NAMESPACE, "--timeout=60s")
    with screen.waiting("waiting a poll longer, for calls that might come late"):
        await asyncio.sleep(AFTERWARDS_SECONDS)
    calls = await stage.cloud.calls(before)
    # The deletion that is held in the other resource pool is still watched.
    others = [call for call in calls if call.resource_pool != YEARLY_RESOURCE_POOL]
    if wrong := [call for call in others if call.operation != LIST_NODE_POOLS]:
        raise LabError(f"No call was to be made for {RETAINED}. The simulator received: {wrong[0]}")
    counts = (await stage.cloud_counts()).get(RETAINED, {})
    if counts.get("available") != NODES[RETAINED]:
        raise LabError(f"The node pool {RETAINED} was to stay as it is. The cloud shows: {counts or 'nothing'}")
    screen.verified(f"the object is gone; {RETAINED} has its {NODES[RETAINED]} available nodes in the cloud")
    screen.verified(f"the request log since then has no call that names {RETAINED}, and none that changes anything")
    screen.note(_polling(others))


def _polling(calls: list[Call]) -> str:
    how_many = f"{len(calls)} LIST{'' if len(calls) == 1 else 's'}"
    return f"polling went on meanwhile for the objects that remain: {how_many} of {RESOURCE_POOL} as a whole"
