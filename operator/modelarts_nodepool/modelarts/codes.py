"""The codes and phrases that have a meaning to us, each with where that meaning is known from.

Read by modelarts/faults.py. Gateway codes come with either prefix (APIG. and APIGW.), so they are compared
by their number. Sources: "DOC" Huawei Cloud's ModelArts pages, "OTC" the same product's pages at Open Telekom
Cloud, "APIG" the API Gateway's error code page, "ROMA" the one of ROMA Connect, "seen" third-party reports.
"""

import re
from collections.abc import Collection, Iterator

MODELARTS_PREFIX = "ModelArts."
_GATEWAY = re.compile(r"APIGW?\.(\d+)")

# No such route: wrong host, region or method. Never "gone". APIG; and ModelArts' own word for it (OTC).
GATEWAY_NO_SUCH_API = frozenset({"0101"})
MODELARTS_NO_SUCH_API = frozenset({"ModelArts.4204"})

# The signature, the key or the clock. Six of them in a row lock the key for five minutes. APIG.
GATEWAY_CREDENTIALS = frozenset({"0301", "0303"})
# Invalid token, invalid access key, both answered with 403. OTC.
MODELARTS_CREDENTIALS = frozenset({"ModelArts.0203", "ModelArts.0206"})

# The project in the URL is not the one of the credentials, answered with 403. OTC.
MODELARTS_OTHER_PROJECT = frozenset({"ModelArts.0210"})

# Too many requests. APIG, and seen for a daily quota; the others OTC.
GATEWAY_THROTTLED = frozenset({"0308"})
MODELARTS_THROTTLED = frozenset({"ModelArts.2799", "ModelArts.4206", "ModelArts.6101"})
# The gateway's message names the limit and its window, as in "limit:60,time:1 minute"; a window of a day or more,
# or the word itself, is a quota that does not free within minutes. Seen.
_DAILY_QUOTA = re.compile(r"\bdaily\b|\bper day\b|\bquota (?:of|for) (?:the|to)[ -]?day\b|\btime\s*[:=]\s*\d+ ?days?\b")

# "Operations conflict, later." OTC.
MODELARTS_CONFLICT = frozenset({"ModelArts.5044"})

# The resource pool does not exist: DOC and OTC; the second one is the training family's. OTC.
RESOURCE_POOL_NOT_FOUND = frozenset({"ModelArts.50015001", "ModelArts.2890"})
# 404 about other things than pools: a flavor or plug-in template, a network. OTC.
OTHER_THING_NOT_FOUND = frozenset({"ModelArts.50005101", "ModelArts.50025001", "ModelArts.50025002"})

# A 400 that means "not found" says so in one sentence about one of these things, and nothing else. "Record not
# found" is seen; the others follow "pool not found" and "Pool {name} not found." (OTC).
_THING = r"(?:the |this )?(?:record|node ?-?pool|resource ?-?pool|pool)(?: {name})?"
_PLACE = r"(?: in (?:the )?(?:resource ?-?)?pool(?: {name})?)?"
_ABSENT = r"(?:(?:is |was )?not found|(?:cannot|can not|could not) be found|(?:does |do )?not exist|no longer exists)"
NOT_FOUND_SENTENCE = f"{_THING}{_PLACE} {_ABSENT}{_PLACE}"
# `"{name}" not found`: seen of a resource pool. Without its quotes a name could be any word of a sentence.
_QUOTED_NOT_FOUND = rf"[\"'`\u2018\u201c]{{name}}[\"'`\u2019\u201d] {_ABSENT}"
_QUOTES = re.compile(r"[\"'`\[\](){}<>\u2018\u2019\u201c\u201d]")
_SENTENCE_END = re.compile(r"[.;:,!]+(?:\s|$)")


def gateway_number(code: str | None) -> str | None:
    """The number of a gateway's code; None where the code is not a gateway's."""
    found = _GATEWAY.fullmatch(code or "")
    return found.group(1) if found else None


def is_modelarts_code(code: str | None) -> bool:
    """Whether ModelArts itself speaks, not the gateway before it."""
    return bool(code) and str(code).startswith(MODELARTS_PREFIX)


def says_daily_quota(words: str) -> bool:
    """Whether a message of throttling is about a quota of the day rather than of a minute."""
    return _DAILY_QUOTA.search(words.lower()) is not None


def says_not_found(words: str, names: tuple[str, ...]) -> bool:
    """Whether one sentence of an error message says that the thing asked for does not exist.

    `names` are those that were asked for: "network x not found" must not pass for a pool named otherwise.
    """
    # The words are compared in small letters, so the names are as well.
    name = f"(?:{'|'.join(re.escape(each.lower()) for each in names)})"
    # Not str.format: the patterns have braces of their own.
    sentence, quoted = (
        re.compile(pattern.replace("{name}", name)) for pattern in (NOT_FOUND_SENTENCE, _QUOTED_NOT_FOUND)
    )
    raw = _sentences(words, is_quoted=True)
    return any(map(sentence.fullmatch, _sentences(words))) or any(map(quoted.fullmatch, raw))


def says(words: str, sentences: Collection[str], names: tuple[str, ...]) -> bool:
    """Whether one sentence of an error message is one of these, `{name}` in them being a name that was asked for."""
    meant = {sentence.replace("{name}", name.lower()) for sentence in sentences for name in names}
    return any(part in meant for part in _sentences(words))


def _sentences(words: str, *, is_quoted: bool = False) -> Iterator[str]:
    """In small letters, one space between words; without quotes and brackets unless they are asked for."""
    text = words.lower().replace("doesn't", "does not")
    text = text if is_quoted else _QUOTES.sub(" ", text)
    return (" ".join(part.split()) for part in _SENTENCE_END.split(text))
