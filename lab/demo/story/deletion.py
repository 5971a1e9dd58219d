"""Chapter 4: kubectl delete; one signed DELETE; the object stays until the node pool is proven gone."""

from collections.abc import Sequence
from datetime import datetime

from lab.demo.objects import HEADER, Seen, row_of
from lab.demo.samples import DELETE_SECONDS, DELETED, NAMESPACE, NODES, RESOURCE_POOL
from lab.demo.stage import Stage
from lab.harness.failures import LabError, NotYetError
from lab.harness.operator import OPERATOR_USER
from lab.harness.simulator import (
    DELETE_NODE_POOL,
    LIST_NODE_POOLS,
    SHOW_NODE_POOL,
    VALID,
    Call,
)
from modelarts_nodepool.api.names import NODE_POOL_FINALIZER, NODE_POOL_PLURAL

OK, NOT_FOUND = 200, 404
FATE = '{.metadata.deletionTimestamp}{"  "}{.metadata.finalizers}{"\\n"}'


async def delete_a_node_pool(stage: Stage) -> None:
    """Delete the object and follow it to the end."""
    before = await stage.cloud.last_number()
    sent = await _send(stage, before)
    await _stay(stage)
    await _go(stage, before, sent)


async def _send(stage: Stage, before: int) -> Call:
    screen = stage.screen
    screen.step(f"kubectl delete: one signed DELETE, and {DELETED} stays until its nodes are gone")
    await stage.kubectl("delete", "manp", DELETED, "-n", NAMESPACE, "--wait=false")

    async def find_delete() -> Call:
        deletes = await _deletes(stage, before)
        if not deletes:
            raise NotYetError("the simulator has received no DELETE")
        return deletes[0]

    sent = await stage.until("the DELETE reaches the cloud", find_delete)
    screen.say("From the simulator's own request log:")
    screen.columns(HEADER, [row_of(sent)])
    if (sent.node_pool, sent.status, sent.effect, sent.signature) != (DELETED, OK, "accepted", VALID):
        raise LabError(f"One signed DELETE of {DELETED} was to be accepted. This reached the simulator: {sent}")
    screen.verified("the signature was checked by the simulator; 200 means accepted, not gone")
    return sent


async def _stay(stage: Stage) -> None:
    def is_deleting(seen: Seen) -> bool:
        return seen.counts is not None and seen.counts["deleting"] == NODES[DELETED]

    seen = await stage.until_seen("the object counts its deleting nodes", DELETED, is_deleting)
    await stage.kubectl("get", "manp", "-n", NAMESPACE)
    await stage.kubectl("get", "manp", DELETED, "-n", NAMESPACE, "-o", f"jsonpath={FATE}")
    if seen.deletion_timestamp is None or seen.finalizers != (NODE_POOL_FINALIZER,):
        raise LabError(f"{DELETED} was to be held by its finalizer while its nodes are deleting: {seen}")
    stage.screen.verified(f"Terminating: the finalizer holds the object while {NODES[DELETED]} nodes are deleting")


async def _go(stage: Stage, before: int, sent: Call) -> None:
    screen = stage.screen
    await stage.kubectl("wait", "--for=delete", f"manp/{DELETED}", "-n", NAMESPACE, "--timeout=60s")
    calls = await stage.cloud.calls(before)
    proof = find_proof(calls, DELETED)
    if proof[0].time - sent.time < DELETE_SECONDS:
        raise LabError(f"The node pool was still there when {proof[0]} was answered; it proves nothing.")
    released = _released_at(stage)
    if released.timestamp() < proof[-1].time:
        raise LabError(f"The finalizer was removed at {released}, before the proof that the node pool is gone.")
    if DELETED in await stage.cloud_counts():
        raise LabError(f"The object is gone, and the cloud still has the node pool {DELETED}.")
    screen.say("It went when two looks at the cloud agreed; again from the request log:")
    screen.columns(HEADER, [row_of(call) for call in proof])
    clock = released.strftime("%H:%M:%S.%f")[:12]
    screen.verified(f"the LIST names it no more, and the GET is 404; the finalizer was removed after both, at {clock}")
    if (count := len(await _deletes(stage, before))) != 1:
        raise LabError(f"One DELETE was to be sent. The simulator received {count}.")
    screen.verified(f"still exactly one DELETE, {sent.request_id}")


def find_proof(calls: Sequence[Call], name: str) -> tuple[Call, Call]:
    """The last LIST of its resource pool and the GET with 404: what showed that a node pool is gone."""
    absent = [
        call for call in calls if (call.operation, call.node_pool, call.status) == (SHOW_NODE_POOL, name, NOT_FOUND)
    ]
    if not absent:
        raise LabError(f"{name} went, and no {SHOW_NODE_POOL} of it was answered with 404.")
    lists = [
        call
        for call in calls
        if (call.operation, call.resource_pool, call.status) == (LIST_NODE_POOLS, RESOURCE_POOL, OK)
        and call.number < absent[-1].number
    ]
    if not lists:
        raise LabError(f"{name} went, and no LIST of {RESOURCE_POOL} came before its GET.")
    return lists[-1], absent[-1]


async def _deletes(stage: Stage, before: int) -> list[Call]:
    return [call for call in await stage.cloud.calls(before) if call.operation == DELETE_NODE_POOL]


def _released_at(stage: Stage) -> datetime:
    """When the API server received the operator's last PATCH of the object: the one that removed the finalizer."""
    patches = stage.plane.audit().by_user(OPERATOR_USER).writes().on(NODE_POOL_PLURAL, NAMESPACE, DELETED)
    releases = [event for event in patches if not event.subresource and event.code == OK]
    if not releases:
        raise LabError(f"{DELETED} went, and the operator did not remove its finalizer.")
    return releases[-1].received
