"""Whether the API server serves our two kinds fully; what is missing, in words.

Asked by the supervisor in engine/ before kopf starts, in part by doctor/. While a CRD terminates, discovery leaves out
the verb patch: a watcher started then would stay blind, so both the CRD and discovery have to agree.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from modelarts_nodepool.decide import commands
from modelarts_nodepool.errors import ClusterError, ObjectGone
from modelarts_nodepool.kube import paths
from modelarts_nodepool.ports import Cluster
from modelarts_nodepool.resource.names import ACCOUNT_PLURAL, API_VERSION, GROUP, NODE_POOL_PLURAL

_PLURALS = (NODE_POOL_PLURAL, ACCOUNT_PLURAL)
INSTALL = commands.apply_definitions()


@dataclass(frozen=True, slots=True)
class Missing:
    """What keeps us from starting, a sentence each with what to do. False where that is nothing.

    `is_answered`: whether the API server said so itself; False where it, or some of it, could not be asked.
    """

    words: tuple[str, ...] = ()
    is_answered: bool = True

    def __bool__(self) -> bool:
        return bool(self.words)


async def find_missing(cluster: Cluster) -> Missing:
    """What is missing; nothing when both kinds are served."""
    try:
        missing = [problem for plural in _PLURALS if (problem := await _problem_of(cluster, plural))]
        return Missing(tuple(missing or await _undiscovered(cluster)))
    except ClusterError as error:
        return Missing((f"The CRDs, or what the API server serves, cannot be read. {error}",), is_answered=False)


async def _problem_of(cluster: Cluster, plural: str) -> str | None:
    name = f"{plural}.{GROUP}"
    try:
        definition = await cluster.get(f"{paths.DEFINITIONS}/{name}")
    except ObjectGone:
        return f"The CRD {name} is not installed: {INSTALL}"
    if definition["metadata"].get("deletionTimestamp"):
        return f"The CRD {name} is being deleted: see {commands.show_definition(name)}, then {INSTALL}"
    if not is_established(definition):
        return f"The CRD {name} is not established: {commands.describe_definition(name)}"
    return None


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
        f"The API server does not let anybody patch {name} yet: kubectl api-resources --api-group={GROUP} -o wide"
        for plural in _PLURALS
        for name in (plural, f"{plural}/status")
        if "patch" not in verbs.get(name, ())
    ]
