import json
from datetime import UTC, datetime
from pathlib import Path

from lab.controlplane.audit import AuditReader


def an_event(verb: str = "patch", stage: str = "ResponseComplete", second: int = 0, **target: str) -> str:
    return json.dumps(
        {
            "verb": verb,
            "stage": stage,
            "user": {"username": "somebody"},
            "userAgent": "kubectl/v1",
            "objectRef": {"resource": "configmaps", "namespace": "ns", "name": "name"} | target,
            "responseStatus": {"code": 200},
            "requestReceivedTimestamp": f"2026-01-01T00:00:{second:02}.000000Z",
            "stageTimestamp": f"2026-01-01T00:00:{second:02}.500000Z",
        }
    )


def test_no_file_is_no_requests(tmp_path: Path) -> None:
    assert len(AuditReader(tmp_path / "log").read()) == 0


def test_only_answered_requests_count(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("\n".join([an_event(stage="ResponseStarted"), an_event(stage="Panic"), an_event(), ""]))
    assert [event.name for event in AuditReader(log).read()] == ["name"]


def test_what_is_appended_is_read_once(tmp_path: Path) -> None:
    log = tmp_path / "log"
    reader = AuditReader(log)
    log.write_text(an_event("create") + "\n")
    assert [event.verb for event in reader.read()] == ["create"]
    with log.open("a") as more:
        more.write(an_event("delete") + "\n")
    assert [event.verb for event in reader.read()] == ["create", "delete"]


def test_a_line_that_is_being_written_waits_for_its_end(tmp_path: Path) -> None:
    log = tmp_path / "log"
    reader = AuditReader(log)
    whole = an_event() + "\n"
    log.write_text(whole + whole[:50])
    assert len(reader.read()) == 1
    log.write_text(whole + whole)
    assert len(reader.read()) == 2


def test_questions_narrow_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    events = [an_event("get"), an_event("patch", second=1), an_event("update", second=2, subresource="status")]
    log.write_text("\n".join([*events, an_event("create", second=3, resource="events", name=""), ""]))
    read = AuditReader(log).read()
    assert [event.verb for event in read.writes()] == ["patch", "update", "create"]
    assert [event.verb for event in read.on("events")] == ["create"]
    assert len(read.on("configmaps", "ns", "name")) == 3
    assert len(read.on("configmaps", "other")) == 0
    assert [event.verb for event in read.since(datetime(2026, 1, 1, 0, 0, 2, tzinfo=UTC))] == ["update", "create"]
    assert len(read.by_user("somebody").by_agent("kubectl/")) == 4
    assert len(read.by_user("somebody else")) == 0


def test_a_request_about_no_object_has_empty_names(tmp_path: Path) -> None:
    log = tmp_path / "log"
    raw = json.loads(an_event("get"))
    del raw["objectRef"], raw["responseStatus"]
    log.write_text(json.dumps(raw) + "\n")
    (event,) = AuditReader(log).read()
    assert (event.resource, event.namespace, event.name, event.code) == ("", "", "", 0)
