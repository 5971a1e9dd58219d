"""Changes of the world at run time: the body of `PATCH /_simulator/state`, in the scenario's own keys.

Everything is checked before anything is changed: a change with a mistake changes nothing.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeVar

from pydantic import ValidationError

from lab.simulator.cloud import Cloud
from lab.simulator.model import ScenarioModel
from lab.simulator.problems import Path, Problem, ScenarioError, find_problems
from lab.simulator.scenario import Credential, Shape, Timings, Token
from lab.simulator.scenario_issuers import Issuers
from lab.simulator.scenario_pools import NodePool, ResourcePool
from lab.simulator.scenario_workloads import Workload
from lab.simulator.world import LiveResourcePool, World

Step = Callable[[], object]
Model = TypeVar("Model", bound=ScenarioModel)
TOP_KEYS = ("timings", "shape", "issuers", "credentials", "tokens", "resourcePools")


def apply_changes(cloud: Cloud, change: object) -> set[str]:
    """Merge a change into the cloud; the names of the resource pools it speaks of. Raises ScenarioError."""
    if not isinstance(change, dict):
        raise ScenarioError([Problem((), f"write a map of keys. Allowed: {', '.join(TOP_KEYS)}")])
    unknown = [Problem((key,), f"unknown key. Allowed: {', '.join(TOP_KEYS)}") for key in change if key not in TOP_KEYS]
    if unknown:
        raise ScenarioError(unknown)
    # What the old timings have finished stays finished.
    cloud.world.settle()
    for step in [*_plan_settings(cloud, change), *_plan_keys(cloud, change), *_plan_pools(cloud.world, change)]:
        step()
    return {name for name, _, _ in _named(change.get("resourcePools", []), "name", ("resourcePools",))}


def _plan_settings(cloud: Cloud, change: dict[str, Any]) -> Iterator[Step]:
    world = cloud.world
    if "timings" in change:
        timings = _merged(Timings, world.timings, change["timings"], ("timings",))
        yield partial(setattr, world, "timings", timings)
    if "shape" in change:
        shape = _merged(Shape, world.shape, change["shape"], ("shape",))
        yield partial(setattr, world, "shape", shape)
    if "issuers" in change:
        issuers = _merged(Issuers, cloud.issued.settings, change["issuers"], ("issuers",))
        yield partial(setattr, cloud.issued, "settings", issuers)


def _plan_keys(cloud: Cloud, change: dict[str, Any]) -> Iterator[Step]:
    for access_key, part, path in _named(change.get("credentials", []), "accessKey", ("credentials",)):
        key = cloud.keyring.keys.get(access_key)
        if part is None:
            yield partial(cloud.keyring.keys.pop, access_key, None)
            continue
        credential = _merged(Credential, key.credential if key else None, part, path)
        yield partial(cloud.keyring.put, credential)

    tokens = cloud.keyring.tokens
    for text, part, path in _named(change.get("tokens", []), "token", ("tokens",)):
        if part is None:
            yield partial(tokens.pop, text, None)
            continue
        yield partial(tokens.__setitem__, text, _merged(Token, tokens.get(text), part, path))


def _plan_pools(world: World, change: dict[str, Any]) -> Iterator[Step]:
    for name, part, path in _named(change.get("resourcePools", []), "name", ("resourcePools",)):
        live = world.resource_pools.get(name)
        if part is None:
            yield partial(world.resource_pools.pop, name, None)
            continue
        node_pools, workloads = part.pop("nodePools", []), part.pop("workloads", [])
        spec = _merged(ResourcePool, live.spec if live else None, part, path)
        if live is None:
            live = world.new_resource_pool(spec)
        yield partial(world.put_resource_pool, live, spec)
        yield from _plan_node_pools(world, live, node_pools, (*path, "nodePools"))
        yield from _plan_workloads(world, live, workloads, (*path, "workloads"))


def _plan_node_pools(world: World, parent: LiveResourcePool, change: object, path: Path) -> Iterator[Step]:
    for name, part, below in _named(change, "name", path):
        if part is None:
            yield partial(parent.node_pools.pop, name, None)
            continue
        live = parent.node_pools.get(name)
        is_restored = _flag(part, "restore", below)
        spec = _merged(NodePool, live.spec if live else None, part, below)
        if live is None:
            live = world.new_node_pool(spec, is_creating=True)
        yield partial(parent.put_node_pool, live, spec)
        if is_restored:
            yield partial(setattr, live, "deleted_at", None)


def _plan_workloads(world: World, parent: LiveResourcePool, change: object, path: Path) -> Iterator[Step]:
    for name, part, below in _named(change, "name", path):
        if part is None:
            yield partial(parent.workloads.pop, name, None)
            continue
        live = parent.workloads.get(name)
        spec = _merged(Workload, live.spec if live else None, part, below)
        if live is None:
            live = world.new_workload(spec)
        yield partial(parent.put_workload, live, spec, world.clock.now())


def _named(change: object, key: str, path: Path) -> Iterator[tuple[str, dict[str, Any] | None, Path]]:
    """Each named part of a list or of a map by name; None for those to be removed."""
    if isinstance(change, dict):
        for name, part in change.items():
            yield from _one({key: name} | part if isinstance(part, dict) else part, name, key, (*path, name))
    elif isinstance(change, list):
        for position, part in enumerate(change):
            name = part.get(key) if isinstance(part, dict) else None
            if not isinstance(name, str):
                raise ScenarioError([Problem((*path, position), f"each part is a map with the key {key}")])
            yield from _one(part, name, key, (*path, name))
    else:
        raise ScenarioError([Problem(path, f"write a list of maps with the key {key}, or a map by {key}")])


def _one(part: object, name: str, key: str, path: Path) -> Iterator[tuple[str, dict[str, Any] | None, Path]]:
    if part is None:
        yield name, None, path
    elif isinstance(part, dict):
        own = dict(part)
        yield name, (None if _flag(own, "remove", path) else own), path
    else:
        raise ScenarioError([Problem(path, f"write a map with the key {key}, or null to remove it")])


def _flag(part: dict[str, Any], key: str, path: Path) -> bool:
    value = part.pop(key, False)
    if not isinstance(value, bool):
        raise ScenarioError([Problem((*path, key), "write true or false")])
    return value


def _merged(model: type[Model], present: Model | None, change: object, path: Path) -> Model:
    if not isinstance(change, dict):
        raise ScenarioError([Problem(path, "write a map of keys")])
    try:
        return model.model_validate(change) if present is None else present.changed(change)
    except ValidationError as error:
        raise ScenarioError(find_problems(error, model, path)) from error
