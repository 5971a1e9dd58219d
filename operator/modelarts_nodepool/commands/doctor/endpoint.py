"""The region's endpoint: is it reachable, is it ModelArts, is its certificate valid, do the clocks agree."""

from datetime import timedelta

from modelarts_nodepool.api.meta import to_timestamp
from modelarts_nodepool.commands.doctor.check import AccountContext, Finding, failed, ok, warning
from modelarts_nodepool.commands.doctor.probe import Obstacle, Probe, probe
from modelarts_nodepool.commands.session import CLOUD_BOUNDS
from modelarts_nodepool.errors import CloudUnavailable, ServerFailure, Throttled
from modelarts_nodepool.modelarts.faults import LARGEST_CLOCK_SKEW, gateway_number, is_modelarts_code
from modelarts_nodepool.modelarts.transport import Call, Operation

_LEFT = timedelta(days=14)
_SUSPICIOUS = timedelta(minutes=1)
_REMEDIES = {
    Obstacle.NAME: "check spec.region: kubectl get maacct; for a private endpoint: --endpoint {region}=URL",
    Obstacle.CERTIFICATE: "for your own certificate authority: --ca-bundle FILE, here and on the operator; "
    "otherwise inspect the certificate: openssl s_client -connect {host}",
    Obstacle.CONNECTION: "check firewalls, egress rules and HTTPS_PROXY: curl -v {url}",
    Obstacle.PROXY: "check HTTPS_PROXY and NO_PROXY: env | grep -i proxy",
    Obstacle.SILENCE: "check firewalls, egress rules and HTTPS_PROXY: curl -v {url}",
}


async def check_endpoint(context: AccountContext) -> Finding:
    """One unsigned request. Stores the answer in the context."""
    spec = context.account.spec
    endpoint = context.session.endpoint(spec.region)
    call = Call(Operation.LIST_POOLS, spec.project_id)
    found = await probe(endpoint, call, context.session.clock, context.session.trust, CLOUD_BOUNDS)
    context.probe = found
    if found.obstacle is not None:
        host = endpoint.url.rpartition("//")[2]
        return failed(
            f"{endpoint.url}: {found.obstacle} ({found.words})",
            _REMEDIES[found.obstacle].format(region=spec.region, url=endpoint.url, host=host),
        )
    if isinstance(found.fault, CloudUnavailable) and not isinstance(found.fault, Throttled):
        return failed(f"{endpoint.url}: {found.fault}", _wrong(found))
    if found.fault is None or not (gateway_number(found.fault.code) or is_modelarts_code(found.fault.code)):
        return failed(f"{endpoint.url} answers, but it is not ModelArts: {found.fault}", _wrong(found))
    return _judge_certificate(context, found)


def _wrong(found: Probe) -> str:
    if not isinstance(found.fault, ServerFailure):
        return f"inspect the answer: curl -i {found.endpoint.url}; then correct spec.region, --endpoint or HTTPS_PROXY"
    return "ModelArts has a problem: retry in a minute"


def _judge_certificate(context: AccountContext, found: Probe) -> Finding:
    url = found.endpoint.url
    if found.tls is None:
        return ok(f"{url} is ModelArts; no TLS, because it is on this machine")
    if found.expires is None:
        return ok(f"{url} is ModelArts; {found.tls}")
    left = found.expires - context.session.clock.now()
    words = f"{url} is ModelArts; {found.tls}, its certificate is valid until {to_timestamp(found.expires)}"
    if left < _LEFT:
        return warning(words, "renew the certificate: without it, the operator can neither read nor delete")
    return ok(words)


async def check_clock(context: AccountContext) -> Finding:
    """Compare the Date of that answer with our clock. No call."""
    skew = context.probe.skew if context.probe else None
    remedy = "set the clock: chronyc tracking, or timedatectl; what matters is the clock of the operator's node"
    if skew is None:
        return warning("the answer has no Date to compare with", "compare the clocks: date -u")
    seconds = round(abs(skew).total_seconds())
    # The header has whole seconds.
    if seconds <= 2:  # noqa: PLR2004 - see above
        return ok("within 2 s of the server's clock")
    side = "behind" if skew > timedelta() else "ahead of"
    words = f"this machine is {seconds} s {side} the server"
    if abs(skew) > LARGEST_CLOCK_SKEW:
        return failed(f"{words}: signatures are refused beyond {LARGEST_CLOCK_SKEW.total_seconds():g} s", remedy)
    return warning(words, remedy) if abs(skew) > _SUSPICIOUS else ok(words)
