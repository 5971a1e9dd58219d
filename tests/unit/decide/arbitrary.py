"""Arbitrary observations for the property tests: mostly sane, each part sometimes strange."""

from dataclasses import fields, replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from modelarts_nodepool import errors
from modelarts_nodepool.api.meta import Condition, ConditionStatus, ConditionType, WireModel
from modelarts_nodepool.api.names import CONFIRM_ANNOTATION, OVERRIDE_ANNOTATION, RECONCILE_ANNOTATION
from modelarts_nodepool.api.node_pool import (
    CloudErrorRecord,
    Counts,
    DeletionRecord,
    Identity,
    NodePoolShape,
    NodePoolStatus,
    SendOutcome,
)
from modelarts_nodepool.api.objects import NodePool, Owner
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.observed import (
    AccountView,
    BudgetView,
    Container,
    DeletionObserved,
    Evidence,
    FoundOwner,
    LiveObserved,
    OwnerState,
)
from modelarts_nodepool.ports import (
    Billing,
    CloudNode,
    CloudNodePool,
    CloudResourcePool,
    CloudWorkload,
    NodePoolListing,
)
from tests.support.builders import NOON, PROJECT, RESOURCE_POOL, a_node_pool, an_account
from tests.support.unreadable import an_unreadable_object
from tests.unit.decide.situations import MONOTONIC, a_deleted_object, a_deletion, an_observation

# How often a property is tried: enough to find what was planted, quick enough for every run of the unit tests.
usual = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
thorough = settings(usual, max_examples=250)

JOB_STATUSES = [
    "Queue",
    "Pending",
    "Abnormal",
    "Terminating",
    "Creating",
    "Running",
    "Completed",
    "Terminated",
    "Failed",
]

# Ages that the tables speak of, and both sides of them.
EDGES = [0, 1, 5, 10, 30, 60, 119, 120, 121, 240, 299, 300, 301, 599, 600, 1800, 1801, 3599, 3600, 7199, 7200, 9000]


