"""Waiting for servers: one HTTP question to loopback, asked until it is answered or there is no more hope.

`plane.py` calls it from a plain thread. It never goes through a proxy.
"""

import http.client
import ssl
import threading
import time
from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import urlsplit

from lab.controlplane.child import Child, last_lines
from lab.controlplane.failures import ControlPlaneError, NotReadyError

POLL_SECONDS = 0.05
REQUEST_TIMEOUT_SECONDS = 5.0
# A cold machine with other work needs a while; a healthy one takes about four seconds in all.
READY_TIMEOUT_SECONDS = 120.0


class Answer(NamedTuple):
    """What a server said; status 0 when it said nothing."""

    status: int
    body: str


def ask(
    url: str,
    *,
    authority: str | None = None,
    token: str | None = None,
    body: str | None = None,
    seconds: float = REQUEST_TIMEOUT_SECONDS,
) -> Answer:
    """GET the URL, or POST the body to it, trusting only the given certificate; no answer has status 0."""
    parts = urlsplit(url)
    try:
        if parts.scheme == "https":
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                parts.netloc,
                timeout=seconds,
                context=ssl.create_default_context(cadata=authority),
            )
        else:
            connection = http.client.HTTPConnection(parts.netloc, timeout=seconds)
        try:
            headers = {"Authorization": f"Bearer {token}"} if token else {}
            connection.request("GET" if body is None else "POST", parts.path, body, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read().decode(errors="replace"))
        finally:
            connection.close()
    except (OSError, http.client.HTTPException) as error:
        return Answer(0, str(error))


def wait_until_ready(child: Child, question: Callable[[], Answer], abandoned: threading.Event) -> None:
    """Ask until the answer is 200; raise when the server ended, time is up, or nobody wants it any more."""
    deadline = time.monotonic() + READY_TIMEOUT_SECONDS
    while (answer := question()).status != http.HTTPStatus.OK:
        child.raise_if_ended()
        if abandoned.wait(POLL_SECONDS):
            raise ControlPlaneError("The control plane was stopped while it started.")
        if time.monotonic() > deadline:
            raise NotReadyError(
                f"{child.name} was not ready within {READY_TIMEOUT_SECONDS:.0f} s. "
                f"Its last answer: {answer.status} {answer.body[:500]}\n"
                f"The end of {child.log}:\n{last_lines(child.log)}"
            )
