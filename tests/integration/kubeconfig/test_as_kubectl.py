"""Given the same kubeconfigs and the same environment, ours reaches what kubectl reaches, as the same person."""

from collections.abc import Callable, Mapping

import pytest

from tests.integration.kubeconfig.conftest import Bench
from tests.integration.kubeconfig.rows import CA, CONTEXTS, FILES, FORMATS, Row, a_kubeconfig
from tests.integration.kubeconfig.rows_of_users import CERTIFICATES, IMPERSONATION, PLUGINS, TOKENS
from tests.integration.kubeconfig.rows_of_ways import ADDRESSES, EXCEPTIONS, PROXIES, SERVERS, TLS

pytestmark = pytest.mark.long

Use = Callable[[Mapping[str, str]], None]


def table(rows: Mapping[str, Row]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("row", [pytest.param(row, id=name) for name, row in rows.items()])


async def compare(bench: Bench, use_environment: Use, row: Row) -> None:
    """Ask both."""
    for name, content in row.files.items():
        bench.write(name, content)
    use_environment(row.environment())
    flags = [f"--kubeconfig={row.kubeconfig}"] if row.kubeconfig else []
    flags += [f"--context={row.context}"] if row.context else []
    # Ours first: kubectl may write.
    ours = await bench.ask_ours(row.kubeconfig, row.context)
    theirs = await bench.ask_kubectl(*flags)
    if row.ours_refuses is not None:
        assert ours.seen is None
        assert row.ours_refuses in ours.words
        return
    assert ours.seen == theirs.seen, f"kubectl: {theirs.words}; ours: {ours.words}"
    assert (theirs.seen is None) == (row.refused is not None), theirs.words
    assert (row.refused or "") in ours.words


@table(FILES)
async def test_the_same_files_are_read(bench: Bench, use_environment: Use, row: Row) -> None:
    await compare(bench, use_environment, row)


@table(CONTEXTS)
async def test_the_same_context_is_used(bench: Bench, use_environment: Use, row: Row) -> None:
    await compare(bench, use_environment, row)


@table(FORMATS)
async def test_the_same_text_is_understood(bench: Bench, use_environment: Use, row: Row) -> None:
    await compare(bench, use_environment, row)


@table(TOKENS)
async def test_the_same_token_or_password_is_sent(bench: Bench, use_environment: Use, row: Row) -> None:
    await compare(bench, use_environment, row)


@table(CERTIFICATES)
async def test_the_same_certificate_is_shown(bench: Bench, use_environment: Use, row: Row) -> None:
    for name in ("alice.crt", "alice.key"):
        bench.write(f"sub/{name}", (bench.recorder.authority.folder / name).read_bytes())
    await compare(bench, use_environment, row)


@table(IMPERSONATION)
async def test_the_same_person_is_stood_for(bench: Bench, use_environment: Use, row: Row) -> None:
    await compare(bench, use_environment, row)


@table(PLUGINS)
async def test_the_same_is_told_to_a_plugin_and_taken_from_it(bench: Bench, use_environment: Use, row: Row) -> None:
    await compare(bench, use_environment, row)


@table(SERVERS)
async def test_the_same_server_is_reached(bench: Bench, use_environment: Use, row: Row) -> None:
    await compare(bench, use_environment, row)


@table(TLS)
async def test_the_same_certificates_are_believed(bench: Bench, use_environment: Use, row: Row) -> None:
    await compare(bench, use_environment, row)


@table(PROXIES)
async def test_the_same_proxy_is_used(bench: Bench, use_environment: Use, row: Row) -> None:
    if row.refused == "407":
        bench.recorder.proxy_status = "407 Proxy Authentication Required"
    await compare(bench, use_environment, row)


@pytest.mark.parametrize(
    ("host", "entry", "is_excepted"),
    [
        *(pytest.param("kube.example", entry, away, id=f"name {entry!r}") for entry, away in EXCEPTIONS.items()),
        *(pytest.param("203.0.113.7", entry, away, id=f"address {entry!r}") for entry, away in ADDRESSES.items()),
    ],
)
async def test_no_proxy_excepts_the_same(
    bench: Bench, use_environment: Use, host: str, entry: str, *, is_excepted: bool
) -> None:
    # Nobody is there directly, so what counts is whether the proxy was asked.
    bench.recorder.proxy_status = "403 It was the proxy"
    bench.write("k", a_kubeconfig(f"https://{host}:$PORT", certificate_authority=CA))
    use_environment({"KUBECONFIG": "k", "HTTPS_PROXY": "$PROXY", "NO_PROXY": entry})
    asked = bench.recorder.asked_proxies
    theirs, by_kubectl = await bench.ask_kubectl("--request-timeout=2s"), asked[:]
    asked.clear()
    await bench.ask_ours()
    assert (by_kubectl != []) == (asked != []) == (not is_excepted), theirs.words
