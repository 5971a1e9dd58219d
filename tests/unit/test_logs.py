"""What a log line holds, and what it never holds. SECRET stands for every secret."""

import io
import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from typing_extensions import override

from modelarts_nodepool.logs import clean, masked, redact, set_up_logging

SECRET = "c4n4ry+b8/Zq=="

Log = Callable[[], str]


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = (root.level, sys.excepthook, threading.excepthook)
    levels = {name: logging.getLogger(name).level for name in ("kopf", "httpx", "httpcore")}
    yield
    root.handlers.clear()
    root.level, sys.excepthook, threading.excepthook = before
    logging.captureWarnings(capture=False)
    for name, level in levels.items():
        logging.getLogger(name).setLevel(level)


def set_up(log_format: str, level: str = "debug") -> io.StringIO:
    redact(SECRET)
    stream = io.StringIO()
    set_up_logging(log_format, level, stream)
    return stream


def last(stream: io.StringIO) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(stream.getvalue().splitlines()[-1])
    return found


def test_a_line_is_one_json_object_with_what_it_is_about() -> None:
    stream = set_up("json")
    about = {"object": "ml/a", "uid": "u-1", "nodePool": "training-a", "requestId": "r-1", "attempt": 2}
    logging.getLogger("some.room").info("sent %s", "DELETE", extra=about)
    line = last(stream)
    assert line.pop("ts").endswith("+00:00")
    assert line == {"level": "info", "logger": "some.room", "message": "sent DELETE"} | about
    assert stream.getvalue().count("\n") == 1


def test_a_text_line_is_for_people() -> None:
    stream = set_up("text")
    logging.getLogger("some.room").warning("held", extra={"object": "ml/a", "requestId": None})
    assert stream.getvalue().endswith(" WARNING held  [some.room object=ml/a]\n")


def test_an_extra_cannot_take_the_place_of_the_message() -> None:
    stream = set_up("json")
    logging.getLogger("x").info("real", extra={"level": "fatal", "ts": "never"})
    assert last(stream)["level"] == "info"
    assert last(stream)["extra_level"] == "fatal"


def test_the_loggers_of_kopf_name_their_object() -> None:
    stream = set_up("json")
    reference = {"kind": "ModelArtsNodePool", "name": "a", "namespace": "ml", "uid": "u-1"}
    # kopf's own handler on this logger, there once anything has imported kopf, reads them.
    settings = SimpleNamespace(posting=SimpleNamespace(level=logging.CRITICAL, enabled=False, loggers=False))
    extra = {"settings": settings, "k8s_skip": True, "k8s_ref": reference}
    logging.getLogger("kopf.objects").warning("throttled", extra=extra)
    line = last(stream)
    assert (line["object"], line["uid"]) == ("ml/a", "u-1")
    assert not line.keys() & {"settings", "k8s_skip", "k8s_ref"}
    logging.getLogger("kopf.objects").warning("x", extra={"k8s_ref": {"name": "default", "uid": "u-2"}})
    assert last(stream)["object"] == "default"


@pytest.mark.parametrize("name", ["httpx", "httpcore.http11", "kopf.activities", "aiohttp.access", "asyncio"])
def test_libraries_stay_quiet_even_at_level_debug(name: str) -> None:
    stream = set_up("json", "debug")
    logging.getLogger(name).info("GET https://example?Signature=x")
    assert stream.getvalue() == ""


def test_the_level_is_kept() -> None:
    stream = set_up("json", "warning")
    logging.getLogger("some.room").info("unseen")
    logging.getLogger("some.room").error("seen")
    assert last(stream)["message"] == "seen"
    assert stream.getvalue().count("\n") == 1


def test_setting_up_twice_writes_each_line_once() -> None:
    first, second = set_up("json"), set_up("text")
    logging.getLogger("x").info("once")
    assert first.getvalue() == ""
    assert second.getvalue().count("once") == 1


def fail_with(text: str) -> None:
    raise ValueError(text)


def fail_twice_with(text: str) -> None:
    try:
        fail_with(text)
    except ValueError as error:
        raise RuntimeError("outer") from error


def log_traceback() -> None:
    try:
        fail_twice_with(f"key {SECRET}")
    except RuntimeError:
        logging.getLogger("x").exception("failed with %s", SECRET)


def log_uncaught() -> None:
    try:
        fail_twice_with(SECRET)
    except RuntimeError as error:
        sys.excepthook(type(error), error, error.__traceback__)


def log_uncaught_in_thread() -> None:
    thread = threading.Thread(target=fail_twice_with, args=(SECRET,))
    thread.start()
    thread.join()


def log_nested_extra() -> None:
    nested = {"headers": {"Authorization": "anything", "x": [SECRET, (SECRET,)]}, SECRET: 1}
    logging.getLogger("x").info("sent", extra={"request": nested, "token": "short", "odd": {SECRET: SECRET}})


def warn() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"deprecated {SECRET}", stacklevel=1)


