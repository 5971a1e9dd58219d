"""What kopf's handlers do with an object, and with one that is gone."""

from typing import Any, NoReturn

import pytest

from modelarts_nodepool.cache.objects import Cache
from modelarts_nodepool.watch.kopf_runner import build_registry
from tests.support.virtual_time import VirtualClock


def log_in() -> NoReturn:
    raise NotImplementedError


@pytest.mark.parametrize(
    ("kind", "put", "drop"),
    [
        ("node-pool", Cache.observe_node_pool, Cache.drop_node_pool),
        ("account", Cache.upsert_account, Cache.drop_account_of),
        ("namespace", Cache.upsert_namespace, Cache.drop_namespace_of),
    ],
)
async def test_an_object_enters_the_cache_and_leaves_it_when_it_is_gone(kind: str, put: Any, drop: Any) -> None:  # noqa: ANN401 - methods
    passed_on: list[tuple[Any, ...]] = []
    registry = build_registry(log_in, Cache(VirtualClock()), lambda call, *given: passed_on.append((call, *given)))
    # kopf has no other way to find a handler.
    handlers: dict[str, Any] = {str(each.id): each.fn for each in registry._watching.get_all_handlers()}  # noqa: SLF001
    body = {"metadata": {"uid": "u1"}}
    for event in (None, "ADDED", "MODIFIED", "DELETED"):
        await handlers[kind](event={"type": event, "object": body})
    assert [(call.__func__, given) for call, given in passed_on] == [(put, body)] * 3 + [(drop, "u1")]