def some(model: type[WireModel], **parts: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A model with these parts and no others: hypothesis would take the aliases for more of them."""
    return st.fixed_dictionaries(parts).map(lambda drawn: model(**drawn))


seconds = st.sampled_from(EDGES) | st.integers(0, 10_000)
# A moment on the wall: past, and now and then the future.
moments = st.builds(
    lambda ago: NOON - timedelta(seconds=ago), seconds | st.sampled_from([-1, -60, -3600, -86_400 * 365])
)
containers = st.builds(Container, st.none() | moments, st.none() | moments)
monotonics = st.builds(lambda ago: MONOTONIC - ago, seconds)

FAILURES = [
    errors.CredentialsRejected,
    errors.ClockSkew,
    errors.PermissionDenied,
    errors.NotFound,
    errors.ResourcePoolNotFound,
    errors.RefusedByModelArts,
    errors.Conflict,
    errors.CloudUnavailable,
    errors.Throttled,
    errors.Unreachable,
    errors.NoAnswer,
    errors.ServerFailure,
    errors.WrongEndpoint,
    errors.MalformedAnswer,
    errors.CloudError,
]
pauses = st.none() | st.sampled_from([timedelta(seconds=s) for s in (-5, 0, 1, 30, 10_000)])
cloud_failures = st.builds(
    lambda kind, words, code, pause: kind(words, code=code, retry_after=pause),
    st.sampled_from(FAILURES),
    st.sampled_from(["list was answered 403 A: no.", "busy", "no such thing"]),
    st.none() | st.just("ModelArts.50004000"),
    pauses,
)
failures = cloud_failures | st.just(errors.CredentialsUnavailable("Secret modelarts has no key accessKey"))


def looks(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Evidence[Any] | None]:
    """No look, one that worked, one that failed, one that was given up."""
    return st.none() | st.one_of(
        st.builds(lambda at, value: Evidence(at, value=value), monotonics, values),
        st.builds(lambda at, failure: Evidence(at, failure=failure), monotonics, failures),
        st.builds(Evidence, monotonics),
    )


few = st.integers(0, 2)
counts = some(Counts, creating=few, available=few, abnormal=few, deleting=few)
shapes = some(NodePoolShape, count=few)
cloud_node_pools = st.builds(
    CloudNodePool,
    st.sampled_from(["training-a", "training-a", "training-a", "other"]),
    counts | st.none(),
    shapes,
    st.none() | st.just("deleting is -1"),
)
listings = st.lists(cloud_node_pools, max_size=3).map(
    lambda shown: NodePoolListing({node_pool.name: node_pool for node_pool in shown})
)
resource_pools = st.builds(CloudResourcePool, st.just(RESOURCE_POOL), st.sampled_from(Billing))
workspaces = st.sampled_from([{}, {"another": CloudResourcePool("another", Billing.PAY_PER_USE)}]) | st.builds(
    lambda one: {RESOURCE_POOL: one}, resource_pools
)
ips = st.sampled_from(["10.0.0.1", "10.0.0.2"])
nodes = st.lists(
    st.builds(
        CloudNode,
        st.sampled_from(["n1", "n2"]),
        st.sampled_from([None, None, *Billing]),
        st.sampled_from([False, False, True]),
        phase=st.sampled_from(["", "Available", "Creating", "Abnormal"]),
        host_ip=st.just("") | ips,
        is_in_use=st.sampled_from([None, False, True]),
    ),
    max_size=4,
).map(tuple)
workloads = st.lists(
    st.builds(
        CloudWorkload,
        uid=st.sampled_from(["", "u1", "u2", "u3", "u4", "u5", "u6"]),
        kind=st.sampled_from(["train", "infer", "notebook", "x-infer", "", "new\nkind"]),
        name=st.sampled_from(["", "llama", "n" * 200, "a\nb", "größe"]),
        status=st.sampled_from([*JOB_STATUSES, "running", "Preempted", ""]),
        host_ips=st.frozensets(ips | st.just("10.9.9.9"), max_size=2),
        running=st.none() | st.builds(lambda s: timedelta(seconds=s), st.integers(-1, 10**9)),
    ),
    max_size=8,
).map(tuple)

error_records = some(
    CloudErrorRecord,
    code=st.none() | st.just("ModelArts.50004000"),
    message=st.just("in use."),
    request_id=st.none() | st.just("request-2"),
    time=moments,
)
records = some(
    DeletionRecord,
    attempt=st.integers(0, 8) | st.sampled_from([60, 61, 2**31 - 1]),
    sent_time=st.none() | moments,
    accepted_time=st.none() | moments,
    nothing_deleting_since=st.none() | moments,
    request_id=st.none() | st.just("request-1"),
    outcome=st.none() | st.sampled_from(SendOutcome),
    last_error=st.none() | error_records,
)

conditions = some(
    Condition,
    type=st.sampled_from(ConditionType),
    status=st.sampled_from(ConditionStatus),
    reason=st.sampled_from([reason.value for reason in Reason]),
    message=st.sampled_from(["what was said", "list was answered 403 B: no"]),
    observed_generation=st.integers(-1, 3),
    last_transition_time=moments,
)
whole_conditions = st.lists(conditions, max_size=5, unique_by=lambda condition: condition.type).map(tuple)
identities = some(
    Identity,
    region=st.sampled_from(["cn-north-4", "cn-north-4", "cn-east-3"]),
    project_id=st.just(PROJECT),
    pool_name=st.just(RESOURCE_POOL),
    node_pool_name=st.sampled_from(["training-a", "training-a", ".."]),
)
statuses = some(
    NodePoolStatus,
    observed_generation=st.integers(-1, 3),
    counts=st.none() | counts,
    node_pool=st.none() | shapes,
    identity=st.none() | identities,
    deletion=st.none() | records,
    last_handled_reconcile_at=st.none() | st.just("earlier"),
    conditions=whole_conditions,
)
overrides = st.sampled_from(
    [
        "OtherFinalizers@uid-of-training-a",
        "LastNodePool,OtherFinalizers@uid-of-training-a",
        "BillingUnknown,OtherFinalizers@uid-of-training-a",
        "BillingUnknown@uid-of-training-a",
        "BillingUnknown,OtherFinalizers@another",
        "BillingUnknown",
        "LastNodePool@uid-of-training-a",
        "WorkloadsRunning@uid-of-training-a",
        "BillingUnknown,WorkloadsRunning@uid-of-training-a",
        "WorkloadsRunning@another",
        "lastnodepool,otherfinalizers,billingunknown@uid-of-training-a",
        "LastNodePool@UID-OF-TRAINING-A",
        "Paused,ConfirmationRequired,DeletionBudgetExhausted@uid-of-training-a",
        "@",
    ]
)

confirmations = st.sampled_from(["training-a", "training-b", "Training-A", "training-a ", ""])


@st.composite
def node_pools(draw: st.DrawFn, *, deleted: bool) -> NodePool:
    """An object that is usually as it should be."""
    builder = a_deleted_object()
    if draw(st.integers(0, 4)) == 0:
        builder = builder.paused(draw(st.sampled_from(["true", "True", "yes", "1", "", " false", "FALSE", "false"])))
    if draw(st.integers(0, 4)) == 0:
        builder = builder.with_finalizer("foregroundDeletion")
    if draw(st.integers(0, 2)) == 0:
        builder = builder.annotated(OVERRIDE_ANNOTATION, draw(overrides))
    if draw(st.booleans()):
        builder = builder.annotated(RECONCILE_ANNOTATION, "now")
    if draw(st.booleans()):
        builder = builder.annotated(CONFIRM_ANNOTATION, draw(confirmations))
    if draw(st.integers(0, 4)) == 0:
        for number in range(draw(st.integers(1, 7))):
            builder = builder.owned_by(name=f"claim-{number}")
    if draw(st.integers(0, 9)) == 0:
        builder = builder.retained()
    built = builder.created(draw(moments)).build()
    status = draw(statuses) if draw(st.booleans()) else built.status
    metadata = built.metadata if deleted else replace(built.metadata, deleted=None)
    return replace(built, metadata=metadata, status=status)


@st.composite
def accounts(draw: st.DrawFn, node_pool: NodePool) -> AccountView | None:
    """The account of the object, which usually is there and grants it."""
    chance = draw(st.integers(0, 19))
    if chance == 0:
        return None
    builder = an_account().polling(*(timedelta(seconds=draw(st.sampled_from([0, 1, 10, 60, 3600]))) for _ in "ab"))
    if chance == 1:
        builder = builder.being_deleted()
    if draw(st.integers(0, 4)) == 0:
        builder = builder.requiring_confirmation()
    if draw(st.integers(0, 4)) == 0:
        builder = builder.ignoring_jobs()
    return (builder.granting_nothing() if chance == 2 else builder).seen_by(node_pool)


@st.composite
def _twins(draw: st.DrawFn) -> NodePool:
    """Another object that refers to the same node pool."""
    builder = a_node_pool(draw(st.sampled_from(["renamed", "zealous"]))).standing_for("training-a")
    builder = builder.created(draw(moments))
    builder = builder.finalized() if draw(st.booleans()) else builder
    builder = builder.being_deleted() if draw(st.booleans()) else builder
    builder = builder.recording(draw(records)) if draw(st.booleans()) else builder
    return (builder.retained() if draw(st.booleans()) else builder).build()


twins = _twins()
found_owners = st.lists(
    st.builds(
        FoundOwner,
        st.builds(Owner, api_version=st.just("example.com/v1"), kind=st.just("Claim"), name=st.text(), uid=st.text()),
        st.sampled_from(OwnerState),
        st.sampled_from(["", "the operator may not read it"]),
    ),
    max_size=5,
).map(tuple)
budgets = st.builds(
    BudgetView,
    limit=st.sampled_from([None, 1, 3]),
    window=st.sampled_from([timedelta(minutes=1), timedelta(hours=1)]),
    used=st.integers(0, 4),
    ahead=st.integers(0, 2),
    frees_at=st.none() | moments,
)


PARTS: dict[str, st.SearchStrategy[Any]] = {
    "deletion_seen": monotonics,
    "retain_seen": st.booleans(),
    "record": records,
    "send_finished": st.none() | monotonics,
    "last_failure": st.none() | failures,
    "last_failure_at": st.none() | monotonics,
    "sent_seen": st.none() | monotonics,
    "reconcile_requested": st.none() | monotonics,
    "went_past": st.none() | monotonics,
    "listing": looks(listings),
    "earlier_listing": looks(listings),
    "shown": looks(cloud_node_pools),
    "resource_pool": looks(resource_pools),
    "resource_pools": looks(workspaces),
    "nodes": looks(nodes),
    "workloads": st.builds(
        lambda look, longer: look and replace(look, since=longer and look.begun - longer),
        looks(workloads),
        st.none() | seconds,
    ),
    "definition": looks(containers),
    "namespace": looks(containers),
    "owners": looks(found_owners),
    "duplicates": st.lists(twins, max_size=2, unique_by=lambda twin: twin.metadata.uid).map(tuple),
    "unplaced_duplicate": st.none() | twins,
    "unreadable_duplicate": st.sampled_from([None, an_unreadable_object("renamed", deletionPolicy="Archive")]),
    "leaving": st.sampled_from([frozenset(), frozenset({"other"})]),
    "budget": st.none() | budgets,
}


@st.composite
def deletions(draw: st.DrawFn) -> DeletionObserved:
    """One where the table says Send, with some of its parts exchanged for arbitrary ones."""
    observed = a_deletion()
    if draw(st.booleans()):
        node_pool = draw(node_pools(deleted=True))
        observed = replace(observed, node_pool=node_pool, account=draw(accounts(node_pool)))
    names = draw(st.sets(st.sampled_from(sorted(PARTS)), max_size=6))
    changes = {name: draw(PARTS[name]) for name in sorted(names)}
    known = {field.name for field in fields(DeletionObserved)}
    return replace(observed, **{name: value for name, value in changes.items() if name in known})


@st.composite
def observations(draw: st.DrawFn) -> LiveObserved:
    """A living object, as arbitrary."""
    node_pool = draw(node_pools(deleted=False))
    return an_observation(
        node_pool,
        account=draw(accounts(node_pool)),
        failure=draw(st.none() | failures),
        seen=draw(st.none() | listings),
        seen_age=timedelta(seconds=draw(seconds)),
        older_duplicate=draw(st.sampled_from([None, None, None, "ml/elder"])),
        reconcile_at=draw(st.none() | st.just("now")),
    )
