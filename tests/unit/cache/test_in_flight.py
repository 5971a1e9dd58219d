"""What deletions know of each other, by index, is what going through all of them would find."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from modelarts_nodepool.api.node_pool import DeletionRecord, Identity
from modelarts_nodepool.api.objects import Account, Metadata
from modelarts_nodepool.cache.in_flight import InFlight
from modelarts_nodepool.decide.observed import BudgetView
from tests.support.builders import NOON, a_node_pool, an_account

UIDS = ("a", "b", "c")
Known = dict[str, dict[str, object]]
# What happens: note, forget, wait, reserve; to whom; and what of it.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("note", "note", "forget", "wait", "reserve")),
        st.sampled_from(UIDS),
        st.booleans(),
        st.sampled_from(("pool-a", "pool-b")),
        st.integers(-2, 2),
    ),
    min_size=8,
    max_size=30,
)


def identity(resource_pool: str, uid: str) -> Identity:
    return Identity(
        region="cn-north-4", project_id="0" * 32, workspace="0", pool_name=resource_pool, node_pool_name=f"np-{uid}"
    )


def apply(in_flight: InFlight, known: Known, step: tuple[str, str, bool, str, int]) -> None:
    """One step, in the indexes and in a plain list of facts."""
    what, uid, flag, resource_pool, minutes = step
    if what == "forget":
        in_flight.forget(key(uid))
        known.pop(uid, None)
    elif what == "note":
        deleted, sent = NOON + timedelta(minutes=minutes), NOON if flag else None
        node_pool = a_node_pool(uid).finalized().being_deleted(deleted).build()
        metadata: Metadata = node_pool.metadata
        in_flight.record(node_pool, identity(resource_pool, uid), DeletionRecord(sent_time=sent))
        facts = {"pool": resource_pool, "sent": sent, "deleted": deleted, "key": metadata.uid}
        known[uid] = {"waits": False, "reserved": False, **known.get(uid, {}), **facts}
    elif what == "wait":
        in_flight.wait_for_budget(key(uid), is_waiting=flag)
        if uid in known:
            known[uid]["waits"] = flag
    else:
        in_flight.reserve(key(uid), is_reserved=flag)
        if uid in known:
            known[uid]["reserved"] = flag


def key(uid: str) -> str:
    return f"uid-of-{uid}"


def leaving(known: Known, uid: str, resource_pool: str) -> frozenset[str]:
    return frozenset(
        f"np-{other}"
        for other, facts in known.items()
        if other != uid and facts["pool"] == resource_pool and (facts["sent"] or facts["reserved"])
    )


def used_and_ahead(known: Known, uid: str, now: datetime) -> tuple[int, int]:
    slots: Mapping[str, object] = {
        other: facts for other, facts in known.items() if other != uid and (facts["sent"] or facts["reserved"])
    }
    place = (known[uid]["deleted"] if uid in known else now, key(uid))
    ahead = [
        other
        for other, facts in known.items()
        if facts["waits"] and not facts["sent"] and other not in slots and (facts["deleted"], key(other)) < place
    ]
    return len(slots), len(ahead)


def limited() -> Account:
    return an_account("default").limited(max=2, window="1h").build()


@settings(max_examples=80)
@given(STEPS)
def test_every_question_is_answered_as_if_all_were_gone_through(steps: list[tuple[str, str, bool, str, int]]) -> None:
    in_flight, known = InFlight(), Known()
    for step in steps:
        apply(in_flight, known, step)
        held = {key(uid) for uid, facts in known.items() if facts["waits"] and not facts["sent"]}
        assert set(in_flight.waiting("default")) == held
        for uid in UIDS:
            for resource_pool in ("pool-a", "pool-b"):
                found = in_flight.leaving(key(uid), identity(resource_pool, uid))
                assert found == leaving(known, uid, resource_pool)
            view = in_flight.budget(limited(), key(uid), NOON)
            assert (view.used, view.ahead) == used_and_ahead(known, uid, NOON)


def test_deletions_of_other_accounts_use_nothing() -> None:
    in_flight = InFlight()
    node_pool = a_node_pool("a").finalized().being_deleted(NOON).build()
    in_flight.record(node_pool, identity("pool-a", "a"), DeletionRecord(sent_time=NOON))
    assert in_flight.budget(an_account("other").limited(max=1, window="1h").build(), "uid-of-b", NOON).used == 0
    assert in_flight.budget(an_account("other").limited(unlimited=True).build(), "uid-of-b", NOON) == BudgetView(None)


def test_nothing_is_kept_of_what_is_over() -> None:
    in_flight, known = InFlight(), Known()
    for step in (
        ("note", "a", True, "pool-a", 0),
        ("wait", "b", True, "pool-a", 0),
        ("forget", "a", True, "pool-a", 0),
    ):
        apply(in_flight, known, step)
    assert in_flight.leaving("uid-of-b", identity("pool-a", "b")) == frozenset()
    assert not in_flight.is_releasing("uid-of-a")
