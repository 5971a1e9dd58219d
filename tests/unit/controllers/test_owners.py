"""How owners are looked up: by whatever version serves their kind, by uid, and never by guessing."""

from collections.abc import Mapping
from typing import Any

import pytest
from typing_extensions import override

from modelarts_nodepool.controllers.deletion.owners import Owners
from modelarts_nodepool.controllers.workqueue import SingleFlight
from modelarts_nodepool.decide.observed import OwnerState
from modelarts_nodepool.errors import ClusterUnavailable, ObjectGone
from tests.support.builders import NodePoolBuilder, a_node_pool
from tests.support.clocks import HandClock
from tests.support.clouds import SecretKeeper

Body = Mapping[str, Any]
V1, V2 = "/apis/example.com/v1", "/apis/example.com/v2"
CLAIM = f"{V1}/namespaces/ml/claims/claim-a"


class Served(SecretKeeper):
    """What is served, by path; an error is raised, anything else is a 404."""

    def __init__(self, answers: Mapping[str, Body | Exception]) -> None:
        self.answers, self.asked = answers, list[str]()

    @override
    async def get(self, path: str) -> Body:
        self.asked.append(path)
        answer = self.answers.get(path, ObjectGone("404", status=404))
        if isinstance(answer, Exception):
            raise answer
        return answer

    @override
    async def get_metadata(self, path: str) -> Body:
        return await self.get(path)


def resources(*, namespaced: bool = True) -> Body:
    subresource = {"name": "claims/status", "kind": "Claim", "namespaced": True}
    return {"resources": [subresource, {"name": "claims", "kind": "Claim", "namespaced": namespaced}]}


def claim(uid: str = "uid-of-claim-a", **more: str) -> Body:
    return {"metadata": {"uid": uid, **more}}


GROUP = {"versions": [{"groupVersion": "example.com/v2"}, {"groupVersion": "example.com/v1"}]}
OWNED = a_node_pool().finalized().being_deleted().owned_by()
FORBIDDEN, DOWN = ClusterUnavailable("no", status=403), ClusterUnavailable("no answer")


async def looked_up(answers: Mapping[str, Body | Exception], builder: NodePoolBuilder = OWNED) -> list[tuple[str, str]]:
    cluster, clock = Served(answers), HandClock()
    evidence = await Owners(cluster, SingleFlight(), clock).find(builder.build())
    assert evidence.begun == clock.monotonic()
    assert evidence.value is not None
    return [(found.state.name, found.why) for found in evidence.value]


@pytest.mark.parametrize(
    ("answers", "state", "why"),
    [
        pytest.param({V1: resources(), CLAIM: claim()}, "EXISTS", "", id="there"),
        pytest.param({V1: resources(), CLAIM: claim(deletionTimestamp="x")}, "DELETING", "", id="being deleted"),
        pytest.param({V1: resources()}, "GONE", "", id="404"),
        pytest.param({V1: resources(), CLAIM: claim("x")}, "GONE", "what has its name has another uid", id="uid"),
        pytest.param({}, "GONE", "nothing in this cluster serves its kind", id="no group"),
        pytest.param({V1: resources(), CLAIM: FORBIDDEN}, "UNKNOWN", "the operator may not read it", id="403"),
        pytest.param({V1: resources(), CLAIM: DOWN}, "UNKNOWN", "the API server did not answer", id="no answer"),
        pytest.param({V1: FORBIDDEN}, "UNKNOWN", "the operator may not read it", id="discovery 403"),
        pytest.param(
            {V1: ClusterUnavailable("down", status=503)}, "UNKNOWN", "the API server answered 503", id="discovery 503"
        ),
        pytest.param(
            {V1: resources(namespaced=False), f"{V1}/claims/claim-a": claim()}, "EXISTS", "", id="without a namespace"
        ),
        pytest.param(
            {"/apis/example.com": GROUP, V2: resources(), f"{V2}/namespaces/ml/claims/claim-a": claim()},
            "EXISTS",
            "",
            id="by a version that is served no more",
        ),
        pytest.param(
            {"/apis/example.com": GROUP, V1: {"resources": None}, V2: {}},
            "GONE",
            "nothing in this cluster serves its kind",
            id="another kind of the group",
        ),
    ],
)
async def test_an_owner_is_what_the_api_server_says_of_it(
    answers: Mapping[str, Body | Exception], state: str, why: str
) -> None:
    assert await looked_up(answers) == [(state, why)]


async def test_the_core_group_has_one_version_and_no_list_of_them() -> None:
    secret = a_node_pool().owned_by("Secret", "s", api_version="v1")
    served: Body = {"resources": [{"name": "secrets", "kind": "Secret", "namespaced": True}]}
    answers = {"/api/v1": served, "/api/v1/namespaces/ml/secrets/s": {"metadata": {"uid": "uid-of-s"}}}
    assert await looked_up(answers, secret) == [("EXISTS", "")]
    assert await looked_up({}, secret) == [("GONE", "nothing in this cluster serves its kind")]


@pytest.mark.parametrize("name", ["..", "."])
async def test_a_name_that_would_move_the_path_is_never_asked_for(name: str) -> None:
    ((state, _),) = await looked_up({V1: resources()}, a_node_pool().owned_by(name=name))
    assert state == OwnerState.UNKNOWN.name
    ((state, _),) = await looked_up({}, a_node_pool().owned_by(api_version="../v1"))
    assert state == OwnerState.UNKNOWN.name


async def test_a_few_owners_are_looked_up_and_discovery_is_asked_once() -> None:
    builder = a_node_pool()
    for number in range(7):
        builder = builder.owned_by(name=f"claim-{number}")
    cluster, clock = Served({V1: resources()}), HandClock()
    evidence = await Owners(cluster, SingleFlight(), clock).find(builder.build())
    assert evidence.value is not None
    assert [found.owner.name for found in evidence.value] == [f"claim-{number}" for number in range(5)]
    assert [path for path in cluster.asked if "claim" not in path] == [V1]
