"""Checks, their findings, the context that they share, and remedies by error. Used by every file of this folder."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Generic, TypeVar

from modelarts_nodepool import errors
from modelarts_nodepool.api.objects import Account
from modelarts_nodepool.commands.doctor.probe import Probe
from modelarts_nodepool.commands.session import Session
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.ports import CloudResourcePool

S = TypeVar("S")


class Result(StrEnum):
    """Only FAILED makes the exit code 1."""

    OK = "OK"
    WARNING = "Warning"
    FAILED = "Failed"
    NOT_CHECKED = "NotChecked"


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of a check, a message, and the next command if a person must act."""

    result: Result
    words: str
    remedy: str = ""

    @property
    def is_good(self) -> bool:
        """Whether checks that need this one can run."""
        return self.result in {Result.OK, Result.WARNING}


def ok(words: str) -> Finding:
    """No problem."""
    return Finding(Result.OK, words)


def warning(words: str, remedy: str) -> Finding:
    """It works, but a person should know."""
    return Finding(Result.WARNING, words, remedy)


def failed(words: str, remedy: str) -> Finding:
    """The operator cannot work like this."""
    return Finding(Result.FAILED, words, remedy)


def not_checked(words: str, remedy: str = "") -> Finding:
    """It could not be checked."""
    return Finding(Result.NOT_CHECKED, words, remedy)


@dataclass(frozen=True, slots=True)
class Check(Generic[S]):
    """One check. `needs` are names of earlier checks: if one of them is not good, this check does not run.

    An exception of `run` becomes a finding. `lasts` limits its duration.
    """

    name: str
    run: Callable[[S], Awaitable[Finding]]
    needs: tuple[str, ...] = ()
    lasts: timedelta = field(default=timedelta(seconds=30))


@dataclass(frozen=True, slots=True)
class Line:
    """The finding of a check. `about` is "" for the cluster, else the account's name."""

    about: str
    check: str
    finding: Finding
    took: timedelta

    @property
    def title(self) -> str:
        """Its name in a table."""
        return f"{self.about}: {self.check}" if self.about else self.check


@dataclass(slots=True)
class ClusterContext:
    """The cluster. `service_account` (namespace, name): whose permissions are checked; None: the caller's.

    `caller`: our user name. `offers_selectable_fields`: whether the API server supports selectableFields.
    `accounts`: all readable accounts; `broken`: the problems of the others by name.
    """

    session: Session
    service_account: tuple[str, str] | None
    caller: str = ""
    offers_selectable_fields: bool = True
    accounts: list[Account] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class AccountContext:
    """One account. `probe`: the answer of the endpoint. `resource_pools`: those of its workspace."""

    session: Session
    account: Account
    probe: Probe | None = None
    resource_pools: Mapping[str, CloudResourcePool] | None = None
    refusal: str = ""
    refusal_code: str | None = None


_PAGE = "docs/operations/troubleshooting.md"

_BY_CLASS: dict[type[Exception], str] = {
    errors.ClusterUnavailable: "kubectl cluster-info; for a 403: kubectl auth can-i --list; in the operator's Pod, "
    "check that its NetworkPolicy allows the API server's port (chart: networkPolicy.apiServerPorts)",
    errors.ClusterError: "kubectl cluster-info",
    errors.CredentialsRejected: "put a valid key into the account's Secret before you retry: six failures in a row "
    "lock a key for five minutes",
    errors.EndpointUnknown: "set --endpoint REGION=URL here and on the operator (Helm: operator.endpoints), or, if "
    "the region is wrong, create another account: spec.region is immutable",
    errors.ClockSkew: "set this machine's clock: chronyc tracking, or timedatectl",
    errors.PermissionDenied: "give the IAM user or agency modelarts:pool:list, get, update and delete",
    errors.Throttled: "wait a minute, then retry",
    errors.WrongEndpoint: "check that the account's region, --endpoint and HTTPS_PROXY lead to the ModelArts API",
    errors.MalformedAnswer: "check that --endpoint and HTTPS_PROXY lead to the ModelArts API",
    errors.CloudUnavailable: "ModelArts or the network has a problem: check HTTPS_PROXY, and retry in a minute",
    errors.CloudError: f"see {_PAGE}",
    errors.InvalidName: f"correct the name in the ModelArtsAccount: {remedies.edit_account(remedies.ANY_NAME)}",
    errors.OperatorError: f"see {_PAGE}",
}


def remedy_for(error: errors.OperatorError) -> str:
    """The next step, by the nearest class of the tree in errors.py."""
    return next(_BY_CLASS[kind] for kind in type(error).__mro__ if kind in _BY_CLASS)
