"""The commands that messages end with can be pasted as they are."""

import json
import shlex

import pytest

from modelarts_nodepool.decide import commands
from modelarts_nodepool.resource.names import OVERRIDE_ANNOTATION
from modelarts_nodepool.resource.reasons import Reason
from tests.support.builders import a_node_pool

NODE_POOL = a_node_pool().standing_for("in-the-cloud").using("prod")
TARGET = ["-n", "ml", "manp", "training-a"]
GROUP = "modelarts.huaweicloud.com"


def test_each_command_is_what_a_shell_reads() -> None:
    built = NODE_POOL.build()
    assert shlex.split(commands.unpause(built)) == [
        "kubectl", "annotate", *TARGET, f"{GROUP}/paused-", "--field-manager=on-call",
    ]  # fmt: skip
    assert shlex.split(commands.confirm(built)) == [
        "kubectl", "annotate", *TARGET, f"{GROUP}/confirm-delete=in-the-cloud", "--overwrite",
        "--field-manager=on-call",
    ]  # fmt: skip
    assert shlex.split(commands.look_again(built))[6] == f"{GROUP}/reconcile-at=$(date +%s)"
    assert shlex.split(commands.describe(built)) == ["kubectl", "describe", *TARGET]
    assert shlex.split(commands.delete(built)) == ["kubectl", "delete", *TARGET]
    assert shlex.split(commands.describe_account(built)) == ["kubectl", "describe", "maacct", "prod"]
    assert shlex.split(commands.edit_account(built)) == ["kubectl", "edit", "maacct", "prod"]
    retain = shlex.split(commands.retain(built))
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
    assert commands.given_overrides(a_node_pool().annotated(OVERRIDE_ANNOTATION, text).build()) == given


def test_an_override_keeps_those_given_already() -> None:
    node_pool = NODE_POOL.overriding(Reason.LAST_NODE_POOL).build()
    command = shlex.split(commands.override(node_pool, Reason.BILLING_UNKNOWN))
    assert command[6] == f"{GROUP}/override=BillingUnknown,LastNodePool@uid-of-training-a"
    once_more = a_node_pool().annotated(*command[6].split("=", 1)).build()
    assert commands.given_overrides(once_more) == {Reason.BILLING_UNKNOWN, Reason.LAST_NODE_POOL}
