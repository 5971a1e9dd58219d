"""Which Kubernetes versions are good enough."""

import pytest

from modelarts_nodepool.commands.doctor.check import Result
from modelarts_nodepool.commands.doctor.cluster import judge_version


@pytest.mark.parametrize(
    ("version", "result"),
    [
        ("v1.36.3", Result.OK),
        ("v1.31.0-eks-a737599", Result.OK),
        ("v1.30.14", Result.OK),
        ("v1.29.9", Result.FAILED),
        ("v2.0.0", Result.OK),
        ("a vendor's own", Result.OK),
    ],
)
def test_a_version_is_judged_by_its_number(version: str, result: Result) -> None:
    assert judge_version(version, version).result is result
