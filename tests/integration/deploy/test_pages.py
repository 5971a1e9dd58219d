"""The docs as a person follows them: from an empty cluster to a deleted node pool, then page by page.

Commands run as they stand there, on a real control plane with a false cloud. There is no kubelet, so the operator is
started by hand, as the ServiceAccount that the docs have just installed. What is not run, and why, stands in
tests/data/docs_commands.yaml.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from lab.controlplane import ControlPlane
from tests.support.api import Api
from tests.support.cloud import Cloud
from tests.support.liveness import eventually
from tests.support.operator import NAME, NAMESPACE, OperatorProcess, at_work
from tests.support.pages import Command, Run, commands_to_run
from tests.support.reader import Reader
from tests.support.situations import SITUATIONS, Situation

pytestmark = pytest.mark.long

INSTALL, DELETE = "docs/install.md", "docs/operations/deletion.md"
HAND_OVER = ("helm uninstall", "helm upgrade --install node-pools", "kubectl apply --server-side --force-conflicts")


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with Cloud.running(tmp_path_factory.mktemp("cloud")) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def api(plane: ControlPlane) -> Iterator[Api]:
    with Api(plane) as api:
        yield api


@pytest.fixture(scope="module")
def situation(api: Api, cloud: Cloud) -> Situation:
    return Situation(api, cloud)


@pytest.fixture(scope="module")
def reader(
    plane: ControlPlane, situation: Situation, helm_binary: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Reader]:
    """Has followed the page about installing to its end."""
    reader = Reader(plane, situation.cloud, helm_binary, tmp_path_factory.mktemp("reader"))
    SITUATIONS[INSTALL](situation)
    at_work_already: OperatorProcess | None = None
    with ExitStack() as stack:
        for command, run in sorted(commands_to_run(INSTALL), key=turn):
            reader.run(command, run)
            # The page says it twice: as the first installation, and as the one that takes over.
            if "overlays/production" in command.text and not at_work_already:
                at_work_already = stack.enter_context(at_work(installed_operator(reader)))
        yield reader


def turn(planned: tuple[Command, Run]) -> int:
    """First Helm, then what the page says of handing over, then Kustomize and everything else."""
    text = planned[0].text
    return 1 if text.startswith(HAND_OVER) else 0 if text.startswith("helm upgrade") else 2


def installed_operator(reader: Reader) -> OperatorProcess:
    """What its Pod would run."""
    kubeconfig = reader.plane.service_account_kubeconfig_blocking(NAMESPACE, NAME)
    endpoint = f"{reader.cloud.region}={reader.cloud.endpoint}"
    return OperatorProcess(kubeconfig, endpoint, reader.folder / "operator.log", "--leader-election")


def test_a_person_goes_from_nothing_to_a_deleted_node_pool(reader: Reader, situation: Situation) -> None:
    """The object of the samples, made by the page about installing, is deleted by the page about deleting."""
    SITUATIONS[DELETE](situation)
    for command, run in commands_to_run(DELETE):
        reader.run(command, run)
    assert eventually(lambda: situation.paths() == []), situation.paths()
    assert set(situation.cloud.state_of("pool-3f2c")) == {"training-b"}
    # The other one was held, and let go with its node pool kept, as the page says.
    assert set(situation.cloud.state_of("pool-y")) == {"yearly-d"}
    assert [request["nodePool"] for request in situation.cloud.deletes()] == ["training-a"]


@pytest.mark.parametrize("page", sorted(SITUATIONS.keys() - {INSTALL, DELETE}))
def test_every_command_does_what_the_page_says(reader: Reader, situation: Situation, page: str) -> None:
    situation.clear()
    SITUATIONS[page](situation)
    for command, run in commands_to_run(page):
        reader.run(command, run)
