"""The status of an account: did its credentials work when they were last used? Pure.

Called by controllers/account.py after each poll and each change of the account.
"""

from collections.abc import Mapping
from datetime import datetime

from modelarts_nodepool.api.account import AccountStatus
from modelarts_nodepool.api.conditions import (
    ConditionStatus,
    ConditionType,
    Said,
    set_conditions,
)
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide.failures import keep_steady, needs_a_person, reason_of
from modelarts_nodepool.decide.observed import Failure
from modelarts_nodepool.decide.status.ready import say_as_last
from modelarts_nodepool.errors import CloudError, SecretNotFound


def decide_account_status(account: Account, *, was_used: bool, failure: Failure | None, now: datetime) -> AccountStatus:
    """The whole status; equal to the account's own status if nothing has to be written.

    While ModelArts cannot be reached, the last conditions stay: such a failure tells nothing about credentials.
    """
    before = account.status
    # Also after a restart: the conditions of the last process stay until this process has a result.
    is_new = not _tells_nothing(failure) and (was_used or failure is not None)
    said = (None if is_new else say_as_last(before.conditions)) or _say(failure, was_used=was_used)
    generation = account.metadata.generation
    conditions = set_conditions(keep_steady(said, before.conditions), before.conditions, generation, now)
    return before.model_copy(update={"observed_generation": generation, "conditions": conditions})


def _tells_nothing(failure: Failure | None) -> bool:
    return isinstance(failure, CloudError) and failure.is_transient


def _say(failure: Failure | None, *, was_used: bool) -> Mapping[ConditionType, Said]:
    if failure is not None and needs_a_person(failure):
        reason = Reason.SECRET_NOT_FOUND if isinstance(failure, SecretNotFound) else reason_of(failure)
        return _pair(ConditionType.STALLED, ConditionStatus.FALSE, reason, str(failure))
    if _tells_nothing(failure):
        words = "ModelArts cannot be reached, so the credentials are not verified; retries automatically"
        return _pair(ConditionType.RECONCILING, ConditionStatus.UNKNOWN, Reason.NOT_YET_USED, words)
    if not was_used:
        words = "the credentials have not been used yet; the operator verifies them within seconds"
        return _pair(ConditionType.RECONCILING, ConditionStatus.UNKNOWN, Reason.NOT_YET_USED, words)
    # Also "not found" and a refusal: ModelArts answers so only after it accepted the credentials.
    words = "ModelArts accepted the credentials the last time they were used"
    return {
        ConditionType.READY: Said(status=ConditionStatus.TRUE, reason=Reason.CREDENTIALS_VALID, message=words),
    }


def _pair(kind: ConditionType, ready: ConditionStatus, reason: Reason, words: str) -> dict[ConditionType, Said]:
    return {
        kind: Said(status=ConditionStatus.TRUE, reason=reason, message=words),
        ConditionType.READY: Said(status=ready, reason=reason, message=words),
    }
