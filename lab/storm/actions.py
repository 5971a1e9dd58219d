"""Carries out what a plan says, at its moment: people, cloud and machines at the same time.

run.py runs it for the time of the faults. Nothing here judges.
"""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any

from lab.controlplane import ControlPlane
from lab.harness.api import ACCOUNTS, NAMESPACES, Api, node_pools_in
from lab.harness.operator import OPERATOR_NAMESPACE
from lab.harness.simulator import CloudControl
from lab.storm.journal import Journal
from lab.storm.manifests import build_object, encode_key
from lab.storm.replica import Replica
from lab.storm.world import Happening, ObjectPlan, Plan, Verb
from modelarts_nodepool.api.names import (
    NODE_POOL_FINALIZER,
    OVERRIDE_ANNOTATION,
    PAUSED_ANNOTATION,
    RECONCILE_ANNOTATION,
)

NOTE = "storm.example.com/note"
EMPTIED_EVERY_SECONDS = 0.2


class Actions:
    """Everybody who does something in a storm."""

    def __init__(
        self,
        plan: Plan,
        api: Api,
        cloud: CloudControl,
        plane: ControlPlane,
        operators: list[Replica],
        journal: Journal,
    ) -> None:
        self._plan = plan
        self._api = api
        self._cloud = cloud
        self._plane = plane
        self._operators = operators
        self._journal = journal
        self._turn = dict.fromkeys(plan.secrets, 0)
        self._rotating = {account: asyncio.Lock() for account in plan.secrets}
        self._emptying = asyncio.Lock()
        self._created = {planned.title: asyncio.Event() for planned in plan.objects if planned.is_late}
        self._verbs: Mapping[Verb, Callable[[Happening], Coroutine[Any, Any, None]]] = {
            Verb.CREATE: self._create,
            Verb.DELETE: self._delete,
            Verb.DELETE_NAMESPACE: self._delete_namespace,
            Verb.RETAIN: self._retain,
            Verb.ANNOTATE: self._annotate,
            Verb.UNPAUSE: self._unpause,
            Verb.STRIP: self._strip,
            Verb.TOUCH_ACCOUNT: self._touch_account,
            Verb.VANISH: self._vanish,
            Verb.CHANGE_NODES: self._change_nodes,
            Verb.FAULT: self._fault,
            Verb.ROTATE: self._rotate,
            Verb.RESTART_API: self._restart_api,
            Verb.KILL: self._kill,
            Verb.TERMINATE: self._terminate,
            Verb.FREEZE: self._freeze,
        }

    async def run(self) -> None:
        """All happenings, each at its moment; returns when the last one is through."""
        began = time.monotonic()
        async with asyncio.TaskGroup() as group:
            for happening in self._plan.happenings:
                await asyncio.sleep(max(0.0, began + happening.at - time.monotonic()))
                group.create_task(self._verbs[happening.verb](happening), name=f"{happening.verb} {happening.target}")

    async def _create(self, happening: Happening) -> None:
        planned = self._plan.find(happening.target)
        self._journal.note(planned.title, "created")
        await self._api.create(node_pools_in(planned.namespace), build_object(planned))
        self._created[planned.title].set()

    async def _delete(self, happening: Happening) -> None:
        planned = self._plan.find(happening.target)
        if heir := happening.details.get("after"):
            await self._created[heir].wait()
        override = happening.details.get("override")
        if override:
            # The uid is only known now: it cannot be left in Git.
            setting = f"{override}@{self._journal.uids[planned.title]}"
            await self._merge(planned, {"metadata": {"annotations": {OVERRIDE_ANNOTATION: setting}}})
        self._journal.deletion_asked[planned.title] = time.time()
        self._journal.note(planned.title, "deletion asked for")
        await self._api.delete(_path(planned))
        self._journal.note(planned.title, "deletion answered")

    async def _delete_namespace(self, happening: Happening) -> None:
        for planned in self._plan.objects:
            if planned.namespace == happening.target:
                self._journal.deletion_asked[planned.title] = time.time()
                self._journal.note(planned.title, f"deletion of namespace {happening.target} asked for")
        # Kubernetes ends a namespace and leaves its objects where they are, for good, when the API server does not
        # list their kind at that moment, as right after its start. That is not what is looked for here.
        async with self._emptying:
            await self._api.delete(f"{NAMESPACES}/{happening.target}")
            while not await self._is_emptied(happening.target):  # noqa: ASYNC110 - nobody could set an event
                await asyncio.sleep(EMPTIED_EVERY_SECONDS)

    async def _is_emptied(self, namespace: str) -> bool:
        """Whether each object in it is being deleted, or gone."""
        return all(
            found["metadata"].get("deletionTimestamp") for found in await self._api.items(node_pools_in(namespace))
        )

    async def _retain(self, happening: Happening) -> None:
        planned = self._plan.find(happening.target)
        self._journal.note(planned.title, "policy Retain asked for")
        await self._merge(planned, {"spec": {"deletionPolicy": "Retain"}})
        self._journal.retained[planned.title] = time.time()

    async def _annotate(self, happening: Happening) -> None:
        planned = self._plan.find(happening.target)
        kind, value = happening.details["kind"], happening.details["value"]
        name = RECONCILE_ANNOTATION if kind == "reconcile-at" else NOTE
        self._journal.note(planned.title, f"annotated {kind}={value}")
        await self._merge(planned, {"metadata": {"annotations": {name: value}}})

    async def _unpause(self, happening: Happening) -> None:
        planned = self._plan.find(happening.target)
        self._journal.note(planned.title, "unpaused")
        await self._merge(planned, {"metadata": {"annotations": {PAUSED_ANNOTATION: None}}})

    async def _strip(self, happening: Happening) -> None:
        """The foreign finalizer leaves, as its own controller would take it away: ours stays."""
        planned = self._plan.find(happening.target)
        self._journal.note(planned.title, "foreign finalizer removed")
        while (found := await self._api.get(_path(planned))) is not None:
            ours = [name for name in found["metadata"].get("finalizers", []) if name == NODE_POOL_FINALIZER]
            version = found["metadata"]["resourceVersion"]
            metadata = {"finalizers": ours, "resourceVersion": version}
            if await self._api.merge_if_unchanged(_path(planned), {"metadata": metadata}):
                return

    async def _touch_account(self, happening: Happening) -> None:
        """Writes of others to the account, so that the operator's own meet conflicts."""
        for turn in range(happening.details["times"]):
            note = f"{happening.details['value']}-{turn}"
            await self._api.merge(f"{ACCOUNTS}/{happening.target}", {"metadata": {"annotations": {NOTE: note}}})

    async def _vanish(self, happening: Happening) -> None:
        planned = self._plan.find(happening.target)
        self._journal.vanished[planned.title] = time.time()
        self._journal.note(planned.title, "node pool removed in the cloud by somebody else")
        await self._change_node_pool(planned, None)

    async def _change_nodes(self, happening: Happening) -> None:
        planned = self._plan.find(happening.target)
        self._journal.note(planned.title, f"nodes in the cloud are now {dict(happening.details)}")
        await self._change_node_pool(planned, {"states": dict(happening.details)})

    async def _change_node_pool(self, planned: ObjectPlan, change: Mapping[str, object] | None) -> None:
        node_pools = {planned.node_pool: change}
        await self._cloud.change({"resourcePools": {planned.resource_pool: {"nodePools": node_pools}}})

    async def _fault(self, happening: Happening) -> None:
        await self._cloud.add_fault(happening.details)

    async def _rotate(self, happening: Happening) -> None:
        """The old key ends, a while later the Secret gets the new one."""
        account = happening.target
        async with self._rotating[account]:
            turn = self._turn[account] = self._turn[account] + 1
            (old, _), (new, secret) = self._plan.secrets[account][turn - 1], self._plan.secrets[account][turn]
            self._journal.note(account, f"key {old} ends, {new} begins")
            await self._cloud.change({"credentials": {old: None, new: {"secretKey": secret}}})
            await asyncio.sleep(happening.details["lag"])
            self._journal.note(account, f"the Secret has {new}")
            path = f"{NAMESPACES}/{OPERATOR_NAMESPACE}/secrets/key-{account}"
            await self._api.merge(path, {"data": encode_key((new, secret))})

    async def _restart_api(self, happening: Happening) -> None:
        async with self._emptying:
            self._journal.note("kube-apiserver", f"killed, down for {happening.details['down']} s")
            await self._plane.restart_apiserver(happening.details["down"])
            self._journal.note("kube-apiserver", "serves again")

    async def _kill(self, happening: Happening) -> None:
        operator = self._operator(happening)
        await operator.kill()
        await self._again(operator, happening)

    async def _terminate(self, happening: Happening) -> None:
        operator = self._operator(happening)
        await operator.terminate()
        await self._again(operator, happening)

    async def _freeze(self, happening: Happening) -> None:
        await self._operator(happening).freeze(happening.details["seconds"])

    async def _again(self, operator: Replica, happening: Happening) -> None:
        await asyncio.sleep(happening.details["down"])
        await asyncio.to_thread(operator.start)

    def _operator(self, happening: Happening) -> Replica:
        return self._operators[int(happening.target) % len(self._operators)]

    async def _merge(self, planned: ObjectPlan, patch: Mapping[str, object]) -> None:
        if not await self._api.merge(_path(planned), patch):
            self._journal.note(planned.title, "it was gone already")


def _path(planned: ObjectPlan) -> str:
    return f"{node_pools_in(planned.namespace)}/{planned.name}"
