"""Observes one object as the operator would: the same cache, the same gathering, the same fetching, without writes.

Called by command.py. The API server is listed once, and ModelArts is asked only for the facts that a guard asks for. An
object that lives is observed as it would be after a `kubectl delete` at this moment; that change stays in memory.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, fields
from datetime import timedelta
from typing import Any, TypeVar

from modelarts_nodepool.api.account import CredentialsSource
from modelarts_nodepool.api.meta import ConditionStatus, ConditionType, find_condition, to_timestamp
from modelarts_nodepool.api.names import CONFIRM_DELETE_POLICY, FOUR_EYES_POLICY
from modelarts_nodepool.api.node_pool import DeletionPolicy
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.api.unreadable import UnreadableObject
from modelarts_nodepool.cache.in_flight import InFlight
from modelarts_nodepool.cache.objects import Cache, Duplicates
from modelarts_nodepool.commands.session import Session
from modelarts_nodepool.commands.why.explain import Answer, Gap, Gaps, Row, ask_guards, judge, next_fetch
from modelarts_nodepool.controllers.audit import AuditTrail
from modelarts_nodepool.controllers.deletion.fetch import Fetch
from modelarts_nodepool.controllers.deletion.gather import Gather, Memory, may_observe
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.deletion.record import record_of
from modelarts_nodepool.decide.deletion.workloads import is_unavailable, why_unavailable
from modelarts_nodepool.decide.observed import AccountView, DeletionObserved, Evidence, Fact
from modelarts_nodepool.errors import ClusterError, CredentialsUnavailable, NotFound, ObjectGone
from modelarts_nodepool.kube import paths
from modelarts_nodepool.polling import Pollers
from modelarts_nodepool.ports import Moment

T = TypeVar("T")

# A deletion is decided after four fetches at most. A guard that asks twice for the same facts gets no third answer.
MOST_FETCHES = 12
# For all fetches together: a person waits for the answer.
FETCHING_LASTS = timedelta(seconds=60)
_OF_CLUSTER = frozenset({Fact.DEFINITION, Fact.NAMESPACE})
_FIELDS = tuple(each.name for each in fields(DeletionObserved))
_NAMED = 5
_POLICIES = (CONFIRM_DELETE_POLICY, FOUR_EYES_POLICY)
# What other objects say: fields that a caller knows in part who may list only some of the objects.
_OF_OTHERS = ("duplicates", "unplaced_duplicate", "unreadable_duplicate", "leaving", "budget")


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What was found about one object.

    - `node_pool`: as the guards saw it. An object that cannot be read has no `observed` and no `rows`.
    - `lives`: whether it is not being deleted in truth.
    - `refusal`: the name of the admission policy that refuses its deletion, and what ends that; "" if none does.
    - `read_at`: when the API server was listed (monotonic seconds).
    - `remarks`: what limits this explanation.
    - `gaps`: fields of the observation that the caller may not know.
    """

    node_pool: NodePool | UnreadableObject
    lives: bool
    moment: Moment
    observed: DeletionObserved | None = None
    rows: Sequence[Row] = ()
    refusal: tuple[str, str] = ("", "")
    read_at: float = 0.0
    remarks: Sequence[str] = ()
    gaps: Gaps = field(default_factory=dict)


