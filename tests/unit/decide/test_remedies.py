"""The commands that messages end with can be pasted as they are."""

import inspect
import json
import shlex
from dataclasses import replace

import pytest

from modelarts_nodepool.api.names import OVERRIDE_ANNOTATION
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.logs import clean
from tests.support.builders import a_node_pool

NODE_POOL = a_node_pool().standing_for("in-the-cloud").using("prod")
TARGET = ["-n", "ml", "manp", "training-a"]
GROUP = "modelarts.huaweicloud.com"


def test_each_command_is_what_a_shell_reads() -> None:
    built = NODE_POOL.build()
    assert shlex.split(remedies.unpause(built)) == [
        "kubectl", "annotate", *TARGET, f"{GROUP}/paused-", "--field-manager=on-call",
    ]  # fmt: skip
    assert shlex.split(remedies.confirm(built)) == [
        "kubectl", "annotate", *TARGET, f"{GROUP}/confirm-delete=in-the-cloud", "--overwrite",
        "--field-manager=on-call",
    ]  # fmt: skip
    assert shlex.split(remedies.reconcile_now(built))[6] == f"{GROUP}/reconcile-at=$(date +%s)"
    assert shlex.split(remedies.describe(built)) == ["kubectl", "describe", *TARGET]
    assert shlex.split(remedies.delete(built)) == ["kubectl", "delete", *TARGET]
    assert shlex.split(remedies.describe_account("prod")) == ["kubectl", "describe", "maacct", "prod"]
    assert shlex.split(remedies.edit_account("prod")) == [
        "kubectl", "edit", "maacct", "prod", "--field-manager=on-call",
    ]  # fmt: skip
    retain = shlex.split(remedies.retain(built))
    assert retain[:7] == ["kubectl", "patch", *TARGET, "--type=merge"]
    assert json.loads(retain[8]) == {"spec": {"deletionPolicy": "Retain"}}
    assert retain[9:] == ["--field-manager=on-call"]


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("LastNodePool@uid-of-training-a", {Reason.LAST_NODE_POOL}),
        ("LastNodePool, BillingUnknown@uid-of-training-a", {Reason.LAST_NODE_POOL, Reason.BILLING_UNKNOWN}),
        ("LastNodePool", set()),
        ("LastNodePool@", set()),
        ("LastNodePool@another", set()),
        ("LastNodePool@uid-of-training-a@x", set()),
        ("YearlyMonthlyBilling,Paused,*@uid-of-training-a", set()),
        ("", set()),
        ("@uid-of-training-a", set()),
    ],
)
def test_an_override_lifts_what_may_be_lifted_and_only_of_its_own_object(text: str, given: set[Reason]) -> None:
    assert a_node_pool().annotated(OVERRIDE_ANNOTATION, text).build().overrides == given


def test_an_override_keeps_those_given_already() -> None:
    node_pool = NODE_POOL.overriding(Reason.LAST_NODE_POOL).build()
    command = shlex.split(remedies.override(node_pool, Reason.BILLING_UNKNOWN))
    assert command[6] == f"{GROUP}/override=BillingUnknown,LastNodePool@uid-of-training-a"
    once_more = a_node_pool().annotated(*command[6].split("=", 1)).build()
    assert once_more.overrides == {Reason.BILLING_UNKNOWN, Reason.LAST_NODE_POOL}


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        (remedies.list_accounts(), "kubectl get maacct"),
        (remedies.list_namespaces(), "kubectl get namespaces"),
        (remedies.create_sample_account(), "kubectl apply -f deploy/samples/account.yaml"),
        (remedies.describe_definition("a.b"), "kubectl describe crd a.b"),
        (remedies.apply_permissions(), "kubectl apply --server-side --force-conflicts -k deploy/kustomize/base"),
    ],
)
def test_a_command_about_no_object_of_ours_is_fixed(command: str, expected: str) -> None:
    assert command == expected


HOSTILE = "a'; touch /tmp/pwned; '$(id)`id` b"


def test_no_name_ever_becomes_more_than_one_word_of_the_shell() -> None:
    """Names come from clusters, accounts and clouds of other people; the API server lets none of these through."""
    hostile = a_node_pool(HOSTILE, HOSTILE).build()
    evil = replace(hostile, metadata=replace(hostile.metadata, uid=HOSTILE))
    evil = replace(evil, spec=evil.spec.model_copy(update={"node_pool_name": HOSTILE}))
    for command in (
        remedies.retain(evil),
        remedies.confirm(evil),
        remedies.override(evil, Reason.LAST_NODE_POOL),
        remedies.unpause(evil),
        remedies.show(evil),
        remedies.describe(evil),
        remedies.edit(evil),
        remedies.delete(evil),
        remedies.list_of_account(HOSTILE),
        remedies.describe_account(HOSTILE),
        remedies.edit_account(HOSTILE),
        remedies.delete_account(HOSTILE),
        remedies.create_secret(HOSTILE, HOSTILE),
        remedies.label_secret(HOSTILE, HOSTILE),
        remedies.describe_secret(HOSTILE, HOSTILE),
        remedies.edit_secret(HOSTILE, HOSTILE),
        remedies.show_namespace(HOSTILE),
        remedies.create_namespace(HOSTILE),
        remedies.list_pods(HOSTILE),
        remedies.show_log(HOSTILE),
        remedies.run_in_pod(HOSTILE),
    ):
        named = [word for word in shlex.split(command) if HOSTILE in word]
        assert named, command
        assert not [word for word in named if word != HOSTILE and not word.endswith((f"={HOSTILE}", f"@{HOSTILE}"))]


@pytest.mark.parametrize(
    "name", ["nodePool-1", "modelarts.bm.npu.arm.8snt9b3.i6l.d.c004-default", "a_b", "0", "A.b-C_d"]
)
def test_the_cloud_s_own_names_need_no_quotes(name: str) -> None:
    node_pool = a_node_pool().build()
    named = replace(node_pool, spec=node_pool.spec.model_copy(update={"node_pool_name": name}))
    assert f"confirm-delete={name} --overwrite" in remedies.confirm(named)


def test_no_command_loses_a_word_where_secrets_are_masked() -> None:
    """Events, logs and commands mask what looks like a secret; `secretKey=FILE` in a command is none."""
    given = {"node_pool": NODE_POOL.build(), "metadata": NODE_POOL.build().metadata, "reason": Reason.LAST_NODE_POOL}
    functions = [
        function
        for name, function in inspect.getmembers(remedies, inspect.isfunction)
        if function.__module__ == remedies.__name__ and not name.startswith("_")
    ]
    assert remedies.create_secret in functions
    for function in functions:
        command = function(*(given.get(name, "prod") for name in inspect.signature(function).parameters))
        assert clean(command, len(command)) == command
