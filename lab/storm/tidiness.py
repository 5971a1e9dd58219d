"""Judges what the operator left behind in words: no secret anywhere, no exception that nobody foresaw. Pure."""

import json
from collections.abc import Iterator

from lab.storm.evidence import Evidence, Violation

# The storm's own doing: the API server was away for longer than a Lease lasts, or than a watch of kopf likes.
FORESEEN = ("the Lease ",)
FORESEEN_LOGGERS = ("kopf.",)
# An API server that has just started lets nobody in for a moment: kopf tells that with a traceback, and ends. Errors
# of our handlers come by another of its loggers.
WATCHERS = ("kopf._core.reactor.orchestration", "kopf._core.reactor.running")
SHOWN = 2000
UNFORESEEN = "no exception that nobody foresaw"
# Nobody takes our finalizer away in a storm, and all that is deleted was protected before.
FALSE_ALARM = "no leak is told where there is none"


def judge_tidiness(evidence: Evidence) -> list[Violation]:
    """Secrets in logs or objects, errors and false alarms in logs, exits that were not ordered."""
    exits = [Violation("no exit that was not ordered", "operator", words) for words in evidence.journal.unordered_exits]
    return [*exits, *_secrets(evidence), *_errors(evidence)]


def _secrets(evidence: Evidence) -> Iterator[Violation]:
    secrets = [secret for keys in evidence.plan.secrets.values() for _, secret in keys]
    for name, text in evidence.texts.items():
        for secret in secrets:
            if secret in text:
                yield Violation("no secret in logs or objects", name, f"a secret key, {secret[:4]}…, stands in {name}")
        if "Signature=" in text:
            yield Violation("no secret in logs or objects", name, f"a signature stands in {name}")


def _errors(evidence: Evidence) -> Iterator[Violation]:
    for name, text in evidence.texts.items():
        if not name.startswith("operator-"):
            continue
        seen: set[tuple[str, str]] = set()
        for line in text.splitlines():
            rule, words = _judge_line(line)
            # The same words many times are told once.
            if rule and (rule, words) not in seen:
                seen.add((rule, words))
                yield Violation(rule, name, line[:SHOWN])


def _judge_line(line: str) -> tuple[str, str]:
    """The rule that a line of the log breaks, and its message; empty where it breaks none."""
    try:
        entry = json.loads(line)
    except ValueError:
        # A line that SIGKILL cut short is no error; anything else that is not JSON is.
        return ("", "") if line.startswith("{") or not line.strip() else (UNFORESEEN, line)
    message = str(entry.get("message", ""))
    if entry.get("audit") == "leak":
        return FALSE_ALARM, message
    logger = str(entry.get("logger", ""))
    if logger.startswith(WATCHERS):
        return "", ""
    is_foreseen = message.startswith(FORESEEN) or logger.startswith(FORESEEN_LOGGERS)
    is_error = entry.get("level") in {"error", "critical"} and not is_foreseen
    return (UNFORESEEN, message) if is_error or "traceback" in entry else ("", "")