class _Cluster:
    """What the operator's watches would hold: LISTs, and narrower reads if the caller may not list everything.

    `uid`: the object's; `lives`: whether it is not being deleted in truth. `gaps`: fields of the observation that the
    caller may not know.
    """

    def __init__(self, session: Session, namespace: str, name: str) -> None:
        """Reads nothing yet."""
        self.cache = Cache(session.clock)
        self.uid = ""
        self.lives = True
        self.gaps: dict[str, Gap] = {}
        self._cluster = session.cluster
        self._namespace = namespace
        self._name = name
        self._now = to_timestamp(session.clock.now())

    async def read(self) -> None:
        """Raises errors.ClusterError; ObjectGone names objects that may be meant."""
        titles = await self._list_node_pools()
        if not self.uid:
            raise ObjectGone(_suggest(self._namespace, self._name, titles))
        await self._list_namespaces()
        node_pool = self.cache.node_pools.get(self.uid)
        if node_pool is not None:
            await self._list_accounts(node_pool.spec.account_ref.name)

    def _upsert(self, body: Mapping[str, Any]) -> str:
        """Into the cache, a living object with the present time as its deletionTimestamp. Returns the title."""
        metadata = body["metadata"]
        title = f"{metadata['namespace']}/{metadata['name']}"
        if title == f"{self._namespace}/{self._name}":
            self.uid = metadata["uid"]
            self.lives = not metadata.get("deletionTimestamp")
            if self.lives:
                body = {**body, "metadata": {**metadata, "deletionTimestamp": self._now}}
        self.cache.upsert_node_pool(body)
        return title

    async def _list_node_pools(self) -> list[str]:
        """The titles of all objects, else of those in the namespace, else of this one."""
        for path in (paths.NODE_POOLS, paths.node_pools_in(self._namespace)):
            titles = await self._list_if_allowed(path, self._upsert)
            if titles is not None:
                return titles
            words = "you may not list the objects of other namespaces, which may refer to the same node pool"
            self.gaps |= dict.fromkeys(_OF_OTHERS, Gap(words, is_partial=True))
        try:
            return [self._upsert(await self._cluster.get(paths.node_pool(self._namespace, self._name)))]
        except ObjectGone:
            return []

    async def _list_namespaces(self) -> None:
        if await self._list_if_allowed(paths.NAMESPACES, self.cache.upsert_namespace) is None:
            with suppress(ClusterError):
                self.cache.upsert_namespace(await self._cluster.get(paths.namespace(self._namespace)))

    async def _list_accounts(self, name: str) -> None:
        """All accounts, because two of them may name one project; else the account that the object names."""
        if await self._list_if_allowed(paths.ACCOUNTS, self.cache.upsert_account) is not None:
            return
        try:
            self.cache.upsert_account(await self._cluster.get(paths.account(name)))
        except ObjectGone:
            return
        except ClusterError as error:
            gap = Gap(f"you may not read ModelArtsAccount {name}: {error}")
            self.gaps |= dict.fromkeys(("account", "budget", "duplicates", "leaving"), gap)

    async def _list_if_allowed(self, path: str, convert: Callable[[Mapping[str, Any]], T]) -> list[T] | None:
        """All items of a collection; None if the caller may not list it. Raises errors.ClusterError otherwise."""
        try:
            return await self._cluster.list_as(path, convert)
        except ClusterError:
            if path not in self._cluster.forbidden:
                raise
        return None


async def explain(session: Session, namespace: str, name: str, progress: Callable[[str], None]) -> Explanation:
    """Ask every guard about this object. Raises errors.ClusterError; ObjectGone names objects that may be meant."""
    progress("listing objects, accounts and namespaces")
    read_at = session.clock.monotonic()
    cluster = _Cluster(session, namespace, name)
    await cluster.read()
    unreadable = cluster.cache.unreadable.get(cluster.uid)
    if unreadable is not None:
        return Explanation(node_pool=unreadable, lives=cluster.lives, moment=Moment.of(session.clock))
    node_pool = cluster.cache.node_pools[cluster.uid]
    observer = _Observer(session, cluster, node_pool)
    try:
        rows = await observer.ask(progress)
    finally:
        await observer.stop()
    policies = await _find_policies(session, node_pool) if cluster.lives else frozenset()
    return Explanation(
        node_pool=node_pool,
        lives=cluster.lives,
        moment=Moment.of(session.clock),
        observed=observer.observed,
        rows=rows,
        refusal=_find_refusal(node_pool, policies),
        read_at=read_at,
        remarks=(
            *_describe_four_eyes(node_pool, policies),
            *_build_remarks(session, cluster, node_pool, observer.observed),
        ),
        gaps=observer.gaps(),
    )


def _suggest(namespace: str, name: str, titles: Sequence[str]) -> str:
    """Objects of that name in other namespaces, else the objects of that namespace."""
    elsewhere = sorted(title for title in titles if title.partition("/")[2] == name)
    found = elsewhere or sorted(title for title in titles if title.partition("/")[0] == namespace)
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    what = "objects of that name" if elsewhere else "objects in that namespace"
    hint = f"{what}: {', '.join(found[:_NAMED])}{more}; " if found else ""
    return f"there is no ModelArtsNodePool {namespace}/{name}; {hint}to see all: {remedies.list_all()}"


