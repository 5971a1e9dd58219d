from datetime import timedelta

from modelarts_nodepool.lru import LRU, MAX_ENTRIES
from tests.support.clocks import HandClock


def test_what_is_used_is_remembered_and_the_oldest_of_too_many_is_not() -> None:
    clock = HandClock()
    lru: LRU[str, list[str]] = LRU(clock.monotonic, list, timedelta(hours=1))
    used = lru.get("used")
    for number in range(MAX_ENTRIES + 100):
        lru.get(f"other-{number}")
        assert lru.get("used") is used
    assert len(lru) == MAX_ENTRIES
    clock.advance(timedelta(hours=2))
    assert lru.get("used") is used
    assert len(lru) == 1
