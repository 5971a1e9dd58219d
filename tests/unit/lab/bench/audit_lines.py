"""Lines of an audit log for the tests of what is counted in it."""

from datetime import UTC, datetime, timedelta

from lab.controlplane.audit import AuditEvent, AuditLog

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def an_event(verb: str = "patch", resource: str = "modelartsnodepools", **more: object) -> AuditEvent:
    """One request about object ns/np, answered half a second after it came; `second` says when it came."""
    values = {"subresource": "", "namespace": "ns", "name": "np", "code": 200, "user": "operator", "second": 0.0} | more
    received = NOON + timedelta(seconds=float(str(values.pop("second"))))
    return AuditEvent(
        verb=verb,
        user_agent="test",
        group="",
        resource=resource,
        time=received + timedelta(seconds=0.5),
        received=received,
        **values,  # type: ignore[arg-type]
    )


def a_log(*events: AuditEvent) -> AuditLog:
    return AuditLog(events)
