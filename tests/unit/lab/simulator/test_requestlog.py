from lab.simulator.requestlog import RequestLog


def a_log(max_entries: int, requests: int) -> RequestLog:
    log = RequestLog(max_entries)
    for _ in range(requests):
        log.open(0, "GET", "/", "id")
        log.count("list_pools")
    return log


def test_old_entries_fall_out_and_counts_stay() -> None:
    log = a_log(max_entries=3, requests=5)

    assert [entry.number for entry in log.since()] == [3, 4, 5]
    assert log.counts == {"list_pools": 5}


def test_since_gives_only_what_came_later() -> None:
    log = a_log(max_entries=3, requests=5)

    assert [entry.number for entry in log.since(4)] == [5]
    assert log.since(5) == []
    assert [entry.number for entry in log.since(1)] == [3, 4, 5]