class _Observer:
    """Gathers and fetches until no guard asks for a fact that can be read."""

    def __init__(self, session: Session, cluster: _Cluster, node_pool: NodePool) -> None:
        self._session = session
        self._cluster = cluster
        self._node_pool = node_pool
        cache, clock = cluster.cache, session.clock
        self._duplicates, self._in_flight = Duplicates(cache), InFlight()
        self._pollers = Pollers(cache, session.clouds, clock)
        trail = AuditTrail(clock)
        self._gather = Gather(cache, self._duplicates, self._pollers, self._in_flight, trail, clock)
        self._fetch = Fetch(cache, self._pollers, session.clouds, session.cluster, clock)
        self._memory = Memory()
        self._is_complete = False
        self._record_other_deletions()
        self._record_sent()
        self.observed = self._gather.observe(self._memory, node_pool)

    async def ask(self, progress: Callable[[str], None]) -> list[Row]:
        """The rows of the explanation."""
        with suppress(TimeoutError):
            async with asyncio.timeout(FETCHING_LASTS.total_seconds()):
                await self._fetch_all(progress)
        return judge(self.observed, self._ask_guards(), self.gaps(), self._why_unread())

    async def stop(self) -> None:
        """End the poller."""
        await self._pollers.stop()

    async def _fetch_all(self, progress: Callable[[str], None]) -> None:
        """In the order of the table, as the operator does. A guard that asks again gets no other answer."""
        asked: set[tuple[int, frozenset[Fact]]] = set()
        given_up: set[int] = set()
        answers = self._ask_guards()
        while len(asked) < MOST_FETCHES and (wanted := next_fetch(answers, self.gaps(), given_up)) is not None:
            position, facts = wanted
            if (position, facts) in asked or not self._may_fetch(facts):
                given_up.add(position)
                continue
            asked.add((position, facts))
            progress(f"reading {', '.join(sorted(facts))}")
            await self._get(facts)
            answers = self._ask_guards()
        # Then what is still open is open because the operator would not ask for it either.
        self._is_complete = next_fetch(answers, self.gaps(), ()) is None

    def _ask_guards(self) -> list[Answer]:
        self.observed = self._gather.observe(self._memory, self._node_pool)
        return ask_guards(self.observed, Moment.of(self._session.clock))

    def _may_fetch(self, facts: frozenset[Fact]) -> bool:
        """The operator asks ModelArts nothing for an object without account or grant, and neither does this command."""
        if facts <= _OF_CLUSTER:
            return True
        if self.observed.account is None:
            return False
        return facts == {Fact.OWNERS} or may_observe(self._node_pool, self.observed.account)

    async def _get(self, facts: frozenset[Fact]) -> None:
        view = self.observed.account
        if view is None:
            await self._fetch.read_containers(self._memory, self._node_pool)
            return
        if not facts <= _OF_CLUSTER and may_observe(self._node_pool, view):
            pool, uid = self._node_pool.spec.pool_name, self._node_pool.metadata.uid
            self._pollers.acquire(uid, view.account, pool, is_deleting=True)
        await self._fetch.fetch(self._memory, self.observed, facts)

    def _why_unread(self) -> str:
        if self.observed.account is None:
            is_hidden = "account" in self._cluster.gaps
            return f"not read, because {'you may not read the account' if is_hidden else 'there is no account'}"
        if not may_observe(self._node_pool, self.observed.account):
            return "not read, because the account does not give this object access to the node pool"
        if self._is_complete:
            return "not read, because an earlier guard may decide"
        return f"no clear answer within {FETCHING_LASTS.total_seconds():g} s"

    def _record_other_deletions(self) -> None:
        """What the operator knows of other deletions, as far as their status shows it."""
        for other in self._cluster.cache.node_pools.values():
            uid = other.metadata.uid
            if uid == self._node_pool.metadata.uid or not other.is_protected:
                continue
            view = self._duplicates.account_view(other)
            identity = other.status.identity or (view.identity if view else None)
            self._in_flight.record(other, identity, record_of(other))
            blocked = find_condition(other.status.conditions, ConditionType.DELETION_BLOCKED)
            if blocked is not None and blocked.reason == Reason.DELETION_BUDGET_EXHAUSTED:
                self._in_flight.wait_for_budget(uid, is_waiting=True)

    def _record_sent(self) -> None:
        """The running operator knows the DELETE since it was sent, not since this command began."""
        sent, now = record_of(self._node_pool).sent_time, Moment.of(self._session.clock)
        if sent is not None and sent <= now.utc:
            age = (now.utc - sent).total_seconds()
            self._memory.sent_seen[sent] = Moment(sent, now.monotonic - age)

    def gaps(self) -> dict[str, Gap]:
        """Fields that the caller cannot know and the operator can."""
        gaps, forbidden = dict(self._cluster.gaps), self._session.cluster.forbidden
        containers = {
            "definition": paths.NODE_POOL_DEFINITION,
            "namespace": paths.namespace(self._node_pool.metadata.namespace),
        }
        for name, path in containers.items():
            evidence = getattr(self.observed, name)
            if evidence is not None and evidence.value is None and path in forbidden:
                gaps[name] = Gap(f"you may not read it: {forbidden[path]}")
        gaps |= self._gaps_of_namespaces()
        why = _why_no_credentials(self._session, self.observed.account)
        if why:
            failed = (name for name in _FIELDS if isinstance(_failure_of(self.observed, name), CredentialsUnavailable))
            gaps |= dict.fromkeys(failed, Gap(why))
        return gaps

    def _gaps_of_namespaces(self) -> dict[str, Gap]:
        """Grants may select namespaces by labels that the caller may not read."""
        if paths.NAMESPACES not in self._session.cluster.forbidden:
            return {}
        gap = Gap("you may not list namespaces, whose labels the account's grants may select")
        gaps = {"unplaced_duplicate": gap} if self.observed.unplaced_duplicate is not None else {}
        is_own_known = self._node_pool.metadata.namespace in self._cluster.cache.namespaces
        if self.observed.account is not None and not self.observed.account.is_granted and not is_own_known:
            gaps["account"] = gap
        return gaps


