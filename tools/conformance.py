"""The conformance cases of the API notes, and which tests show each: written as docs/spec/conformance.md.

Called by tools/generate.py. A test belongs to the cases whose numbers stand in its name, test_case_05_… or
test_case_21_22_…; tests elsewhere that show a case on the whole operator are named here.
"""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
SDK, SIMULATOR, CLIENT, OPERATOR = "official SDK", "simulator", "client", "operator"
FOLDERS = {
    "tests/contract/sdk": SDK,
    "tests/contract/simulator": SIMULATOR,
    "tests/contract/client": CLIENT,
    "tests/unit/credentials": CLIENT,
    "tests/unit/modelarts": CLIENT,
}
_NAME = re.compile(r"test_case_((?:\d\d_)+)")

_WHOLE = "tests/integration/operator"
_HELD, _ANSWERS = f"{_WHOLE}/test_deletion_held.py", f"{_WHOLE}/test_deletion_answers.py"
_DELETING, _LIES = f"{_WHOLE}/test_deleting.py", f"{_WHOLE}/test_false_witnesses.py"
_SOURCES = f"{_WHOLE}/test_credential_sources.py"
_KEYS, _STATUS = f"{_WHOLE}/test_credentials.py", f"{_WHOLE}/test_status.py"


@dataclass(frozen=True)
class Case:
    """What must hold, where it has to be shown, and where else it is; `why_not` is for what is no part of this."""

    title: str
    shown_by: tuple[str, ...]
    elsewhere: tuple[str, ...] = ()
    why_not: str = ""


ALL = (SDK, CLIENT)
CASES: dict[int, Case] = {
    1: Case("DELETE answers 200 with the node pool as it was", ALL),
    2: Case("`continue` and `limit` arrive encoded, a space as %20", ALL),
    3: Case("list_node_pools is whole, without metadata; `items` null is empty, missing is garbage", ALL),
    4: Case("Nodes come page by page until the token is empty", ALL),
    5: Case("Signatures agree for plain, unicode and %2F names and any query", (*ALL, SIMULATOR)),
    6: Case("The signed path ends in a slash, the path on the wire does not", ALL),
    7: Case("A tampered header, path, body or query is 401 APIG.0301", (SIMULATOR,), why_not="the server's side alone"),
    8: Case("A clock more than 15 minutes off is refused and named", (*ALL, SIMULATOR)),
    9: Case(
        "More than five bad signatures in a row lock the key; we stop and wait",
        (*ALL, SIMULATOR),
        (f"{_KEYS}::test_a_wrong_key_is_said_tried_once_and_mended_without_a_restart",),
    ),
    10: Case("A security token must be signed and right; an empty one is not sent", (*ALL, SIMULATOR)),
    11: Case("X-Auth-Token is let in until it expires", (SIMULATOR,), why_not="the operator signs instead"),
    12: Case("A project of somebody else is 403 ModelArts.0210", (*ALL, SIMULATOR)),
    13: Case("IAM token: fetched, kept until shortly before its end", (), why_not="the operator signs instead"),
    14: Case(
        "Metadata: token, fallback without one, refresh, both forms of `expires_at`",
        ALL,
        (f"{_SOURCES}::test_a_deletion_outlives_several_keys_of_the_metadata_service",),
    ),
    15: Case("Project looked up by region", (), why_not="an account always names its project"),
    16: Case(
        "DELETE of an unknown node pool: 404 or 400; gone only when a list agrees",
        (*ALL, SIMULATOR),
        (
            f"{_DELETING}::test_the_object_goes_whichever_way_the_cloud_says_not_found",
            f"{_DELETING}::test_the_second_witness_is_asked_before_an_object_goes",
        ),
    ),
    17: Case(
        "An unknown resource pool is told apart",
        (*ALL, SIMULATOR),
        (f"{_STATUS}::test_an_absent_resource_pool_is_told_apart_from_an_absent_node_pool",),
    ),
    18: Case(
        "404 APIG.0101 is a wrong endpoint, never gone",
        (*ALL, SIMULATOR),
        (f"{_LIES}::test_no_lie_of_list_node_pools_releases_or_deletes_anything",),
    ),
    19: Case(
        "A yearly/monthly resource pool is refused, and never asked for",
        (*ALL, SIMULATOR),
        (f"{_HELD}::test_a_yearly_monthly_resource_pool_is_never_asked_to_be_deleted",),
    ),
    20: Case(
        "A yearly/monthly node in a pay-per-use pool holds its node pool",
        (*ALL, SIMULATOR),
        (f"{_HELD}::test_a_yearly_monthly_node_holds_its_node_pool",),
    ),
    21: Case("Counts as object, list, empty, null or missing: the same totals", (*ALL, SIMULATOR)),
    22: Case("spec.resources as a list of one", (*ALL, SIMULATOR)),
    23: Case("Unknown fields, texts and floats for numbers are taken; junk is a problem of its node pool", ALL),
    24: Case(
        "An accepted DELETE is not gone: deleting first, then not found",
        (*ALL, SIMULATOR),
        (f"{_DELETING}::test_the_object_stays_while_its_node_pool_is_being_deleted_and_goes_when_it_is_gone",),
    ),
    25: Case("202, 204 and an empty 200 are accepted", (*ALL, SIMULATOR)),
    26: Case(
        "200 with HTML, half of its JSON, nothing or null is neither gone nor healthy",
        (*ALL, SIMULATOR),
        (
            f"{_LIES}::test_no_lie_of_show_node_pool_is_the_second_witness",
            f"{_STATUS}::test_garbage_from_the_cloud_leaves_the_status_as_it_was",
        ),
    ),
    27: Case("409 now, 200 later", ALL),
    28: Case(
        "429 keeps its code, request id and Retry-After",
        (*ALL, SIMULATOR),
        (f"{_ANSWERS}::test_a_throttled_delete_had_no_effect_and_is_not_hammered",),
    ),
    29: Case(
        "5xx on a DELETE: its outcome is unknown, look first",
        (*ALL, SIMULATOR),
        (f"{_ANSWERS}::test_where_the_effect_is_unknown_the_operator_looks_before_it_sends_again",),
    ),
    30: Case(
        "Connection dropped after the DELETE: look, send no second",
        (*ALL, SIMULATOR),
        (f"{_ANSWERS}::test_a_delete_that_took_effect_is_never_sent_again_whatever_was_answered",),
    ),
    31: Case("A name that would change the URL sends nothing", (*ALL, SIMULATOR)),
    32: Case("No project, no request", ALL),
    33: Case("Endpoint without a scheme is https; with a path it is refused", ALL),
    34: Case("3xx is an error and never followed", (*ALL, SIMULATOR)),
    35: Case("Unknown authority refused, own bundle believed; there is no flag that turns the check off", ALL),
    36: Case("netrc changes nothing", ALL),
    37: Case("All forms of error bodies; request id from the header, else the body", ALL),
    38: Case("PATCH needs application/merge-patch+json", (SDK, SIMULATOR), why_not="the operator patches no node pool"),
    39: Case("CreateNodePool: count at least 1, maxCount not above it", (SDK, SIMULATOR), why_not="it creates none"),
    40: Case("An answer that surprises the SDK: two DELETEs from it, one from us", ALL),
    41: Case(
        "White space around keys is dropped; no output holds a key, secret or token",
        ALL,
        (
            "tests/unit/credentials/test_secret.py::test_white_space_around_values_is_dropped",
            "tests/integration/operator/test_secrecy.py::test_no_secret_is_ever_shown",
        ),
    ),
    42: Case("The default node pool is refused by the cloud", (*ALL, SIMULATOR)),
    43: Case("A name with capitals, dots or underscores is signed, sent and read unchanged", ALL),
    44: Case(
        "400 invalid nodepool name means not found, to show_node_pool alone",
        (CLIENT, SIMULATOR),
        (f"{_DELETING}::test_the_object_goes_whichever_way_the_cloud_says_not_found",),
    ),
    45: Case(
        "A state or a spec without `count`: taken from azs or maxCount where that is unambiguous, never zero",
        (CLIENT, SIMULATOR),
        (f"{_STATUS}::test_nodes_are_counted_by_whatever_number_the_cloud_gives",),
    ),
    46: Case(
        "list_workloads: all jobs, page by page; an answer that may be partial is an error",
        (*ALL, SIMULATOR),
        (f"{_HELD}::test_a_running_job_is_named_and_the_deletion_goes_on_by_itself_when_it_has_ended",),
    ),
    47: Case("A list of jobs that changes while it is read is read again, three times at most", (CLIENT,)),
    48: Case(
        "A region without list_workloads answers the gateway's 404: not the same as a missing resource pool",
        (CLIENT, SIMULATOR),
        (f"{_HELD}::test_where_jobs_cannot_be_listed_nodes_in_use_hold_and_idle_ones_do_not",),
    ),
    49: Case("Nodes show accelerators in use, a topology, an exclusive job; CPUs prove nothing", (*ALL, SIMULATOR)),
}

