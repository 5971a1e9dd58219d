"""The official Python client on our kinds: what programs of other people see of them."""

from typing import Any

from modelarts_nodepool.api.names import API_VERSION, GROUP, NODE_POOL_PLURAL, VERSION
from tests.support.crds import NODE_POOL_SPEC, Cluster


def test_the_official_client_creates_changes_and_deletes_an_object(cluster: Cluster) -> None:
    # Its generated modules take a while: not in every worker of a test run.
    from kubernetes import client, config  # noqa: PLC0415

    body = {"apiVersion": API_VERSION, "kind": "ModelArtsNodePool", "metadata": {"name": "a"}, "spec": NODE_POOL_SPEC}
    with config.new_client_from_config(str(cluster.plane.kubeconfig)) as api:  # type: ignore[no-untyped-call]
        objects: Any = client.CustomObjectsApi(api)
        where = (GROUP, VERSION, cluster.namespace, NODE_POOL_PLURAL)
        created = objects.create_namespaced_custom_object(*where, body)
        assert created["spec"]["deletionPolicy"] == "Delete"
        patched = objects.patch_namespaced_custom_object(*where, "a", {"spec": {"deletionPolicy": "Retain"}})
        assert patched["spec"]["deletionPolicy"] == "Retain"
        objects.delete_namespaced_custom_object(*where, "a")
        assert objects.list_namespaced_custom_object(*where)["items"] == []
