"""What a failed look or DELETE is called, what to do about it, and when its words change. Used by all of decide/.

Only five classes of failure need a person; everything else is the cloud being out of reach, whatever it said.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from enum import StrEnum

from modelarts_nodepool.api.conditions import Condition, ConditionType, Said
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.deletion.decision import Hold, Release
from modelarts_nodepool.decide.observed import Failure
from modelarts_nodepool.errors import CircuitOpen, CloudError, ClusterError, Conflict, RefusedByAPIServer, Throttled

# A failed look is repeated after this, or after what the server asked for. Rejected keys are not hammered by
# it: the breaker in access/circuit_breaker.py answers instead of the cloud.
RETRY_AFTER = timedelta(seconds=10)
SHORTEST_RETRY = timedelta(seconds=1)
LONGEST_RETRY = timedelta(minutes=5)

_FOR_PEOPLE = {
    reason.value: reason
    for reason in (
        Reason.CREDENTIALS_UNAVAILABLE,
        Reason.CREDENTIALS_REJECTED,
        Reason.PERMISSION_DENIED,
        Reason.CLOCK_SKEW,
        Reason.ENDPOINT_UNKNOWN,
    )
}

# All reasons that a failed request can have.
FAILURES = (*_FOR_PEOPLE.values(), Reason.CLOUD_UNAVAILABLE)

_EXPECTED = (Throttled, Conflict, CircuitOpen)

# The words of these change with every answer (times, breakers, request ids) and say the same: the first stand.
_STEADY = frozenset(
    {
        Reason.CREDENTIALS_REJECTED,
        Reason.CLOCK_SKEW,
        Reason.CLOUD_UNAVAILABLE,
        Reason.OBSERVATION_STALE,
    }
)
# Their words quote the API server, which may name ports and times.
_BY_API_SERVER = frozenset({Reason.NOT_PROTECTED, Reason.REFUSED_BY_API_SERVER, Reason.RELEASE_REFUSED})
_DIGITS = re.compile(r"\d+")


class FailureClass(StrEnum):
    """Who or what ends a failure: a person, somebody else's patience, or the next try."""

    STALLED = "Stalled"
    WAITING = "Waiting"
    TRANSIENT = "Transient"


def reason_of(failure: Failure) -> Reason:
    """The class of a failure as users see it. Never a "not found" and never a refusal: those are for DELETEs."""
    return _FOR_PEOPLE.get(failure.reason, Reason.CLOUD_UNAVAILABLE)


def class_of(failure: Failure) -> FailureClass:
    """What has to happen before the same call can work."""
    if reason_of(failure) is not Reason.CLOUD_UNAVAILABLE:
        return FailureClass.STALLED
    # The cloud works on it, or asked for patience: nothing is wrong.
    return FailureClass.WAITING if isinstance(failure, _EXPECTED) else FailureClass.TRANSIENT


def needs_a_person(failure: Failure) -> bool:
    """Whether trying again cannot help until somebody mends something."""
    return class_of(failure) is FailureClass.STALLED


def asked_pause(failure: Failure, usual: timedelta = RETRY_AFTER) -> timedelta:
    """What the server asked for, within bounds: neither spinning nor sleeping for ever; else the usual pause."""
    asked = failure.retry_after if isinstance(failure, CloudError) else None
    return usual if asked is None else min(max(asked, SHORTEST_RETRY), LONGEST_RETRY)


def hold_for(node_pool: NodePool, failure: Failure, what: str, retry_after: timedelta, *, also: str = "") -> Hold:
    """Held by class of failure: the transient ones retry, for the others somebody has to act.

    `also`: another thing that a person can do, with its command.
    """
    way_out = f"{also}; {remedies.way_out(node_pool)}" if also else remedies.way_out(node_pool)
    said = str(failure).rstrip(". ")
    reason = reason_of(failure)
    if not needs_a_person(failure):
        when = "goes on by itself" if class_of(failure) is FailureClass.WAITING else "tried again by itself"
        words = f"{what}: {said}; {when}; details: {remedies.describe(node_pool)}; {way_out}"
        return Hold(reason, words, retry_after, is_transient=True)
    words = (
        f"{what}: {said}; it goes on by itself once that is repaired; see the account: "
        f"{remedies.describe_account(node_pool.spec.account_ref.name)}; {way_out}"
    )
    return Hold(reason, words, retry_after)


def steady_words(reason: str, last: str, new: str) -> str:
    """The words to show where `reason` stands already with the words `last`.

    Else a message that quotes a time or a request id would cost a write at every look: a heartbeat.
    """
    if reason in _STEADY:
        return last
    if reason == Reason.PERMISSION_DENIED and _head(last) == _head(new):
        return last
    if reason in _BY_API_SERVER and _DIGITS.sub("", last) == _DIGITS.sub("", new):
        return last
    return new


def keep_steady(said: Mapping[ConditionType, Said], before: Iterable[Condition]) -> dict[ConditionType, Said]:
    """The same, for whole conditions: only where status and reason are what they were."""
    last = {condition.type: condition for condition in before}
    return {
        kind: words.model_copy(update={"message": steady_words(words.reason, last[kind].message, words.message)})
        if kind in last and (last[kind].status, last[kind].reason) == (words.status, words.reason)
        else words
        for kind, words in said.items()
    }


def release_refused(release: Release, error: ClusterError, retry_after: timedelta) -> Hold:
    """The decision is Release, and our finalizer cannot be removed, or the account's audit entry not be written."""
    words = f"{release.message}; the object stays only because the operator cannot let it go: {_said(error)}"
    # An orphan stays one after a restart: row 1 reads this reason.
    reason = Reason.REFUSED_BY_API_SERVER if release.is_orphan else Reason.RELEASE_REFUSED
    return _hold_refused(reason, words, error, retry_after)


def write_ahead_refused(node_pool: NodePool, error: ClusterError, retry_after: timedelta) -> Hold:
    """The decision is Send, and what is written before each DELETE cannot be written: nothing is sent."""
    words = (
        f"no DELETE of node pool {node_pool.node_pool_name} was sent: the operator first writes into the object's "
        f"status that it sends one, and cannot: {_said(error)}"
    )
    hold = _hold_refused(Reason.REFUSED_BY_API_SERVER, words, error, retry_after)
    return Hold(hold.reason, f"{hold.message}; {remedies.way_out(node_pool)}", retry_after, hold.is_transient)


def not_protected(error: ClusterError) -> str:
    """The message of row 2b."""
    words = (
        "deleting this object now would forget its node pool, which would go on costing money: the operator cannot "
        f"put its finalizer on the object: {_said(error)}"
    )
    return f"{words}; {_WHAT_TO_DO}"


def write_refused(error: ClusterError, *, is_status: bool) -> str:
    """For an Event, where the object itself cannot say it."""
    what = "the status of this object may be old: the operator cannot write it"
    if not is_status:
        what = "the operator cannot put its finalizer on this object, or take it off"
    return f"{what}: {_said(error)}; {_WHAT_TO_DO}"


_WHAT_TO_DO = f"the operator tries again once a minute; find what refuses it: {remedies.show_admission()}"


def _hold_refused(reason: Reason, words: str, error: ClusterError, retry_after: timedelta) -> Hold:
    is_transient = not isinstance(error, RefusedByAPIServer)
    return Hold(reason, f"{words}; {_WHAT_TO_DO}", retry_after, is_transient)


def _said(error: ClusterError) -> str:
    return str(error).rstrip(". ")


def _head(words: str) -> str:
    """What was asked and how it was answered, without the cloud's own words."""
    return words.partition(" was answered ")[0]
