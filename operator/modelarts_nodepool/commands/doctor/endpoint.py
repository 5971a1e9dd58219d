"""The region's endpoint: whether it is there and is ModelArts, its certificate, and its clock against ours."""

from datetime import timedelta

from modelarts_nodepool.api.model import to_timestamp
from modelarts_nodepool.commands.doctor.check import Finding, failed, ok, warning
from modelarts_nodepool.commands.doctor.context import AccountScene
from modelarts_nodepool.commands.doctor.reachability import Knock, Obstacle, knock
from modelarts_nodepool.commands.session import CLOUD_BOUNDS
from modelarts_nodepool.errors import CloudUnavailable, ServerFailure, Throttled
from modelarts_nodepool.modelarts.codes import gateway_number, is_modelarts_code
from modelarts_nodepool.modelarts.faults import LARGEST_CLOCK_SKEW
from modelarts_nodepool.modelarts.operations import Call, Operation

_LEFT = timedelta(days=14)
_SUSPICIOUS = timedelta(minutes=1)
_REMEDIES = {
    Obstacle.NAME: "see that spec.region is right: kubectl get maacct; for a private endpoint: --endpoint {region}=URL",
    Obstacle.CERTIFICATE: "for an authority of your own: --ca-bundle FILE, here and on the operator; "
    "else find out who is in between: openssl s_client -connect {host}",
    Obstacle.CONNECTION: "see firewalls, egress rules and HTTPS_PROXY: curl -v {url}",
    Obstacle.PROXY: "see HTTPS_PROXY and NO_PROXY: env | grep -i proxy",
    Obstacle.SILENCE: "see firewalls, egress rules and HTTPS_PROXY: curl -v {url}",
}


async def check_endpoint(scene: AccountScene) -> Finding:
    """One unsigned request. Leaves what came back in the scene."""
    spec = scene.account.spec
    endpoint = scene.session.endpoint(spec.region)
    call = Call(Operation.LIST_POOLS, spec.project_id)
    found = await knock(endpoint, call, scene.session.clock, scene.session.trust, CLOUD_BOUNDS)
    scene.knock = found
    if found.obstacle is not None:
        host = endpoint.url.rpartition("//")[2]
        return failed(
            f"{endpoint.url}: {found.obstacle} ({found.words})",
            _REMEDIES[found.obstacle].format(region=spec.region, url=endpoint.url, host=host),
        )
    if isinstance(found.fault, CloudUnavailable) and not isinstance(found.fault, Throttled):
        return failed(f"{endpoint.url}: {found.fault}", _wrong(found))
    if found.fault is None or not (gateway_number(found.fault.code) or is_modelarts_code(found.fault.code)):
        return failed(f"{endpoint.url} answers, but not as ModelArts does: {found.fault}", _wrong(found))
    return _judge_certificate(scene, found)


def _wrong(found: Knock) -> str:
    if not isinstance(found.fault, ServerFailure):
        return f"see who answers: curl -i {found.endpoint.url}; then correct spec.region, --endpoint or HTTPS_PROXY"
    return "ModelArts is in trouble: run it again in a minute"


def _judge_certificate(scene: AccountScene, found: Knock) -> Finding:
    url = found.endpoint.url
    if found.tls is None:
        return ok(f"{url} is ModelArts; no TLS, on this machine")
    if found.expires is None:
        return ok(f"{url} is ModelArts; {found.tls}")
    left = found.expires - scene.session.clock.now()
    words = f"{url} is ModelArts; {found.tls}, its certificate is good until {to_timestamp(found.expires)}"
    if left < _LEFT:
        return warning(words, "have the certificate renewed: when it has run out nothing can be seen or deleted")
    return ok(words)


async def check_clock(scene: AccountScene) -> Finding:
    """The Date of that answer against ours. No call."""
    skew = scene.knock.skew if scene.knock else None
    remedy = "set the clock: chronyc tracking, or timedatectl; the clock that counts is that of the operator's node"
    if skew is None:
        return warning("the answer has no Date to compare with", "compare it by hand: date -u")
    seconds = round(abs(skew).total_seconds())
    # Beside a second each way a clock is as good as the header says.
    if seconds <= 2:  # noqa: PLR2004 - see above
        return ok("the same as the server's, to two seconds")
    side = "behind" if skew > timedelta() else "ahead of"
    words = f"this machine is {seconds} s {side} the server"
    if abs(skew) > LARGEST_CLOCK_SKEW:
        return failed(f"{words}: signatures are refused beyond {LARGEST_CLOCK_SKEW.total_seconds():g} s", remedy)
    return warning(words, remedy) if abs(skew) > _SUSPICIOUS else ok(words)
