from lab.bench import counting
from lab.bench.calls import Call
from lab.bench.scale import Place
from tests.unit.lab.bench.audit_lines import NOON, a_log, an_event

PLACE = Place("account-0", "ns", "pool-0", "np")
BEGAN = NOON.timestamp()


def a_call(second: float, operation: str = "list_node_pools", pool: str = "pool-0", name: str = "") -> Call:
    return Call(BEGAN + second, operation, pool, name, 200)


def test_an_object_is_mirrored_when_its_first_status_stands() -> None:
    log = a_log(
        an_event(second=1),
        an_event(second=2, subresource="status", code=409),
        an_event(second=3, subresource="status"),
        an_event(second=9, subresource="status"),
    )
    assert counting.status_written(log) == {("ns", "np"): BEGAN + 3.5}


def test_an_object_is_let_go_with_the_last_write_that_is_not_of_its_status() -> None:
    log = a_log(an_event(second=4), an_event(second=6, code=422), an_event(second=7, subresource="status"))
    assert counting.let_go(log) == {("ns", "np"): BEGAN + 4.5}


def test_refused_writes_count_and_reads_do_not() -> None:
    log = a_log(an_event(code=409), an_event(code=200), an_event("get"), an_event("create", "events"))
    assert counting.writes_by_object(log) == {("ns", "np"): 2}
    assert counting.writes_by_resource(log) == {"modelartsnodepools": 2, "events": 1}


def test_the_first_call_is_the_first_about_the_resource_pool_after_the_deletion() -> None:
    deleted = counting.deleted_at(a_log(an_event("delete", second=10, user="admin")))
    calls = [a_call(9.99), a_call(10.2, pool="pool-1"), a_call(10.25, "show_pool"), a_call(11)]
    assert [round(value, 3) for value in counting.first_calls(deleted, [PLACE], calls)] == [0.25]


def test_the_delete_is_the_first_one_of_that_node_pool() -> None:
    deleted = counting.deleted_at(a_log(an_event("delete", second=10)))
    calls = [
        a_call(10.1, "delete_node_pool", name="other"),
        a_call(10.5, "delete_node_pool", name="np"),
        a_call(12, "delete_node_pool", name="np"),
    ]
    assert [round(value, 3) for value in counting.delete_calls(deleted, [PLACE], calls)] == [0.5]
    assert counting.duplicates(calls) == 1
    assert counting.delete_calls(deleted, [PLACE], calls[:1]) == []


def test_percentiles_are_values_that_were_measured() -> None:
    values = [float(number) for number in range(1, 201)]
    assert counting.percentile(values, 0.5) == 100
    assert counting.percentile(values, 0.99) == 198
    assert counting.percentile([7.0], 0.99) == 7


def test_the_writes_to_one_object_are_told_in_order() -> None:
    log = a_log(an_event(second=1, subresource="status", code=422), an_event(second=2), an_event(name="other"))
    assert counting.write_words(log, ("ns", "np")) == ["12:00:01.000 status 422", "12:00:02.000 object 200"]
