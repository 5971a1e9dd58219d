"""Looks at objects and cloud all the time, and takes note of an object that goes before its node pool.

run.py runs it beside the storm and asks it for snapshots. It changes nothing.
"""

import asyncio
from collections import Counter

from lab.harness.api import ACCOUNTS, NODE_POOLS, Api
from lab.harness.simulator import ACCEPTED, DELETE_NODE_POOL, Call, CloudControl
from lab.storm.cases import EXPECTED, Case
from lab.storm.evidence import Snapshot, Violation
from lab.storm.journal import Journal
from lab.storm.judges import ENDINGS, TOO_EARLY, condition
from lab.storm.replica import Replica
from lab.storm.world import Plan

LOOK_SECONDS = 0.7


class Observer:
    """The eyes of a storm."""

    def __init__(self, plan: Plan, api: Api, cloud: CloudControl, operators: list[Replica], journal: Journal) -> None:
        self._plan = plan
        self._api = api
        self._cloud = cloud
        self._operators = operators
        self._journal = journal
        self._gone: set[str] = set()
        self.violations: list[Violation] = []
        self.last = Snapshot({}, {}, {})

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            for operator in self._operators:
                operator.check()
            await self.look()
            await asyncio.sleep(LOOK_SECONDS)

    async def look(self) -> Snapshot:
        """Objects first, then the cloud: what is gone from the first must be gone from the second."""
        objects = {
            f"{body['metadata']['namespace']}/{body['metadata']['name']}": body
            for body in await self._api.items(NODE_POOLS)
        }
        cloud = await self._cloud.node_pools()
        accounts = {body["metadata"]["name"]: body for body in await self._api.items(ACCOUNTS)}
        self.last = Snapshot(objects, accounts, cloud)
        for title, body in objects.items():
            self._journal.uids.setdefault(title, body["metadata"]["uid"])
        self._note_gone()
        return self.last

    def _note_gone(self) -> None:
        there = {planned.place for planned in self._plan.objects if planned.title in self.last.objects}
        for planned in self._plan.objects:
            is_known = planned.title in self._journal.uids
            if not is_known or planned.title in self.last.objects or planned.title in self._gone:
                continue
            self._gone.add(planned.title)
            self._journal.note(planned.title, "seen to be gone")
            is_handed_over = planned.case is Case.TWIN and planned.place in there
            ends_with_node_pool = EXPECTED[planned.case].ending in ENDINGS
            if ends_with_node_pool and not is_handed_over and planned.place in self.last.cloud:
                words = f"the object is gone and node pool {'/'.join(planned.place)} is there"
                self.violations.append(Violation(TOO_EARLY, planned.title, words))

    async def words(self) -> str:
        """How things stand, in one line."""
        calls = await self._cloud.calls(operation=DELETE_NODE_POOL)
        return f"{_object_words(self.last, len(self._gone))} · {_call_words(calls)}"


def _object_words(snapshot: Snapshot, gone: int) -> str:
    deleting = [body for body in snapshot.objects.values() if body["metadata"].get("deletionTimestamp")]
    held = sum(condition(body, "DeletionBlocked")[0] == "True" for body in deleting)
    living = len(snapshot.objects) - len(deleting)
    return f"objects: {living} live, {len(deleting) - held} being deleted, {held} held, {gone} gone"


def _call_words(calls: list[Call]) -> str:
    kinds = Counter("accepted" if call.effect == ACCEPTED else "without effect" for call in calls)
    return f"DELETEs: {kinds['accepted']} accepted, {kinds['without effect']} without effect"
