"""What people read where the API server does not take a write: admission, a webhook that is down, missing permission.

Pure. Called by controllers/deletion/reconciler.py, once such a write has failed for some time, and by
decide/status/problems.py.
"""

from datetime import timedelta

from modelarts_nodepool.api.objects import NodePool
from modelarts_nodepool.api.reasons import Reason
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.decide.deletion.decision import Hold, Release
from modelarts_nodepool.errors import ClusterError, RefusedByAPIServer


def release_refused(release: Release, error: ClusterError, retry_after: timedelta) -> Hold:
    """The decision is Release, and our finalizer cannot be removed, or the account's audit entry not be written."""
    words = f"{release.message}; the object stays only because the operator cannot let it go: {_said(error)}"
    # An orphan stays one after a restart: row 1 reads this reason.
    reason = Reason.REFUSED_BY_API_SERVER if release.is_orphan else Reason.RELEASE_REFUSED
    return _hold(reason, words, error, retry_after)


def write_ahead_refused(node_pool: NodePool, error: ClusterError, retry_after: timedelta) -> Hold:
    """The decision is Send, and what is written before each DELETE cannot be written: nothing is sent."""
    words = (
        f"no DELETE of node pool {node_pool.node_pool_name} was sent: the operator first writes into the object's "
        f"status that it sends one, and cannot: {_said(error)}"
    )
    hold = _hold(Reason.REFUSED_BY_API_SERVER, words, error, retry_after)
    return Hold(hold.reason, f"{hold.message}; {remedies.way_out(node_pool)}", retry_after, hold.is_transient)


def not_protected(error: ClusterError) -> str:
    """The message of row 2b."""
    words = (
        "deleting this object now would forget its node pool, which would go on costing money: the operator cannot "
        f"put its finalizer on the object: {_said(error)}"
    )
    return f"{words}; {_WHAT_TO_DO}"


def write_refused(error: ClusterError, *, is_status: bool) -> str:
    """For an Event, where the object itself cannot say it."""
    what = "the status of this object may be old: the operator cannot write it"
    if not is_status:
        what = "the operator cannot put its finalizer on this object, or take it off"
    return f"{what}: {_said(error)}; {_WHAT_TO_DO}"


_WHAT_TO_DO = f"the operator tries again once a minute; find what refuses it: {remedies.show_admission()}"


def _hold(reason: Reason, words: str, error: ClusterError, retry_after: timedelta) -> Hold:
    is_transient = not isinstance(error, RefusedByAPIServer)
    return Hold(reason, f"{words}; {_WHAT_TO_DO}", retry_after, is_transient)


def _said(error: ClusterError) -> str:
    return str(error).rstrip(". ")
