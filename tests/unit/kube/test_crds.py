"""Whether both kinds are served, and what is said when they are not."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import pytest

from modelarts_nodepool.errors import ClusterError, ClusterUnavailable, ObjectGone
from modelarts_nodepool.kube import paths
from modelarts_nodepool.kube.crds import Missing, find_missing

T = TypeVar("T")

TERMINATING = {"deletionTimestamp": "2026-01-01T00:00:00Z"}
ESTABLISHED = {"type": "Established", "status": "True"}
VERBS = ["get", "list", "patch", "watch"]
NODE_POOLS = "modelartsnodepools.modelarts.huaweicloud.com"
ACCOUNTS = "modelartsaccounts.modelarts.huaweicloud.com"


def a_definition(*conditions: Mapping[str, str], **metadata: str) -> dict[str, Any]:
    return {"metadata": metadata, "status": {"conditions": list(conditions)}}


def discovery(verbs: Sequence[str] = VERBS) -> dict[str, Any]:
    kinds = ("modelartsnodepools", "modelartsaccounts")
    names = [name for kind in kinds for name in (kind, f"{kind}/status")]
    return {"resources": [{"name": name, "verbs": list(verbs)} for name in names]}


class ReadOnlyCluster:
    """Answers reads from a table."""

    def __init__(self, **answers: object) -> None:
        self.answers: dict[str, Any] = {
            paths.NODE_POOL_DEFINITION: answers.get("node_pools", a_definition(ESTABLISHED)),
            paths.ACCOUNT_DEFINITION: answers.get("accounts", a_definition(ESTABLISHED)),
            paths.API: answers.get("api", discovery()),
        }

    async def get(self, path: str) -> Mapping[str, Any]:
        answer: Mapping[str, Any] | ClusterError = self.answers[path]
        if isinstance(answer, ClusterError):
            raise answer
        return answer

    async def get_metadata(self, path: str) -> Mapping[str, Any]:
        raise NotImplementedError

    async def list_as(self, path: str, convert: Callable[[Mapping[str, Any]], T]) -> list[T]:
        raise NotImplementedError(path, convert)

    async def json_patch(self, path: str, patch: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        raise NotImplementedError(path, patch)

    async def create(self, path: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        raise NotImplementedError(path, body)


async def test_nothing_is_missing_when_both_kinds_are_served() -> None:
    assert await find_missing(ReadOnlyCluster()) == Missing()


@pytest.mark.parametrize(
    ("cluster", "said"),
    [
        pytest.param(
            ReadOnlyCluster(node_pools=ObjectGone("no")),
            f"The CRD {NODE_POOLS} is not installed: kubectl apply --server-side --force-conflicts -f crds/",
            id="not installed",
        ),
        pytest.param(
            ReadOnlyCluster(node_pools=a_definition({"type": "Established", "status": "False"})),
            f"The CRD {NODE_POOLS} is not established: kubectl describe crd {NODE_POOLS}",
            id="not established",
        ),
        pytest.param(
            ReadOnlyCluster(accounts={"metadata": {}}),
            "The CRD modelartsaccounts.modelarts.huaweicloud.com is not established",
            id="fresh, without a status",
        ),
        pytest.param(
            ReadOnlyCluster(accounts=ClusterUnavailable("403: forbidden")),
            "cannot be read. 403: forbidden",
            id="no permission to read",
        ),
        pytest.param(ReadOnlyCluster(api=ObjectGone("no")), "does not serve", id="not discovered"),
        pytest.param(ReadOnlyCluster(api=ClusterUnavailable("503")), "cannot be read. 503", id="no discovery"),
        pytest.param(
            ReadOnlyCluster(api=discovery(["get", "delete"])),
            "does not serve the verb patch of modelartsnodepools yet",
            id="discovered without patch",
        ),
        pytest.param(ReadOnlyCluster(api={"resources": None}), "verb patch of modelartsnodepools yet", id="empty"),
    ],
)
async def test_what_is_missing_is_said_with_the_next_step(cluster: ReadOnlyCluster, said: str) -> None:
    missing = await find_missing(cluster)
    assert said in missing.messages[0]
    assert missing


@pytest.mark.parametrize(
    ("cluster", "is_answered"),
    [
        (ReadOnlyCluster(node_pools=ObjectGone("no")), True),
        (ReadOnlyCluster(accounts=ClusterUnavailable("no answer")), False),
        (ReadOnlyCluster(api=ClusterUnavailable("no answer")), False),
    ],
    ids=["not installed", "no CRD", "no discovery"],
)
async def test_what_is_missing_tells_whether_the_api_server_was_asked(
    cluster: ReadOnlyCluster, *, is_answered: bool
) -> None:
    assert (await find_missing(cluster)).is_answered is is_answered


@pytest.mark.parametrize(
    ("answers", "named", "absent"),
    [
        ({"node_pools": a_definition(ESTABLISHED, **TERMINATING)}, [NODE_POOLS], set()),
        ({"accounts": a_definition(ESTABLISHED, **TERMINATING)}, [ACCOUNTS], set()),
        (
            dict.fromkeys(("node_pools", "accounts"), a_definition(ESTABLISHED, **TERMINATING)),
            [NODE_POOLS, ACCOUNTS],
            set(),
        ),
        (
            {"node_pools": a_definition(ESTABLISHED, **TERMINATING), "accounts": ObjectGone("no")},
            [NODE_POOLS],
            {paths.ACCOUNTS},
        ),
        (
            {"node_pools": ObjectGone("no"), "accounts": a_definition(ESTABLISHED, **TERMINATING)},
            [ACCOUNTS],
            {paths.NODE_POOLS},
        ),
    ],
    ids=["node pools", "accounts", "both", "no accounts any more", "no node pools any more"],
)
async def test_a_crd_that_is_being_deleted_keeps_nobody_from_starting(
    answers: Mapping[str, object], named: Sequence[str], absent: set[str]
) -> None:
    """Discovery leaves out the verb patch then, and the other kind may be gone."""
    missing = await find_missing(ReadOnlyCluster(**answers, api=discovery(["get", "list", "watch"])))
    assert not missing
    assert missing.absent == absent
    assert len(missing.terminating) == len(named)
    for words, name in zip(missing.terminating, named, strict=True):
        assert f"The CRD {name} is being deleted" in words
        assert ("kubectl get manp -A -o wide" if name == NODE_POOLS else "kubectl get maacct") in words
        assert "apply" not in words, "that keeps no CRD"


async def test_a_crd_that_is_not_established_is_waited_for_whatever_the_other_does() -> None:
    cluster = ReadOnlyCluster(node_pools=a_definition(ESTABLISHED, **TERMINATING), accounts={"metadata": {}})
    missing = await find_missing(cluster)
    assert missing.messages[-1] == f"The CRD {ACCOUNTS} is not established: kubectl describe crd {ACCOUNTS}"
    assert not missing.terminating
