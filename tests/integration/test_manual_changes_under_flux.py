"""What a person sets with a printed command, on an object that Flux applies from Git again and again.

Flux takes back what managers named `kubectl…` set: without a field manager of its own a command that keeps a node pool
is undone at the next sync, and the prune that follows deletes the node pool.
"""

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from lab.controlplane import ControlPlane
from modelarts_nodepool.api.names import (
    CONFIRM_ANNOTATION,
    OVERRIDE_ANNOTATION,
    PAUSED_ANNOTATION,
    RECONCILE_ANNOTATION,
)
from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide import remedies
from tests.support.api import Api, Object, node_pools_in
from tests.support.crds import Cluster
from tests.support.flux import Flux

Changes = Callable[[NodePool], str]


@dataclass
class InGit:
    """One object under Flux; `spec` and `annotations` are what Git says."""

    cluster: Cluster
    flux: Flux
    spec: dict[str, Any] = field(default_factory=lambda: {"poolName": "pool-a"})
    annotations: dict[str, str] = field(default_factory=dict)

    def sync(self) -> Object:
        manifest = json.loads(self.cluster.node_pool(self.spec, annotations=self.annotations))
        return self.flux.sync(manifest)

    def by_hand(self, command: str) -> None:
        """Paste it into a shell."""
        kubectl = self.cluster.plane.kubectl
        environment = kubectl.environment()
        path = f"{kubectl.binary.parent}{os.pathsep}{environment['PATH']}"
        subprocess.run(["bash", "-euo", "pipefail", "-c", command], env=environment | {"PATH": path}, check=True)  # noqa: S603, S607 - ours

    def now(self) -> NodePool:
        return NodePool.from_body(self.cluster.get("manp", "training-a"))


@pytest.fixture(scope="module")
def api(crds: ControlPlane) -> Iterator[Api]:
    with Api(crds) as api:
        yield api


@pytest.fixture
def in_git(cluster: Cluster, api: Api) -> InGit:
    found = InGit(cluster, Flux(api, f"{node_pools_in(cluster.namespace)}/training-a"))
    found.sync()
    return found


def policy_of(node_pool: NodePool) -> object:
    return node_pool.spec.deletion_policy


def annotation(name: str) -> Callable[[NodePool], object]:
    return lambda node_pool: node_pool.metadata.annotations.get(name)


def override(node_pool: NodePool) -> str:
    return remedies.override(node_pool, Reason.LAST_NODE_POOL)


PRINTED = [
    pytest.param(remedies.retain, policy_of, id="retain"),
    pytest.param(remedies.confirm, annotation(CONFIRM_ANNOTATION), id="confirm"),
    pytest.param(override, annotation(OVERRIDE_ANNOTATION), id="override"),
    pytest.param(remedies.reconcile_now, annotation(RECONCILE_ANNOTATION), id="look again"),
]


@pytest.mark.parametrize(("command", "read"), PRINTED)
def test_what_a_printed_command_sets_outlives_every_sync(
    in_git: InGit, command: Changes, read: Callable[[NodePool], object]
) -> None:
    before = read(in_git.now())
    in_git.by_hand(command(in_git.now()))
    set_by_hand = read(in_git.now())
    assert set_by_hand != before
    for _ in range(3):
        in_git.sync()
        assert read(in_git.now()) == set_by_hand


@pytest.mark.parametrize(("command", "read"), PRINTED)
def test_the_same_with_kubectl_s_own_manager_is_taken_back(
    in_git: InGit, command: Changes, read: Callable[[NodePool], object]
) -> None:
    before = read(in_git.now())
    in_git.by_hand(command(in_git.now()).replace(" --field-manager=on-call", ""))
    assert read(in_git.now()) != before
    in_git.sync()
    assert read(in_git.now()) == before


def test_a_pause_by_hand_outlives_syncs_and_the_printed_command_ends_it(in_git: InGit) -> None:
    in_git.by_hand(remedies.unpause(in_git.now()).replace("paused-", "paused=true"))
    in_git.sync()
    assert in_git.now().is_paused
    in_git.by_hand(remedies.unpause(in_git.now()))
    in_git.sync()
    assert not in_git.now().is_paused


def test_what_kubectl_s_own_manager_set_is_not_kept_by_repeating_it_under_another_name(in_git: InGit) -> None:
    """Nothing changes the second time, so the second manager owns nothing: the page about deleting says so."""
    command = remedies.retain(in_git.now())
    in_git.by_hand(command.replace(" --field-manager=on-call", ""))
    in_git.by_hand(command)
    in_git.sync()
    assert in_git.now().spec.deletion_policy == "Delete"
    in_git.by_hand(command)
    in_git.sync()
    assert in_git.now().spec.deletion_policy == "Retain"


@pytest.mark.parametrize("setting", ["policy", "pause"])
def test_where_git_itself_says_otherwise_git_wins(in_git: InGit, setting: str) -> None:
    in_git.spec["deletionPolicy"] = "Delete"
    in_git.annotations[PAUSED_ANNOTATION] = "true"
    in_git.sync()
    in_git.by_hand(remedies.retain(in_git.now()) if setting == "policy" else remedies.unpause(in_git.now()))
    by_hand = in_git.now()
    assert by_hand.spec.deletion_policy == ("Retain" if setting == "policy" else "Delete")
    assert by_hand.is_paused is (setting == "policy")
    in_git.sync()
    assert in_git.now().spec.deletion_policy == "Delete"
    assert in_git.now().is_paused