_HEAD = """\
<!-- generated by make generate; do not edit -->
# Conformance cases

What a client of the ModelArts node-pool API must get right, and the tests that show it. *official SDK* is
`huaweicloudsdkmodelarts` against the simulator, *client* is ours against it, *simulator* is the false cloud itself,
*operator* is the whole program. A case is found by its number: `pytest -k case_07`.

Its sources are `tools/conformance.py` and the names of the tests.

| case | what must hold | shown by |
|---|---|---|
"""


@cache
def named_tests() -> tuple[tuple[int, str, str], ...]:
    """Each case of each test named after it, with the side that the test is about and the test's id."""
    return tuple(_named_tests())


def _named_tests() -> Iterator[tuple[int, str, str]]:
    for path in sorted(ROOT.glob("tests/**/test_*.py")):
        relative = path.relative_to(ROOT).as_posix()
        for name in function_names(path):
            found = _NAME.match(name)
            for number in found.group(1).split("_")[:-1] if found else ():
                side = next((side for folder, side in FOLDERS.items() if relative.startswith(folder)), OPERATOR)
                yield int(number), side, f"{relative}::{name}"


def function_names(path: Path) -> list[str]:
    """The functions of a test file, in order."""
    nodes = ast.walk(ast.parse(path.read_text()))
    return [node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def shown_for(number: int) -> dict[str, list[str]]:
    """The tests of a case by side."""
    found: dict[str, list[str]] = {}
    for case, side, test in named_tests():
        if case == number:
            found.setdefault(side, []).append(test)
    for test in CASES[number].elsewhere:
        found.setdefault(OPERATOR, []).append(test)
    return found


def build_conformance() -> str:
    """The text of docs/spec/conformance.md."""
    return _HEAD + "".join(_row(number, case) for number, case in CASES.items())


def _row(number: int, case: Case) -> str:
    lines = [f"{side}: {', '.join(map(_link, tests))}" for side, tests in shown_for(number).items()]
    if case.why_not:
        lines.append(f"*not our client: {case.why_not}*")
    return f"| {number} | {case.title} | {'<br>'.join(lines)} |\n"


def _link(test: str) -> str:
    path, _, name = test.partition("::")
    words = _NAME.sub("", name).removeprefix("test_").replace("_", " ")
    return f"[{words}](../../{path})"
