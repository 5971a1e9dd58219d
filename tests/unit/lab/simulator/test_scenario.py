"""Scenario files: what is read, and what is said about mistakes."""

from pathlib import Path

import pytest

from lab.simulator.describing import describe_scenario
from lab.simulator.problems import ScenarioError, model_within
from lab.simulator.reading import parse_scenario, read_scenario
from lab.simulator.scenario import Scenario, default_scenario

COMPLETE = """\
region: cn-north-4
projectId: 0123456789abcdef0123456789abcdef
accessKey: AKSIMULATOR
secretKey: SKSIMULATOR
timings: {createSeconds: 5, deleteSeconds: 5}
shape: {resources: object, notFound: "404"}
resourcePools:
- name: pool-a
  billingMode: "0"
  nodePools:
  - {name: training-a, flavor: modelarts.vm.gpu.t4u8, count: 3, states: {available: 3}, inUse: false, prepaidNodes: 0}
faults:
- {operation: delete_node_pool, nodePool: training-a, times: 1, status: 500, errorCode: ModelArts.50005000}
- {operation: list_node_pools, times: 3, delaySeconds: 2}
- {operation: delete_node_pool, times: 1, drop: after}
"""


def test_a_complete_scenario_is_read() -> None:
    scenario = parse_scenario(COMPLETE, "s.yaml")

    assert scenario.resource_pools[0].node_pools[0].wanted == 3
    assert [fault.times for fault in scenario.faults] == [1, 3, 1]
    assert [key.access_key for key in scenario.keys] == ["AKSIMULATOR"]


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}"])
def test_an_empty_scenario_is_an_empty_world(text: str) -> None:
    assert parse_scenario(text, "s.yaml") == Scenario()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("regio: x", "s.yaml:1: regio: unknown key; did you mean region?"),
        ("\ntimings:\n  deleteSeconds: soon", "s.yaml:3: timings.deleteSeconds: write a number, not a text"),
        ("timings: {deleteSeconds: -1}", "s.yaml:1: timings.deleteSeconds: -1 is not allowed here; write a number of"),
        ("projectId: 123", "s.yaml:1: projectId: write a text, in quotes, not a number"),
        ("resourcePools:\n- billingMode: '0'", "s.yaml:2: resourcePools[0].name: this key is required"),
        ('resourcePools:\n- name: ""', "s.yaml:2: resourcePools[0].name: '' is not allowed here; write a text of 1 to"),
        (
            "resourcePools:\n- name: a\n  billingMode: 0",
            "s.yaml:3: resourcePools[0].billingMode: 0 is not allowed here; write '0' or '1' (texts in quotes)",
        ),
        (
            "resourcePools:\n- name: a\n  nodePools:\n  - name: b\n  - name: b",
            "s.yaml:2: resourcePools[0]: nodePools names b more than once",
        ),
        (
            "resourcePools:\n- name: a\n  nodePools:\n  - name: b\n    states: {availble: 3}",
            "s.yaml:5: resourcePools[0].nodePools[0].states.availble: unknown key; did you mean available? Allowed: ",
        ),
        ("faults:\n- operation: delete", "s.yaml:2: faults[0].operation: 'delete' is not allowed here; write 'list_"),
        ("faults: {}", "s.yaml:1: faults: write a list, not a map"),
        ("region: a\nregion: b", "s.yaml:2: region: this key stands in line 1 already"),
        ("- region", "s.yaml:1: (top): write a map of keys, not a list"),
        ("region: a: b", "s.yaml:1: (top): this is not YAML"),
        ("region: 'a\x00b'", "s.yaml: (top): this is not YAML"),
        ("faults: &a [*a]", "s.yaml: (top): an alias in it refers to itself"),
    ],
)
def test_a_mistake_is_named_with_line_key_and_fix(text: str, message: str) -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario(text, "s.yaml")

    assert str(caught.value).splitlines()[0].startswith(message)


def test_a_secret_without_quotes_is_not_repeated() -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario("secretKey: 8675309", "s.yaml")

    assert "8675309" not in str(caught.value)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ScenarioError) as caught:
        parse_scenario("a: 1\nb: 2\nregion: 3", "s.yaml")

    assert len(caught.value.problems) == 3


def test_an_unreadable_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin.yaml").write_bytes(b"region: \xff")

    with pytest.raises(ScenarioError, match=r"missing\.yaml.*No such file"):
        read_scenario(tmp_path / "missing.yaml")
    with pytest.raises(ScenarioError, match=r"latin\.yaml.*not UTF-8"):
        read_scenario(tmp_path / "latin.yaml")


def test_the_default_world_shows_every_kind_of_deletion() -> None:
    scenario = default_scenario()

    assert {pool.billing_mode for pool in scenario.resource_pools} == {"0", "1"}
    assert any(node_pool.default for pool in scenario.resource_pools for node_pool in pool.node_pools)


def test_help_describes_every_key() -> None:
    text = describe_scenario()

    def check(model: type) -> None:
        for name, field in model.model_fields.items():  # type: ignore[attr-defined]
            assert field.description, name
            assert f"{field.alias}: " in text
            inner = model_within(field.annotation)
            if inner is not None:
                check(inner)

    check(Scenario)
    assert 'billingMode: "0" | "1"\n' in text
    assert "name: text, required\n" in text
