"""Error codes and sentences with a meaning, each with its source.

Read by modelarts/faults.py. Gateway codes have one of two prefixes (APIG. and APIGW.), so they are compared by number.
Sources: "DOC" Huawei Cloud's ModelArts pages, "OTC" the same product's pages at Open Telekom Cloud, "APIG" the API
Gateway's error code page, "ROMA" the one of ROMA Connect, "seen" third-party reports.
"""

import re
from collections.abc import Collection, Iterator

MODELARTS_PREFIX = "ModelArts."
_GATEWAY = re.compile(r"APIGW?\.(\d+)")

# No such route: wrong host, region or method. Never "gone". APIG; the code of ModelArts itself: OTC.
GATEWAY_NO_SUCH_API = frozenset({"0101"})
MODELARTS_NO_SUCH_API = frozenset({"ModelArts.4204"})

# Wrong signature, key or clock. Six in a row lock the key for five minutes. APIG.
GATEWAY_CREDENTIALS = frozenset({"0301", "0303"})
# Invalid token, invalid access key, both answered with 403. OTC.
MODELARTS_CREDENTIALS = frozenset({"ModelArts.0203", "ModelArts.0206"})

# The project in the URL is not the one of the credentials, answered with 403. OTC.
MODELARTS_OTHER_PROJECT = frozenset({"ModelArts.0210"})

# Too many requests. APIG, and seen for a daily quota; the others OTC.
GATEWAY_THROTTLED = frozenset({"0308"})
MODELARTS_THROTTLED = frozenset({"ModelArts.2799", "ModelArts.4206", "ModelArts.6101"})
# The gateway's message names the limit and its window, as in "limit:60,time:1 minute". A window of a day or more, or
# the word itself, is a quota that does not free within minutes. Seen.
_DAILY_QUOTA = re.compile(r"\bdaily\b|\bper day\b|\bquota (?:of|for) (?:the|to)[ -]?day\b|\btime\s*[:=]\s*\d+ ?days?\b")

# "Operations conflict, later." OTC.
MODELARTS_CONFLICT = frozenset({"ModelArts.5044"})

# The resource pool does not exist: DOC and OTC; the second one is the training family's. OTC.
RESOURCE_POOL_NOT_FOUND = frozenset({"ModelArts.50015001", "ModelArts.2890"})
# A 404 about something else than a pool: a flavor or plug-in template, a network. OTC.
OTHER_THING_NOT_FOUND = frozenset({"ModelArts.50005101", "ModelArts.50025001", "ModelArts.50025002"})

# A 400 that means "not found" says so in one sentence about one of these things. "Record not found" was seen; the
# others follow "pool not found" and "Pool {name} not found." (OTC).
_THING = r"(?:the |this )?(?:record|node ?-?pool|resource ?-?pool|pool)(?: {name})?"
_PLACE = r"(?: in (?:the )?(?:resource ?-?)?pool(?: {name})?)?"
_ABSENT = r"(?:(?:is |was )?not found|(?:cannot|can not|could not) be found|(?:does |do )?not exist|no longer exists)"
NOT_FOUND_SENTENCE = f"{_THING}{_PLACE} {_ABSENT}{_PLACE}"
# `"{name}" not found`: seen for a resource pool. Without its quotes a name could be any word of a sentence.
_QUOTED_NOT_FOUND = rf"[\"'`\u2018\u201c]{{name}}[\"'`\u2019\u201d] {_ABSENT}"
_QUOTES = re.compile(r"[\"'`\[\](){}<>\u2018\u2019\u201c\u201d]")
_SENTENCE_END = re.compile(r"[.;:,!]+(?:\s|$)")


def gateway_number(code: str | None) -> str | None:
    """The number of a gateway's code; None if the code is not a gateway's."""
    found = _GATEWAY.fullmatch(code or "")
    return found.group(1) if found else None


def is_modelarts_code(code: str | None) -> bool:
    """Whether the code is of ModelArts itself, not of its gateway."""
    return bool(code) and str(code).startswith(MODELARTS_PREFIX)


def says_daily_quota(message: str) -> bool:
    """Whether the message of a 429 is about a daily quota."""
    return _DAILY_QUOTA.search(message.lower()) is not None


def says_not_found(message: str, names: tuple[str, ...]) -> bool:
    """Whether one sentence of an error message says that the resource in the call does not exist.

    `names` are the names in the call: "network x not found" must not count for a pool with another name.
    """
    # Sentences are compared in lower case.
    name = f"(?:{'|'.join(re.escape(each.lower()) for each in names)})"
    # Not str.format: the patterns have braces of their own.
    sentence, quoted = (
        re.compile(pattern.replace("{name}", name)) for pattern in (NOT_FOUND_SENTENCE, _QUOTED_NOT_FOUND)
    )
    raw = _sentences(message, keep_quotes=True)
    return any(map(sentence.fullmatch, _sentences(message))) or any(map(quoted.fullmatch, raw))


def says(message: str, sentences: Collection[str], names: tuple[str, ...]) -> bool:
    """Whether one sentence of an error message is one of these; `{name}` stands for a name in the call."""
    meant = {sentence.replace("{name}", name.lower()) for sentence in sentences for name in names}
    return any(part in meant for part in _sentences(message))


def _sentences(message: str, *, keep_quotes: bool = False) -> Iterator[str]:
    """The sentences in lower case, with single spaces; without quotes and brackets unless `keep_quotes`."""
    text = message.lower().replace("doesn't", "does not")
    text = text if keep_quotes else _QUOTES.sub(" ", text)
    return (" ".join(part.split()) for part in _SENTENCE_END.split(text))
