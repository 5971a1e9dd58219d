"""What rotates on disk, and what a running process does not follow: the kubeconfig itself."""

import shutil
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest

from modelarts_nodepool.errors import ClusterUnavailable
from modelarts_nodepool.kube.client import KubeCluster
from modelarts_nodepool.kube.connection import Connection
from modelarts_nodepool.kube.kubeconfig import load_client_config
from tests.integration.kubeconfig.conftest import Bench
from tests.integration.kubeconfig.rows import a_kubeconfig
from tests.integration.kubeconfig.rows_of_users import exec_of

Use = Callable[[Mapping[str, str]], None]
PAIR = {"client-certificate": "my.crt", "client-key": "my.key"}


def become(bench: Bench, name: str) -> None:
    """The files that the kubeconfig names are this person's from now on."""
    for suffix in (".crt", ".key"):
        shutil.copy(bench.recorder.authority.folder / f"{name}{suffix}", bench.folder / f"my{suffix}")


async def test_a_certificate_that_was_replaced_is_shown_after_a_401_on_a_new_connection(
    bench: Bench, use_environment: Use
) -> None:
    bench.write("k", a_kubeconfig(user=PAIR))
    become(bench, "alice")
    use_environment({"KUBECONFIG": "k"})
    async with await Connection.open(version="0") as connection:
        cluster = KubeCluster(connection)
        await cluster.get("/version")
        become(bench, "bob")
        bench.recorder.refuses = lambda seen: seen.certificate == "alice"
        await cluster.get("/version")
    assert [seen.certificate for seen in bench.recorder.seen] == ["alice", "alice", "bob"]


async def test_a_plugins_new_certificate_is_shown_after_a_401(bench: Bench, use_environment: Use) -> None:
    script = """\
#!/bin/sh
name=alice; [ -e $DIR/next ] && name=bob
cert=$(awk '{printf "%s\\\\n", $0}' $CA/$name.crt); key=$(awk '{printf "%s\\\\n", $0}' $CA/$name.key)
cat <<END
{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1",
 "status":{"clientCertificateData":"$cert","clientKeyData":"$key"}}
END
"""
    bench.write("plugin", script)
    bench.write("k", a_kubeconfig(user={"exec": exec_of()}))
    use_environment({"KUBECONFIG": "k"})
    async with await Connection.open(version="0") as connection:
        cluster = KubeCluster(connection)
        await cluster.get("/version")
        bench.write("next", "")
        bench.recorder.refuses = lambda seen: seen.certificate == "alice"
        await cluster.get("/version")
    assert [seen.certificate for seen in bench.recorder.seen] == ["alice", "alice", "bob"]


async def test_an_authority_that_was_replaced_is_believed_from_the_next_reading_on(
    bench: Bench, use_environment: Use
) -> None:
    ca = bench.recorder.authority.folder
    shutil.copy(ca / "itself.crt", bench.folder / "authority")
    bench.write("k", a_kubeconfig(certificate_authority="authority"))
    use_environment({"KUBECONFIG": "k"})
    async with Connection(load_client_config(), "0", refresh=timedelta()) as connection:
        cluster = KubeCluster(connection)
        with pytest.raises(ClusterUnavailable, match="Certificate"):
            await cluster.get("/version")
        shutil.copy(ca / "ca.crt", bench.folder / "authority")
        await cluster.get("/version")
    assert [seen.server for seen in bench.recorder.seen] == ["a"]


async def test_connections_of_one_process_stay_with_their_api_server(bench: Bench, use_environment: Use) -> None:
    bench.write("k", a_kubeconfig())
    use_environment({"KUBECONFIG": "k"})
    access = load_client_config()
    bench.write("k", a_kubeconfig("$B", {"token": "t-other"}))
    # As the watch does when it starts again.
    for _ in range(2):
        async with await Connection.to(access, version="0") as connection:
            await KubeCluster(connection).get("/version")
    assert [(seen.server, seen.authorization) for seen in bench.recorder.seen] == [("a", "Bearer t-one")] * 2
