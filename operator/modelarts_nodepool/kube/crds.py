"""Checks whether the API server serves our two kinds.

The supervisor in watch/ calls it before kopf starts; commands/doctor/ calls parts. The check needs both the CRD and
discovery: while a CRD terminates, discovery omits the verb patch, and a watcher that starts then sees nothing. The API
server still serves such a CRD: its objects can be listed and patched until the last one is gone.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any

from modelarts_nodepool.api.names import ACCOUNT_PLURAL, API_VERSION, GROUP, NODE_POOL_PLURAL
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import ClusterError, ObjectGone
from modelarts_nodepool.kube import paths
from modelarts_nodepool.ports import Cluster

_PLURALS = (NODE_POOL_PLURAL, ACCOUNT_PLURAL)
INSTALL = remedies.apply_definitions()


@dataclass(frozen=True, slots=True)
class Missing:
    """What the operator still waits for, one sentence each with what to do. False if nothing is missing.

    `is_answered`: whether the API server answered all requests. `terminating`: one sentence for each CRD that is being
    deleted; its objects are listed, not watched, and nothing else is missing then. `absent`: the paths of kinds
    without a CRD, and so without objects.
    """

    messages: tuple[str, ...] = ()
    is_answered: bool = True
    terminating: tuple[str, ...] = ()
    absent: frozenset[str] = field(default=frozenset())

    def __bool__(self) -> bool:
        return bool(self.messages)


class _State(Enum):
    SERVED = auto()
    ABSENT = auto()
    TERMINATING = auto()
    NOT_ESTABLISHED = auto()


async def find_missing(cluster: Cluster) -> Missing:
    """What is missing; False if both kinds are served."""
    try:
        states = {plural: await _state_of(cluster, plural) for plural in _PLURALS}
        found = set(states.values())
        if _State.TERMINATING in found and _State.NOT_ESTABLISHED not in found:
            # The CRD waits for its objects, and they wait for the operator, even if the other kind has no CRD.
            absent = frozenset(f"{paths.API}/{plural}" for plural in _PLURALS if states[plural] is _State.ABSENT)
            return Missing(terminating=_messages_for(states, _State.TERMINATING), absent=absent)
        missing = tuple(
            message for state in _State for message in _messages_for(states, state) if state is not _State.SERVED
        )
        return Missing(missing or tuple(await _undiscovered(cluster)))
    except ClusterError as error:
        return Missing((f"The CRDs, or what the API server serves, cannot be read. {error}",), is_answered=False)


async def _state_of(cluster: Cluster, plural: str) -> _State:
    try:
        definition = await cluster.get(f"{paths.DEFINITIONS}/{plural}.{GROUP}")
    except ObjectGone:
        return _State.ABSENT
    if definition["metadata"].get("deletionTimestamp"):
        return _State.TERMINATING
    return _State.SERVED if is_established(definition) else _State.NOT_ESTABLISHED


def _messages_for(states: Mapping[str, _State], wanted: _State) -> tuple[str, ...]:
    return tuple(_message(plural, wanted) for plural in _PLURALS if states[plural] is wanted)


def _message(plural: str, state: _State) -> str:
    name = f"{plural}.{GROUP}"
    if state is _State.ABSENT:
        return f"The CRD {name} is not installed: {INSTALL}"
    if state is _State.NOT_ESTABLISHED:
        return f"The CRD {name} is not established: {remedies.describe_definition(name)}"
    objects = remedies.list_all() if plural == NODE_POOL_PLURAL else remedies.list_accounts()
    return (
        f"The CRD {name} is being deleted. The operator serves its objects until the last one is gone; then the CRD "
        f"is gone, too. This cannot be undone. See the objects: {objects}"
    )


def is_established(definition: Mapping[str, Any]) -> bool:
    """Whether the API server has accepted the CRD and serves its kind."""
    conditions = (definition.get("status") or {}).get("conditions") or ()
    return any(condition.get("type") == "Established" and condition.get("status") == "True" for condition in conditions)


async def _undiscovered(cluster: Cluster) -> list[str]:
    try:
        served = await cluster.get(paths.API)
    except ObjectGone:
        return [f"The API server does not serve {API_VERSION} yet: kubectl get --raw {paths.API}"]
    verbs = {resource["name"]: resource.get("verbs") or () for resource in served.get("resources") or ()}
    return [
        f"The API server does not serve the verb patch of {name} yet: kubectl api-resources --api-group={GROUP} -o wide"
        for plural in _PLURALS
        for name in (plural, f"{plural}/status")
        if "patch" not in verbs.get(name, ())
    ]
