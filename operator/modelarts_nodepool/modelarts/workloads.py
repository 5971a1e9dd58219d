"""Reads list_workloads: its jobs, and its pages, which have an offset and belong to a list that changes. Pure.

Called by modelarts/client.py. A job that ends between two requests can move all later jobs up by one, so that one job
is on neither page. So each page begins with the last job of the page before; another job there, or a job that was on
an earlier page, shows that the list changed, and the client starts over. Proof: if two jobs keep their order, each job
that is in the list all the time is before that common job, and so on the page before, or after it.

No query for a status: a job that changes its status between two queries would be in neither answer, and four queries
are four calls. Oldest jobs come first, so that a new job changes only the last page.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from modelarts_nodepool.errors import MalformedAnswer
from modelarts_nodepool.modelarts.parse import to_host_ip, to_text, whole_list
from modelarts_nodepool.modelarts.transport import quote_value
from modelarts_nodepool.modelarts.wire import Count, Many, Text, Texts, Unreadable, Wire
from modelarts_nodepool.ports import CloudWorkload

# The longest page that the API page allows.
PAGE = 500
_SORTED = (("sort", "create_time"), ("ascend", "true"))
# A server with a shorter longest page than the API page says has a round number.
_ROUND = 10
_LONGEST_RUN = timedelta(days=36_500)
_SEPARATOR = re.compile(r"[\s,;]+")


class WorkloadNode(Wire):
    """A node on which the job runs, with the part that the job has."""

    host_ip: Texts = ()


class WorkloadBody(Wire):
    """A job. Pages and SDKs disagree on whether some fields are there: `nodes` is newer than `hostIps`.

    Source: https://support.huaweicloud.com/intl/en-us/api-modelarts/ListWorkloads.html
    """

    type: Text = None
    name: Text = None
    job_name: Text = None
    uid: Text = None
    status: Text = None
    running_duration: Count = None
    host_ips: Texts = ()
    nodes: Many[WorkloadNode] = ()


@dataclass(slots=True)
class WorkloadPages:
    """The pages that were read so far, from one start. `has_changed`: start over; `is_complete`: nothing follows."""

    is_complete: bool = False
    has_changed: bool = False
    _offset: int = 0
    _first: str = ""
    _common: str = ""
    _seen: set[str] = field(default_factory=set)
    _found: list[CloudWorkload] = field(default_factory=list)

    @property
    def query(self) -> tuple[tuple[str, str], ...]:
        """The query of the next page."""
        return (*_SORTED, ("offset", str(self._offset)), ("limit", str(PAGE)))

    def add(self, body: bytes) -> None:
        """Read the next page. Raises errors.MalformedAnswer."""
        page = [_to_workload(item) for item in whole_list(body, "WorkloadList")]
        if self._common:
            start = page[0].uid if page else ""
            if start and start == self._first:
                raise MalformedAnswer(f"the page at offset {self._offset} is the first page again")
            self.has_changed = start != self._common or any(
                workload.uid in self._seen for workload in page if workload.uid != self._common
            )
        else:
            self._first = page[0].uid if page else ""
        self.is_complete = len(page) < PAGE and (not page or len(page) % _ROUND != 0)
        if self.is_complete or self.has_changed:
            self._found += page
            return
        last = max((number for number, workload in enumerate(page) if workload.uid), default=0)
        if last == 0:
            raise MalformedAnswer("its items have no uid, so its pages cannot be joined")
        self._found += page[:last]
        self._seen.update(workload.uid for workload in page[:last] if workload.uid)
        self._offset += last
        self._common = page[last].uid

    def join(self) -> tuple[CloudWorkload, ...]:
        """All jobs. Items of the same job are one job, with the nodes of all; items without uid stay apart."""
        joined: dict[object, CloudWorkload] = {}
        for number, workload in enumerate(self._found):
            # If two items of a job have different statuses, both stay: one of them may say that the job runs.
            key = (workload.uid, workload.kind, workload.name, workload.status) if workload.uid else number
            other = joined.get(key)
            joined[key] = workload if other is None else _join_two(other, workload)
        return tuple(joined.values())


def _join_two(one: CloudWorkload, other: CloudWorkload) -> CloudWorkload:
    running = max((each.running for each in (one, other) if each.running is not None), default=None)
    return replace(one, host_ips=one.host_ips | other.host_ips, running=running)


def _to_workload(item: dict[str, Any]) -> CloudWorkload:
    body = WorkloadBody.model_validate(item)
    status = body.status
    if isinstance(status, Unreadable):
        # Whether a job runs must not be guessed.
        raise MalformedAnswer(f"the status of a job is {status}")
    uid = to_text(body.uid)
    return CloudWorkload(
        # An uid that cannot be shown as it is cannot be compared either.
        uid=uid if uid == body.uid else "",
        kind=to_text(body.type),
        name=to_text(body.job_name) or to_text(body.name),
        status=to_text(status),
        host_ips=frozenset(_host_ips(body)),
        running=_to_duration(body.running_duration),
    )


def _host_ips(body: WorkloadBody) -> Iterator[str]:
    parts = [body.host_ips, *(node if isinstance(node, Unreadable) else node.host_ip for node in body.nodes)]
    for part in parts:
        if isinstance(part, Unreadable):
            raise MalformedAnswer(f"the host IPs of job {quote_value(to_text(body.uid))} are {part}")
        for text in part:
            yield from filter(None, map(to_host_ip, _SEPARATOR.split(text)))


def _to_duration(seconds: int | Unreadable | None) -> timedelta | None:
    if not isinstance(seconds, int) or seconds > _LONGEST_RUN.total_seconds():
        return None
    return timedelta(seconds=seconds)
