"""Chapter 5: a node pool billed yearly/monthly, and a node pool on which a job runs: both deletions are held."""

from lab.demo.samples import BUSY, JOB, NAMESPACE, NODES, YEARLY
from lab.demo.stage import Stage
from lab.harness.failures import LabError
from lab.harness.simulator import DELETE_NODE_POOL

# Why each is held, and a word that the message has to contain.
HELD = {YEARLY: ("YearlyMonthlyBilling", "billed yearly/monthly"), BUSY: ("WorkloadsRunning", JOB)}
WHY = '{range .status.conditions[?(@.type=="DeletionBlocked")]}{.reason}: {.message}{"\\n"}{end}'


async def hold_two_deletions(stage: Stage) -> None:
    """Delete two objects at once, see each deletion held for its own reason."""
    screen = stage.screen
    screen.step("kubectl delete of a yearly/monthly node pool, and of one with a running job: both are held")
    before = await stage.cloud.last_number()
    names = [f"manp/{name}" for name in HELD]
    await stage.kubectl("delete", *names, "-n", NAMESPACE, "--wait=false")
    await stage.kubectl("wait", *names, "-n", NAMESPACE, "--for=condition=DeletionBlocked", "--timeout=60s")
    for name, (reason, word) in HELD.items():
        said = await stage.run_quietly("get", "manp", name, "-n", NAMESPACE, "-o", f"jsonpath={WHY}")
        screen.message(said)
        shown, _, message = said.strip().partition(": ")
        if shown != reason or word not in message or "kubectl " not in message:
            raise LabError(f"{name} was to be held as {reason} with a command to go on. It says: {said}")
        screen.verified(f"held as {reason}, and the message names the commands to go on")
    calls = [call for call in await stage.cloud.calls(before) if call.operation == DELETE_NODE_POOL]
    counts = await stage.cloud_counts()
    if calls or any(counts[name]["available"] != NODES[name] for name in HELD):
        raise LabError(f"{' and '.join(HELD)} were to be left alone. DELETEs: {calls}; nodes: {counts}")
    nodes = sum(NODES[name] for name in HELD)
    screen.verified(f"no DELETE was sent for them; all {nodes} nodes are available in the cloud, and {JOB} runs on")
