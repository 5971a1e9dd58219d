"""How single jobs and pages of list_workloads are read."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modelarts_nodepool.errors import MalformedAnswer
from modelarts_nodepool.modelarts.workloads import PAGE, WorkloadPages
from modelarts_nodepool.ports import CloudWorkload


def a_page(items: Iterable[Any]) -> bytes:
    body = {"kind": "WorkloadList", "apiVersion": "v1", "items": list(items)}
    return json.dumps(body).encode()


def read_one(**fields: Any) -> CloudWorkload:  # noqa: ANN401 - any JSON
    pages = WorkloadPages()
    pages.add(a_page([fields]))
    assert pages.is_complete
    return pages.join()[0]


def jobs(*numbers: int) -> list[dict[str, str]]:
    return [{"uid": f"uid-{number}", "name": f"job-{number}"} for number in numbers]


def names(workloads: Iterable[CloudWorkload]) -> list[str]:
    return [workload.name for workload in workloads]


def test_job_is_read_with_the_name_that_its_owner_gave_it() -> None:
    found = read_one(
        uid="u", type="train", name="k8s", jobName="llama", status="Running", runningDuration=7200, hostIps="10.0.0.1"
    )
    assert found == CloudWorkload(
        uid="u",
        kind="train",
        name="llama",
        status="Running",
        host_ips=frozenset({"10.0.0.1"}),
        running=timedelta(hours=2),
    )


def test_unknown_types_and_statuses_stay_as_they_are_and_missing_texts_are_empty() -> None:
    assert read_one(type="x-train", status="Suspended").kind == "x-train"
    assert read_one(type="x-train", status="Suspended").status == "Suspended"
    assert read_one() == CloudWorkload(uid="", kind="", name="", status="")
    assert read_one(name="only", jobName=None).name == "only"


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"hostIps": " 10.0.0.1, ,10.0.0.2 ,"}, {"10.0.0.1", "10.0.0.2"}),
        ({"hostIps": ""}, set()),
        ({"hostIps": None, "nodes": None}, set()),
        ({"hostIps": ["10.0.0.1", "10.0.0.2"]}, {"10.0.0.1", "10.0.0.2"}),
        ({"hostIps": "10.0.0.1;10.0.0.2 10.0.0.3"}, {"10.0.0.1", "10.0.0.2", "10.0.0.3"}),
        ({"nodes": [{"hostIp": "10.0.0.1"}, {"hostIp": None}, {}, None]}, {"10.0.0.1"}),
        ({"hostIps": "10.0.0.1", "nodes": [{"hostIp": "10.0.0.2"}]}, {"10.0.0.1", "10.0.0.2"}),
        ({"hostIps": "FD00:0:0::1,::ffff:10.0.0.1,0.0.0.0,::"}, {"fd00::1", "10.0.0.1"}),
        ({"hostIps": "node-one"}, {"node-one"}),
    ],
)
def test_host_ips_are_joined_from_both_fields_in_one_form(fields: dict[str, Any], expected: set[str]) -> None:
    assert read_one(**fields).host_ips == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (0, timedelta()),
        ("90", timedelta(seconds=90)),
        (90.0, timedelta(seconds=90)),
        (None, None),
        (-5, None),
        ("soon", None),
        (True, None),
        (10**18, None),
        ([1], None),
    ],
)
def test_running_duration_is_none_if_it_cannot_be_read(seconds: object, expected: timedelta | None) -> None:
    assert read_one(runningDuration=seconds).running == expected


@pytest.mark.parametrize(
    "item",
    [
        {"status": {"phase": "Running"}},
        {"status": True},
        {"hostIps": {"ip": "10.0.0.1"}},
        {"hostIps": 10},
        {"nodes": "10.0.0.1"},
        {"nodes": ["10.0.0.1"]},
        {"nodes": [{"hostIp": {}}]},
        "job",
        None,
    ],
)
def test_job_that_may_run_somewhere_unknown_makes_the_list_doubtful(item: object) -> None:
    with pytest.raises(MalformedAnswer):
        WorkloadPages().add(a_page([item]))


def test_items_with_one_uid_are_one_job_with_the_nodes_of_all() -> None:
    pages = WorkloadPages()
    first = {"uid": "u", "status": "Running", "hostIps": "10.0.0.1", "runningDuration": 5}
    second = {"uid": "u", "status": "Running", "hostIps": "10.0.0.2", "runningDuration": 9}
    pages.add(a_page([first, second, {"uid": "u", "status": "Completed"}]))
    running, ended = pages.join()
    assert running.host_ips == {"10.0.0.1", "10.0.0.2"}
    assert running.running == timedelta(seconds=9)
    assert ended.status == "Completed"


def test_items_without_uid_are_never_joined() -> None:
    pages = WorkloadPages()
    pages.add(a_page([{"name": "one"}, {"name": "one"}, {"uid": "", "name": "one"}, {"uid": "a\tb"}]))
    assert names(pages.join()) == ["one", "one", "one", ""]


@pytest.mark.parametrize("count", [1, 9, 11, 499])
def test_short_page_is_the_last_one(count: int) -> None:
    pages = WorkloadPages()
    pages.add(a_page(jobs(*range(count))))
    assert pages.is_complete


@pytest.mark.parametrize("count", [10, 100, 250])
def test_page_with_a_round_number_of_items_may_be_cut_by_the_server(count: int) -> None:
    pages = WorkloadPages()
    pages.add(a_page(jobs(*range(count))))
    assert not pages.is_complete
    assert dict(pages.query)["offset"] == str(count - 1)
    pages.add(a_page(jobs(count - 1)))
    assert pages.is_complete
    assert len(pages.join()) == count


def test_page_without_any_uid_that_may_not_be_the_last_is_malformed() -> None:
    with pytest.raises(MalformedAnswer, match="cannot be joined"):
        WorkloadPages().add(a_page([{"name": "one"}] * PAGE))


def test_items_without_uid_at_the_end_of_a_page_are_read_with_the_next_one() -> None:
    pages = WorkloadPages()
    last = [{"name": "no-uid"}]
    pages.add(a_page(jobs(*range(PAGE - 1)) + last))
    assert dict(pages.query)["offset"] == str(PAGE - 2)
    pages.add(a_page(jobs(PAGE - 2) + last + jobs(PAGE)))
    assert pages.is_complete
    assert names(pages.join())[-3:] == [f"job-{PAGE - 2}", "no-uid", f"job-{PAGE}"]
    assert len(pages.join()) == PAGE + 1


def serve(order: Sequence[int], query: tuple[tuple[str, str], ...], longest: int) -> list[dict[str, str]]:
    asked = dict(query)
    start = int(asked["offset"])
    return jobs(*order[start : start + min(int(asked["limit"]), longest)])


def test_job_that_is_on_two_pages_shows_that_another_one_is_on_none() -> None:
    """Two jobs of the same age changed their places between the requests: job 500 is on no page."""
    pages = WorkloadPages()
    pages.add(a_page(jobs(*range(PAGE))))
    pages.add(a_page(jobs(PAGE - 1, PAGE - 2, PAGE + 1)))
    assert pages.has_changed


def read_all(order: list[int], longest: int, changes: Iterator[Callable[[], None]]) -> WorkloadPages:
    """Read the list to its end, with one change before each page."""
    pages = WorkloadPages()
    while not (pages.has_changed or pages.is_complete):
        next(changes, lambda: None)()
        pages.add(a_page(serve(order, pages.query, longest)))
    return pages


@given(
    size=st.integers(0, 60),
    longest=st.sampled_from([10, 20]),
    changes=st.lists(st.tuples(st.booleans(), st.integers(0, 60)), max_size=12),
)
def test_complete_list_has_every_job_that_was_there_all_the_time(
    size: int, longest: int, changes: list[tuple[bool, int]]
) -> None:
    """Jobs end and start while the list is read."""
    order = list(range(size))
    lasting = set(order)

    def change(number: int, *, ends: bool) -> None:
        if ends and number in order:
            order.remove(number)
            lasting.discard(number)
        elif not ends and number + 100 not in order:
            order.append(number + 100)

    pages = read_all(order, longest, (partial(change, number, ends=ends) for ends, number in changes))
    if not pages.has_changed:
        assert {f"job-{number}" for number in lasting} <= set(names(pages.join()))


@given(size=st.integers(11, 60), places=st.lists(st.lists(st.integers(0, 58), max_size=6), max_size=8))
def test_complete_list_has_every_job_even_if_jobs_change_places(size: int, places: list[list[int]]) -> None:
    """Jobs of the same age can come in any order."""
    order = list(range(size))

    def swap(numbers: list[int]) -> None:
        for number in numbers:
            if number + 1 < len(order):
                order[number], order[number + 1] = order[number + 1], order[number]

    pages = read_all(order, 10, (partial(swap, numbers) for numbers in places))
    if not pages.has_changed:
        assert len(pages.join()) == size
