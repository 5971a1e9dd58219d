"""What a look at a resource pool changes, and for whom: most looks find for most objects what the last one found.

Pure; controllers/manager.py asks for each look. An object for which a look is no news has nothing to be decided anew:
whatever else its status depends on (itself, its account, its namespace, its twins, time) wakes it, too.
"""

from datetime import timedelta

from modelarts_nodepool.decide.observed import Evidence
from modelarts_nodepool.ports import NodePoolListing

# Looks further apart than this are news to all: meanwhile the older one may have been called stale.
NEWS_AFTER = timedelta(minutes=4)
Look = Evidence[NodePoolListing]


def is_news(before: Look | None, latest: Look, node_pool: str) -> bool:
    """Whether the latest look shows of a node pool anything that the one before it did not."""
    if before is None or before.value is None or latest.value is None:
        # Whether the cloud can be reached concerns all objects.
        return True
    if latest.begun - before.begun > NEWS_AFTER.total_seconds():
        return True
    shown = latest.value.node_pools.get(node_pool)
    # For how long counts have been unreadable is counted from look to look.
    is_readable = shown is None or shown.counts is not None
    return not is_readable or shown != before.value.node_pools.get(node_pool)
