"""Chapter 2: an account, its Secret and five objects; the counts appear, and they are the cloud's."""

from lab.demo.objects import count_words
from lab.demo.samples import DELETED, NAMESPACE, NODES, RESOURCE_POOL, YEARLY_RESOURCE_POOL
from lab.demo.stage import Stage
from lab.harness.failures import LabError, NotYetError
from lab.harness.simulator import LIST_NODE_POOLS, VALID


async def see_the_counts(stage: Stage) -> None:
    """Apply the objects and wait until each shows what the cloud has."""
    screen = stage.screen
    screen.step("Five node pools become objects, and their nodes are counted")
    screen.say("An account says which cloud project and who may use it; the Secret holds its key; this is one object:")
    screen.command("cat", f"node-pools/{DELETED}.yaml")
    screen.output((stage.work / "node-pools" / f"{DELETED}.yaml").read_text(encoding="utf-8"))
    await stage.kubectl("create", "namespace", NAMESPACE)
    await stage.kubectl("apply", "-f", "account.yaml", "-f", "secret.yaml", "-f", "node-pools/")
    await stage.until("all five objects show their nodes", lambda: _require_counts(stage))
    await stage.kubectl("get", "manp", "-n", NAMESPACE)
    cloud, objects = await stage.cloud_counts(), await stage.seen()
    for name in NODES:
        if objects[name].counts != cloud[name]:
            raise LabError(
                f"{name} shows {count_words(objects[name].counts)}, and the cloud has {count_words(cloud[name])}."
            )
    screen.verified("the counts are the cloud's own, node pool by node pool")
    calls = await stage.cloud.calls()
    if wrong := [call for call in calls if call.operation != LIST_NODE_POOLS or call.signature != VALID]:
        raise LabError(f"Only signed LISTs were to reach the cloud so far. This did, too: {wrong[0]}")
    where = f"{RESOURCE_POOL} and {YEARLY_RESOURCE_POOL}"
    screen.verified(f"it took one kind of call: {LIST_NODE_POOLS} of {where}, signed; one LIST feeds every object")


async def _require_counts(stage: Stage) -> None:
    objects = await stage.seen()
    for name, nodes in NODES.items():
        seen = objects[name]
        if seen.counts is None or seen.counts["available"] != nodes or seen.condition("Ready")[0] != "True":
            raise NotYetError(seen.words)
