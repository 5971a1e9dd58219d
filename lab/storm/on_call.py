"""What a person on call does while things settle: follow the commands in messages and log. No more.

A refusal that a fault made is tried again by itself after five minutes or more, by design; the message says how to
go on at once, and run.py lets this be done three times. Objects whose case is to be held are left alone.
"""

from collections.abc import Mapping
from typing import Any

from lab.harness.api import NAMESPACES, Api, node_pools_in
from lab.storm.cases import EXPECTED
from lab.storm.evidence import Snapshot
from lab.storm.journal import Journal
from lab.storm.judges import ENDINGS
from lab.storm.world import Plan
from modelarts_nodepool.api.names import NODE_POOL_FINALIZER, RECONCILE_ANNOTATION

# From the third attempt on the pause before the next one is longer than a storm settles for.
PATIENT_ATTEMPTS = 3


async def reconcile_now(plan: Plan, snapshot: Snapshot, api: Api, journal: Journal, value: str) -> int:
    """Annotate reconcile-at where an answer of the cloud stands in the way; how many."""
    count = 0
    for planned in plan.objects:
        body = snapshot.objects.get(planned.title)
        if body is None or EXPECTED[planned.case].ending not in ENDINGS:
            continue
        if needs_a_person(body):
            count += 1
            journal.note(planned.title, f"a person sets reconcile-at={value}, as the message says")
            path = f"{node_pools_in(planned.namespace)}/{planned.name}"
            await api.merge(path, {"metadata": {"annotations": {RECONCILE_ANNOTATION: value}}})
    return count


async def give_namespaces_back(snapshot: Snapshot, api: Api, journal: Journal) -> int:
    """Create those again that are gone while objects are left in them, as log and doctor say; how many.

    An API server that was just restarted lists too little to the controller that empties namespaces.
    """
    used = {
        title.partition("/")[0]
        for title, body in snapshot.objects.items()
        if NODE_POOL_FINALIZER in body["metadata"].get("finalizers", [])
    }
    gone = [name for name in sorted(used) if await api.get(f"{NAMESPACES}/{name}") is None]
    for name in gone:
        journal.note(name, "a person creates the namespace again, as the log says")
        await api.create(NAMESPACES, {"metadata": {"name": name}})
    return len(gone)


def needs_a_person(body: Mapping[str, Any]) -> bool:
    """Whether the cloud refused, or so many attempts failed that the next pause is long."""
    record = body.get("status", {}).get("deletion") or {}
    return record.get("outcome") == "Refused" or record.get("attempt", 0) >= PATIENT_ATTEMPTS
