"""The flags that several commands share: name, environment variable, help and check.

Decorators for cli.py, commands/doctor/ and commands/inventory/. A flag that `run` has too reads the same variable, so
a command in the operator's Pod has the settings of the operator.
"""

import re
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from functools import wraps
from typing import Any, TypeVar

import click

from modelarts_nodepool.credentials.metadata import METADATA_URL, check_metadata_endpoint
from modelarts_nodepool.credentials.oidc import check_sts_endpoint
from modelarts_nodepool.decide import remedies
from modelarts_nodepool.errors import SettingsError
from modelarts_nodepool.modelarts.endpoints import Endpoint, parse_endpoints
from modelarts_nodepool.settings import DEFAULT_NAMESPACE, DEFAULT_SWEEP_INTERVAL, DEFAULT_WATCH_TIMEOUT

PREFIX = "MODELARTS_NODEPOOL"
_NAMESPACE = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")

F = TypeVar("F", bound=Callable[..., Any])


def check_namespace(flag: str, name: str) -> str:
    """The name, if it is a valid namespace name. Raises errors.SettingsError."""
    if _NAMESPACE.fullmatch(name) is None:
        raise SettingsError(
            f"{flag} is {name[:80]!r}, which is not a valid namespace name: use lower-case letters, digits and "
            f"hyphens; see: {remedies.list_namespaces()}"
        )
    return name


def refuse_unknown(flag: str, kind: str, names: Collection[str], known: Collection[str]) -> None:
    """Raises errors.SettingsError if one of the names is not known."""
    if unknown := sorted(set(names) - set(known)):
        shown = ", ".join(sorted(known)[:10]) or "none"
        raise SettingsError(f"{flag} {unknown[0][:80]!r}: there is no such {kind}; existing: {shown}")


def checked(convert: Callable[[Any], Any]) -> Callable[[click.Context, click.Parameter, Any], Any]:
    """A callback for click: the value as `convert` returns it, which raises errors.SettingsError."""
    return lambda _context, _flag, value: convert(value)


def setting(flag: str, *names: str, **options: Any) -> Callable[[F], F]:  # noqa: ANN401 - click's
    """A flag with an environment variable of its name: --http-port, MODELARTS_NODEPOOL_HTTP_PORT."""
    variable = flag.partition("/")[0].strip("-").upper().replace("-", "_")
    return click.option(flag, *names, envvar=f"{PREFIX}_{variable}", show_envvar=True, **options)


def _advanced_span(flag: str, default: timedelta, help_text: str) -> Callable[[F], F]:
    """A duration in seconds, for tests: hidden in --help."""
    return setting(
        flag,
        default=default.total_seconds(),
        type=click.FloatRange(1, 3600),
        callback=checked(lambda seconds: timedelta(seconds=seconds)),
        hidden=True,
        help=help_text,
    )


watch_timeout = _advanced_span(
    "--watch-timeout", DEFAULT_WATCH_TIMEOUT, "Seconds after which the API server ends each stream of the watch."
)
sweep_interval = _advanced_span("--sweep-interval", DEFAULT_SWEEP_INTERVAL, "Seconds between two resyncs.")

operator_namespace = setting(
    "--operator-namespace",
    default=DEFAULT_NAMESPACE,
    show_default=True,
    callback=checked(lambda name: check_namespace("--operator-namespace", name)),
    help="The namespace that holds the credentials Secrets of the accounts.",
)

endpoints = setting(
    "--endpoint",
    "endpoints",
    multiple=True,
    metavar="REGION=URL",
    callback=checked(parse_endpoints),
    help="The URL of the ModelArts API of a region, instead of its public address. http:// only for loopback. "
    "Repeatable; in the environment, separate with spaces.",
)

ca_bundle = setting(
    "--ca-bundle",
    metavar="FILE",
    help="PEM file with certificate authorities to trust in addition to the public ones, for a private endpoint or a "
    "proxy that intercepts TLS. SSL_CERT_FILE replaces the public ones. Verification cannot be disabled.",
)

sts_endpoint = setting(
    "--sts-endpoint",
    metavar="URL",
    callback=checked(lambda url: check_sts_endpoint(url) if url else None),
    help="The security token service for credentials of source OIDC, for example a private endpoint. Default: "
    "https://sts.REGION.myhuaweicloud.com, where REGION is the account's. http:// only for loopback.",
)

metadata_endpoint = setting(
    "--metadata-endpoint",
    metavar="URL",
    callback=checked(lambda url: check_metadata_endpoint(url) if url else None),
    help=f"For tests: a loopback URL instead of the instance metadata service at {METADATA_URL}.",
)

kubeconfig = setting(
    "--kubeconfig",
    metavar="FILE",
    help="The kubeconfig. Default: KUBECONFIG, ~/.kube/config, the Pod's ServiceAccount, as kubectl does.",
)

context = click.option(
    "--context",
    metavar="NAME",
    help="The context of the kubeconfig. Default: its current context, as kubectl does.",
)


accounts = click.option(
    "--account",
    "accounts",
    multiple=True,
    metavar="NAME",
    help="Only this ModelArtsAccount. Repeatable. Default: all.",
)


def output(*formats: str, words: str) -> Callable[[F], F]:
    """-o with these formats; the first is the default."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(formats),
        default=formats[0],
        show_default=True,
        help=words,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """The cluster, the operator's namespace and the endpoints, as the flags set them."""

    kubeconfig: str | None
    context: str | None
    operator_namespace: str
    endpoints: Mapping[str, Endpoint]
    ca_bundle: str | None
    sts_endpoint: str | None
    metadata_endpoint: str | None


_CONNECTION = (kubeconfig, context, operator_namespace, endpoints, ca_bundle, sts_endpoint, metadata_endpoint)


def reaching_a_cluster(command: Callable[..., None]) -> Callable[..., None]:
    """The flags for the connection; the command gets them as its first argument, a Place."""

    @wraps(command)
    def with_place(**flags: Any) -> None:  # noqa: ANN401 - click's
        named = {field.name: flags.pop(field.name) for field in fields(Place)}
        command(Place(**named), **flags)

    decorated: Callable[..., None] = with_place
    for flag in reversed(_CONNECTION):
        decorated = flag(decorated)
    return decorated
