"""Leader election by one Lease: at most one process works, another takes over when it is gone.

Run by kube/leader_election.py. A holder is judged by when *we* last saw its renewTime change, on our own monotonic
clock, never by its clock. Every write replaces exactly the version that was read. Whoever cannot renew in time stops
to be the leader before anybody else may become it.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from modelarts_nodepool.errors import ClusterError, ObjectChanged, ObjectGone
from modelarts_nodepool.kube import paths
from modelarts_nodepool.kube.client import KubeCluster
from modelarts_nodepool.ports import Clock

LEASE_NAME = "modelarts-nodepool-operator"
_SAY_EVERY_SECONDS = 60.0
_MICRO = "%Y-%m-%dT%H:%M:%S.%fZ"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LeaseTimes:
    """`duration`: others wait so long after the last renewal they saw; `deadline`: the holder stops by then.

    The holder renews every `retry`; a candidate looks every `look`, which bounds how long a Lease that was given
    away lies there.
    """

    duration: timedelta = timedelta(seconds=15)
    deadline: timedelta = timedelta(seconds=10)
    retry: timedelta = timedelta(seconds=2)
    look: timedelta = timedelta(seconds=1)
    call: timedelta = timedelta(seconds=3.5)
    again: timedelta = timedelta(seconds=0.5)


class Elector:
    """One candidate. `acquire`, then work while `run` renews, then `release` once all work has stopped.

    `problem` says why the Lease could not be read or written lately; that another holds it is none.
    """

    def __init__(
        self,
        cluster: KubeCluster,
        clock: Clock,
        namespace: str,
        identity: str,
        times: LeaseTimes | None = None,
        stuck: Callable[[], str] = lambda: "",
    ) -> None:
        """`cluster` should bound its calls. `stuck` says why whoever works under the Lease does not do so any more.

        A Lease that is renewed for work that has come to a standstill would keep everybody else from it for ever.
        """
        self._cluster = cluster
        self._stuck = stuck
        self._clock = clock
        self._namespace = namespace
        self._identity = identity
        self._times = times or LeaseTimes()
        self._renewed_at: float | None = None
        self._seen: tuple[str, str] | None = None
        self._seen_at = 0.0
        self._said_at = float("-inf")
        self._lost_to = ""
        self._last: Mapping[str, Any] | None = None
        self.problem = ""

    def holds(self) -> bool:
        """Whether this process may act right now, by its own clock. May be asked from any thread."""
        return self._left() > 0

    async def acquire(self) -> None:
        """Wait until this process holds the Lease."""
        while self._stuck() or not await self._try():  # noqa: ASYNC110 - each round is a call, nobody could set an event
            await asyncio.sleep(self._times.look.total_seconds())
        logger.info("leader: holding Lease %s/%s as %s", self._namespace, LEASE_NAME, self._identity)

    async def run(self) -> None:
        """Renew while it can be renewed; returns when the Lease is lost, at its deadline at the latest."""
        # A renewal that hangs must not outlive the deadline: by then the work has to have stopped.
        pause = self._times.retry
        while (left := self._left()) > 0 and not self._stuck():
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await asyncio.sleep(pause.total_seconds())
                    renewed = await self._try(is_renewal=True)
                    pause = self._times.retry if renewed else self._times.again
        why = self._stuck() or self._lost_to or self.problem or "not renewed in time"
        # Not given away: whatever hangs may still be about to act, and the time until it runs out is a safe distance.
        self._renewed_at = None
        logger.error("the Lease %s/%s is lost: %s", self._namespace, LEASE_NAME, why)

    async def release(self) -> None:
        """Let the next one take over at once. Harmless where the Lease is not held."""
        if not self.holds():
            return
        try:
            lease = await self._cluster.get(self._path)
            if _holder(lease) == self._identity:
                await self._cluster.replace(self._path, self._written(lease, holder=""))
                logger.info("Lease %s/%s released", self._namespace, LEASE_NAME)
        except ClusterError as error:
            logger.warning("the Lease could not be released, the next leader waits for it to run out: %s", error)
        finally:
            self._renewed_at = None

    @property
    def _path(self) -> str:
        return paths.lease(self._namespace, LEASE_NAME)

    def _left(self) -> float:
        """Seconds until the deadline."""
        renewed_at = self._renewed_at
        if renewed_at is None:
            return 0.0
        return renewed_at + self._times.deadline.total_seconds() - self._clock.monotonic()

    async def _try(self, *, is_renewal: bool = False) -> bool:
        """Take or renew the Lease once. False where somebody else holds it, or it could not be done."""
        begun = self._clock.monotonic()
        try:
            await self._take(is_renewal=is_renewal)
        except ObjectChanged:
            # Another candidate was faster, or the same answer came twice: the next look tells.
            self.problem = ""
            return False
        except _HeldError as held:
            self.problem, self._lost_to = "", str(held)
            self._renewed_at = None
            return False
        except ClusterError as error:
            self.problem = str(error)
            if begun - self._said_at >= _SAY_EVERY_SECONDS:
                # It is tried every second or two.
                self._said_at = begun
                logger.warning("the Lease could not be written; tried again: %s", error)
            return False
        # From before the write: others count from when it was made, which is later.
        self._renewed_at = begun
        self.problem = self._lost_to = ""
        self._said_at = float("-inf")
        return True

    async def _take(self, *, is_renewal: bool) -> None:
        if is_renewal and self._last is not None:
            known, self._last = self._last, None
            # Nobody else has written it if this is accepted: one call is enough.
            with suppress(ObjectChanged, ObjectGone):
                await self._write(known)
                return
        try:
            lease = await self._cluster.get(self._path)
        except ObjectGone:
            body = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": LEASE_NAME}}
            written = self._written(body, holder=self._identity)
            self._last = await self._cluster.create(paths.leases(self._namespace), written)
            return
        holder = _holder(lease)
        if is_renewal and holder != self._identity:
            # Also where it is free by now: after a pause of this process another may have led and gone.
            raise _HeldError(f"the Lease {self._namespace}/{LEASE_NAME} was given to {holder or 'another'} meanwhile")
        if holder not in {"", self._identity} and not self._has_run_out(lease, holder):
            raise _HeldError(f"{holder} holds the Lease {self._namespace}/{LEASE_NAME}")
        await self._write(lease)

    async def _write(self, lease: Mapping[str, Any]) -> None:
        """Replace exactly this version by one that says that we hold it."""
        self._last = await self._cluster.replace(self._path, self._written(lease, holder=self._identity))

    def _has_run_out(self, lease: Mapping[str, Any], holder: str) -> bool:
        spec = lease.get("spec") or {}
        seen = (holder, str(spec.get("renewTime")))
        now = self._clock.monotonic()
        if seen != self._seen:
            self._seen, self._seen_at = seen, now
        lasts = spec.get("leaseDurationSeconds") or self._times.duration.total_seconds()
        return now - self._seen_at >= float(lasts)

    def _written(self, lease: Mapping[str, Any], *, holder: str) -> dict[str, Any]:
        spec = dict(lease.get("spec") or {})
        now = datetime.now(UTC).strftime(_MICRO)
        if spec.get("holderIdentity") != holder:
            spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + 1
            spec["acquireTime"] = now
        spec |= {
            "holderIdentity": holder,
            "renewTime": now,
            "leaseDurationSeconds": max(1, round(self._times.duration.total_seconds())) if holder else 1,
        }
        return {**lease, "spec": spec}


class _HeldError(Exception):
    """Somebody else holds it."""


def _holder(lease: Mapping[str, Any]) -> str:
    return str((lease.get("spec") or {}).get("holderIdentity") or "")
