"""Paths of the API server."""

import pytest

from modelarts_nodepool.kube import paths

API = "/apis/modelarts.huaweicloud.com/v1alpha1"


def test_objects_of_both_kinds_have_their_paths() -> None:
    assert paths.node_pools_in("ml") == f"{API}/namespaces/ml/modelartsnodepools"
    assert paths.node_pool("ml", "a") == f"{API}/namespaces/ml/modelartsnodepools/a"
    assert paths.account("default") == f"{API}/modelartsaccounts/default"


def test_other_kinds_have_their_paths() -> None:
    assert paths.namespace("ml") == "/api/v1/namespaces/ml"
    assert paths.events("ml") == "/api/v1/namespaces/ml/events"
    assert paths.secret("op", "keys") == "/api/v1/namespaces/op/secrets/keys"
    assert paths.lease("op", "x") == "/apis/coordination.k8s.io/v1/namespaces/op/leases/x"
    assert paths.NODE_POOL_DEFINITION.endswith("/modelartsnodepools.modelarts.huaweicloud.com")
    assert paths.ACCOUNT_DEFINITION.endswith("/modelartsaccounts.modelarts.huaweicloud.com")


def test_only_labelled_secrets_are_listed() -> None:
    selector = "labelSelector=modelarts.huaweicloud.com%2Fcredentials%3Dtrue"
    assert paths.secrets("op") == f"/api/v1/namespaces/op/secrets?{selector}"


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_a_name_that_would_move_the_path_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="cannot be the name"):
        paths.secret("op", name)


def test_a_slash_in_a_name_stays_in_its_segment() -> None:
    assert paths.secret("op", "a/../b").endswith("/secrets/a%2F..%2Fb")