@pytest.mark.parametrize("log_format", ["json", "text"])
@pytest.mark.parametrize(
    "leak",
    [
        pytest.param(lambda: logging.getLogger("x").debug(f"key {SECRET}"), id="message"),  # noqa: G004
        pytest.param(lambda: logging.getLogger("x").debug("key %s", SECRET), id="argument"),
        pytest.param(lambda: logging.getLogger("x").debug("%r", {"k": [SECRET]}), id="argument in a dict"),
        pytest.param(lambda: logging.getLogger("x").debug("a", extra={"k": SECRET}), id="extra"),
        pytest.param(lambda: logging.getLogger("x").debug("%d", SECRET), id="argument of the wrong type"),
        pytest.param(lambda: logging.getLogger("x").debug(f"%d {SECRET}", "a"), id="broken template"),  # noqa: G004
        pytest.param(lambda: logging.getLogger("x").debug("?a=%s", quote(SECRET, safe="")), id="in a URL"),
        pytest.param(lambda: logging.getLogger("x").debug(json.dumps({"a": SECRET})), id="in JSON"),
        pytest.param(lambda: logging.getLogger("x").debug("YzRuNHJ5K2I4L1pxPT0="), id="base64 of a Secret"),
        pytest.param(log_nested_extra, id="nested extra"),
        pytest.param(log_traceback, id="traceback"),
        pytest.param(log_uncaught, id="uncaught error"),
        pytest.param(log_uncaught_in_thread, id="uncaught error in a thread"),
        pytest.param(warn, id="warning"),
    ],
)
def test_no_secret_reaches_the_log(
    log_format: str, leak: Callable[[], None], capsys: pytest.CaptureFixture[str]
) -> None:
    stream = set_up(log_format)
    leak()
    said = stream.getvalue() + "".join(capsys.readouterr())
    assert stream.getvalue()
    for form in ("c4n4ry", "YzRuNHJ5", "anything", "short"):
        assert form not in said


def test_arguments_that_do_not_fit_cost_no_message() -> None:
    stream = set_up("json")
    logging.getLogger("x").info("%d node pools", "three")
    assert last(stream)["message"] == "%d node pools (its arguments do not fit)"


class Unprintable:
    @override
    def __str__(self) -> str:
        raise RuntimeError(SECRET)


def test_a_record_that_cannot_be_written_shows_nothing_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    stream = set_up("json")
    logging.getLogger("some.room").info("%s", Unprintable())
    assert "could not be written" in stream.getvalue()
    assert "c4n4ry" not in stream.getvalue() + "".join(capsys.readouterr())


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: SDK-HMAC-SHA256 Access=AK, SignedHeaders=host;x-sdk-date, Signature=0c0ffee0",
        "{'Authorization': 'SDK-HMAC-SHA256 Access=AK, Signature=0c0ffee0', 'Host': 'x'}",
        '{"X-Security-Token": "0c0ffee0"}',
        r"{\"X-Security-Token\": \"0c0ffee0\"}",
        "[(b'x-security-token', b'0c0ffee0'), (b'host', b'x')]",
        "X-Auth-Token=0c0ffee0",
        "GET /v2?AWSAccessKeyId=AK&Expires=1&Signature=0c0ffee0",
        "secretKey: 0c0ffee0",
        "{'secret_access_key': '0c0ffee0', 'security_token': '0c0ffee0'}",
        "client_secret=0c0ffee0&grant_type=x",
        "secretKey=FILE+0c0ffee0",
        "curl -H 'Authorization: Bearer 0c0ffee0'",
        "the token was Bearer 0c0ffee0.0c0ffee0-0c0ffee0",
        "id eyJhbGciOiJSUzI1.eyJpc3M0c0ffee0.0c0ffee0_0c0ffee0 seen",
        "Cookie: a=0c0ffee0; b=0c0ffee0",
    ],
)
def test_what_looks_like_a_secret_is_masked_unregistered(text: str) -> None:
    assert "0c0ffee0" not in masked(text)
    assert "***" in masked(text)


@pytest.mark.parametrize(
    "text",
    [
        "The signature does not match: check secretKey in Secret keys",
        "no bearer token was found",
        "object ml/a, node pool training-a, request id 0c0ffee0",
        "CredentialsRejected: APIG.0301 Incorrect IAM authentication information",
    ],
)
def test_words_for_people_are_left_alone(text: str) -> None:
    assert masked(text) == text


def test_a_secret_that_is_still_read_outlives_any_number_of_temporary_ones() -> None:
    for number in range(1500):
        redact("lasting-secret-of-an-account")
        redact(f"temporary-secret-number-{number:06}")
        assert masked("lasting-secret-of-an-account") == "***"
    assert masked("temporary-secret-number-001499") == "***"
    assert masked("temporary-secret-number-000000") == "temporary-secret-number-000000"


def test_a_secret_inside_another_one_leaves_nothing_of_the_longer_standing() -> None:
    redact("inner-secret")
    redact("outer-inner-secret-outer")
    assert masked("see outer-inner-secret-outer and inner-secret") == "see *** and ***"


def test_short_and_missing_values_are_not_secrets() -> None:
    redact("abc")
    redact("")
    redact(None)
    assert masked("abc") == "abc"


def test_a_secret_inside_a_longer_one_leaves_no_rest() -> None:
    redact("inner-canary")
    redact("inner-canary-and-more")
    assert masked("x inner-canary-and-more y") == "x *** y"


def test_the_words_of_others_become_one_short_line() -> None:
    assert clean("a\n\tb\x00c \x1b[0m") == "a b c [0m"
    assert clean("x" * 600) == "x" * 499 + "…"
    redact(SECRET)
    assert clean(f"with {SECRET}") == "with ***"


@pytest.mark.parametrize("time", ["first", "second"])
def test_a_secret_of_one_test_is_none_in_the_next(time: str) -> None:
    said = f"a peculiar word for the {time} time"
    assert masked(said) == said
    redact("peculiar")
    assert "peculiar" not in masked(said)
