from collections import Counter

import pytest

from lab.bench.scale import Scale


@pytest.mark.parametrize(
    ("objects", "resource_pools", "accounts"), [(10, 1, 1), (100, 1, 1), (1_000, 10, 1), (10_000, 100, 3)]
)
def test_objects_are_spread_evenly(objects: int, resource_pools: int, accounts: int) -> None:
    places = list(Scale(objects).places())
    by_pool = Counter(place.resource_pool for place in places)
    assert len({place.name for place in places}) == objects
    assert len(by_pool) == resource_pools
    assert set(by_pool.values()) == {objects // resource_pools}
    assert len({place.account for place in places}) == accounts


def test_a_resource_pool_belongs_to_one_account() -> None:
    pairs = {(place.resource_pool, place.account) for place in Scale(10_000).places()}
    assert len(pairs) == 100


def test_neighbours_are_in_different_resource_pools() -> None:
    scale = Scale(10_000)
    assert {scale.place(number).resource_pool for number in range(100)} == set(scale.resource_pool_names)


@pytest.mark.parametrize(("objects", "samples", "crowd"), [(100, 50, 50), (1_000, 200, 800), (10_000, 200, 9_800)])
def test_some_are_deleted_one_by_one_and_the_others_at_once(objects: int, samples: int, crowd: int) -> None:
    assert (Scale(objects).samples, Scale(objects).crowd) == (samples, crowd)