def _failure_of(observed: DeletionObserved, name: str) -> Exception | None:
    value = getattr(observed, name)
    return value.failure if isinstance(value, Evidence) else None


def _why_no_credentials(session: Session, view: AccountView | None) -> str:
    """Why the caller cannot log in to ModelArts where the operator can; "" if the caller can try."""
    if view is None:
        return ""
    credentials = view.account.spec.credentials
    if credentials.source is not CredentialsSource.SECRET:
        words = (
            f"ModelArts was not asked: credentials of source {credentials.source} exist only where the operator runs"
        )
        return "" if session.is_in_pod else words
    namespace, name = session.place.operator_namespace, credentials.secret_name
    if not name or paths.secret(namespace, name) not in session.cluster.forbidden:
        return ""
    return f"ModelArts was not asked: you may not read Secret {namespace}/{name}"


async def _find_policies(session: Session, node_pool: NodePool) -> frozenset[str]:
    """Our admission policies for deletions, if they are bound and the object is not exempt."""
    found: set[str] = set()
    if node_pool.spec.deletion_policy is not DeletionPolicy.RETAIN:
        for name in _POLICIES:
            with suppress(ClusterError):
                await session.cluster.get(paths.admission_binding(name))
                found.add(name)
    return frozenset(found)


def _find_refusal(node_pool: NodePool, policies: frozenset[str]) -> tuple[str, str]:
    """The policy that refuses the deletion by every user, and what ends that."""
    if node_pool.confirmation != node_pool.node_pool_name:
        name = next((policy for policy in _POLICIES if policy in policies), "")
        return name, f"to confirm the deletion: {remedies.confirm(node_pool)}" if name else ""
    if FOUR_EYES_POLICY in policies and node_pool.confirmed_by is None:
        return FOUR_EYES_POLICY, "the confirmation does not show who confirmed; remove it and confirm again"
    return "", ""


def _describe_four_eyes(node_pool: NodePool, policies: frozenset[str]) -> Iterable[str]:
    if FOUR_EYES_POLICY in policies:
        who = f"{node_pool.confirmed_by}, who confirmed," if node_pool.confirmed_by else "the user who confirms"
        yield f"by the policy four-eyes, {who} cannot delete the object; another person must"


def _build_remarks(
    session: Session, cluster: _Cluster, node_pool: NodePool, observed: DeletionObserved
) -> tuple[str, ...]:
    """What a person has to know about this explanation."""
    remarks = []
    account = node_pool.spec.account_ref.name
    unreadable = {each.metadata.name for each in cluster.cache.unreadable.values() if not each.is_node_pool}
    if observed.account is None and account in unreadable:
        remarks.append(f"ModelArtsAccount {account} exists, but this version cannot read it")
    if paths.admission_binding(CONFIRM_DELETE_POLICY) in session.cluster.forbidden:
        remarks.append("you may not read admission policies; one of them may refuse the deletion")
    jobs = observed.workloads
    if jobs is not None and is_unavailable(jobs, Moment.of(session.clock)):
        remarks.append(
            f"jobs cannot be listed, because {why_unavailable(jobs.failure)}; only nodes that show accelerators in use "
            "hold the deletion"
        )
    if not cluster.lives:
        blocked = find_condition(node_pool.status.conditions, ConditionType.DELETION_BLOCKED)
        if blocked is not None and blocked.status is ConditionStatus.TRUE:
            since = to_timestamp(blocked.last_transition_time)
            remarks.append(f"the operator's status has shown DeletionBlocked, {blocked.reason}, since {since}")
        remarks.append(
            "only the operator's process knows why it could not send a DELETE, and its reserved budget slots"
        )
    failures = [failure for name in _FIELDS if (failure := _failure_of(observed, name)) is not None]
    if not session.is_in_pod and any(not isinstance(failure, NotFound) for failure in failures):
        command = remedies.run_in_pod(session.place.operator_namespace, "why", node_pool.title)
        remarks.append(f"network, clock and permissions are yours; to ask with those of the operator: {command}")
    return tuple(remarks)
