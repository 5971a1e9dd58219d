"""Chapter 5: a node pool billed yearly/monthly is not deleted; the object says why and what to type next."""

from lab.demo.samples import NAMESPACE, NODES, YEARLY
from lab.demo.stage import Stage
from lab.harness.failures import LabError
from lab.harness.simulator import DELETE_NODE_POOL

REASON = "YearlyMonthlyBilling"
WHY = '{range .status.conditions[?(@.type=="DeletionBlocked")]}{.reason}: {.message}{"\\n"}{end}'


async def hold_a_deletion(stage: Stage) -> None:
    """Delete the object, see the deletion held."""
    screen = stage.screen
    screen.step("kubectl delete of a yearly/monthly node pool: held, with the reason and the next command")
    before = await stage.cloud.last_number()
    await stage.kubectl("delete", "manp", YEARLY, "-n", NAMESPACE, "--wait=false")
    await stage.kubectl("wait", f"manp/{YEARLY}", "-n", NAMESPACE, "--for=condition=DeletionBlocked", "--timeout=60s")
    await stage.kubectl("get", "manp", YEARLY, "-n", NAMESPACE)
    said = await stage.run_quietly("get", "manp", YEARLY, "-n", NAMESPACE, "-o", f"jsonpath={WHY}")
    screen.message(said)
    reason, _, message = said.strip().partition(": ")
    if reason != REASON or "kubectl " not in message:
        raise LabError(f"{YEARLY} was to be held as {REASON} with a command to go on. It says: {said}")
    screen.verified(f"held as {REASON}, and the message names the commands to go on")
    calls = [call for call in await stage.cloud.calls(before) if call.node_pool == YEARLY]
    counts = (await stage.cloud_counts())[YEARLY]
    if any(call.operation == DELETE_NODE_POOL for call in calls) or counts["available"] != NODES[YEARLY]:
        raise LabError(f"{YEARLY} was to be left alone. Calls: {calls}; nodes: {counts}")
    screen.verified(f"no DELETE was sent for it; all {NODES[YEARLY]} nodes are available in the cloud")
