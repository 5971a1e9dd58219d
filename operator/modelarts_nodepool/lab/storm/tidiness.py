"""Judges what the operator left behind in words: no secret anywhere, no exception that nobody foresaw. Pure."""

import json
from collections.abc import Iterator

from modelarts_nodepool.lab.storm.evidence import Evidence, Violation

# The storm's own doing: the API server was away for longer than a Lease lasts, or than a watch of kopf likes.
FORESEEN = ("the Lease ",)
FORESEEN_LOGGERS = ("kopf.",)
SHOWN = 2000


def judge_tidiness(evidence: Evidence) -> list[Violation]:
    """Secrets in logs or objects, errors in logs, exits that were not ordered."""
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
        seen: set[str] = set()
        for line in text.splitlines():
            words = _error_of(line)
            # The same error many times is told once.
            if words and words[:80] not in seen:
                seen.add(words[:80])
                yield Violation("no exception that nobody foresaw", name, words[:SHOWN])


def _error_of(line: str) -> str:
    """The line where it tells of an error of ours; empty where it does not."""
    try:
        entry = json.loads(line)
    except ValueError:
        # A line that SIGKILL cut short is no error; anything else that is not JSON is.
        return "" if line.startswith("{") or not line.strip() else f"not a log line: {line}"
    message = str(entry.get("message", ""))
    is_foreseen = message.startswith(FORESEEN) or str(entry.get("logger", "")).startswith(FORESEEN_LOGGERS)
    is_error = entry.get("level") in {"error", "critical"} and not is_foreseen
    return line if is_error or "traceback" in entry else ""
