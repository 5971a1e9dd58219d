"""Draws one cloud fault, in the simulator's own words. Pure.

Only faults that pass: none that makes the operator wait longer by design than a storm lasts (a rejected key rests
for five minutes, a Retry-After may be as long).
"""

from collections.abc import Callable, Mapping
from random import Random
from typing import Any

from lab.storm.world import ACCOUNT_OF

READS = ("list_node_pools", "show_node_pool", "show_pool", "list_pools", "list_node_pool_nodes", "list_workloads")
DELETE = "delete_node_pool"
Fault = Mapping[str, Any]

_OF_ANY: tuple[Callable[[Random], dict[str, Any]], ...] = (
    lambda _: {"status": 500},
    lambda _: {"status": 502},
    lambda _: {"status": 504},
    lambda _: {"drop": "before"},
    lambda rng: {"delaySeconds": round(rng.uniform(0.5, 6), 1)},
    lambda rng: {"status": 429, "retryAfter": rng.randint(1, 8)},
    lambda _: {"status": 403},
    lambda _: {"status": 404, "errorCode": "APIG.0101", "errorMsg": "The API does not exist"},
    lambda _: {"status": 404, "errorCode": "APIG.0106", "errorMsg": "not here"},
    lambda _: {"status": 302, "redirect": "http://127.0.0.1:9/elsewhere"},
)
_OF_READS: tuple[Callable[[Random], dict[str, Any]], ...] = (
    lambda _: {"body": "html"},
    lambda _: {"body": "truncated"},
    lambda _: {"body": "empty"},
    lambda _: {"body": "null"},
    lambda _: {"body": "negativeCounts"},
    lambda rng: {"drop": "after", "delaySeconds": round(rng.uniform(0, 2), 1)},
    lambda rng: {"effect": "after", "delaySeconds": round(rng.uniform(1, 6), 1)},
    lambda rng: {"dateSkewSeconds": rng.choice((-3600, 3600))},
)
_OF_DELETES: tuple[Callable[[Random], dict[str, Any]], ...] = (
    lambda _: {"status": 500, "effect": "after"},
    lambda _: {"status": 504, "effect": "after"},
    lambda _: {"drop": "before"},
    lambda _: {"drop": "after"},
    lambda _: {"status": 409},
    lambda _: {"status": 400, "errorMsg": "The node pool is busy."},
    lambda _: {"status": 204, "effect": "after"},
    lambda _: {"body": "html"},
    lambda _: {"body": "truncated"},
    lambda _: {"body": "empty"},
    lambda rng: {"effect": "after", "delaySeconds": round(rng.uniform(1, 12), 1)},
    lambda rng: {"delaySeconds": round(rng.uniform(1, 12), 1)},
)
# One witness lies, the other never does at the same time: that much the operator has to see through.
LYING = 0.15
OF_DELETIONS, OF_ONE_RESOURCE_POOL = 0.45, 0.5
_LIES: Mapping[str, tuple[Fault, ...]] = {
    "list_node_pools": ({"status": 404}, {"body": "itemsMissing"}),
    "show_node_pool": ({"status": 404}, {"status": 400, "errorMsg": "Bad request. Record not found: node pool."}),
    "list_workloads": ({"status": 404}, {"body": "itemsMissing"}),
    DELETE: ({"status": 404},),
}


def draw_fault(rng: Random, number: int) -> Fault:
    """One fault with a name of its own, met a few times, by some operation, sometimes of one resource pool only."""
    is_deletion = rng.random() < OF_DELETIONS
    operation = DELETE if is_deletion else rng.choice(READS)
    choices = (*_OF_ANY, *(_OF_DELETES if is_deletion else _OF_READS))
    fault: Fault = rng.choice(choices)(rng)
    lies = _LIES.get(operation)
    if lies is not None and rng.random() < LYING:
        fault = rng.choice(lies)
    scope = {"resourcePool": rng.choice(sorted(ACCOUNT_OF))} if rng.random() < OF_ONE_RESOURCE_POOL else {}
    times = 1 if is_deletion else rng.randint(1, 4)
    return {"name": f"storm-{number}", "operation": operation, "times": times, **scope, **fault}
