"""What to do about an error that a check ran into: one table by error class, nearest class first. Pure."""

from modelarts_nodepool import errors
from modelarts_nodepool.decide import remedies

_PAGE = "docs/operations/troubleshooting.md"

_BY_CLASS: dict[type[Exception], str] = {
    errors.ClusterUnavailable: "kubectl cluster-info; for a 403: kubectl auth can-i --list; in the operator's Pod, see "
    "that its NetworkPolicy allows the API server's port (chart: networkPolicy.apiServerPorts)",
    errors.ClusterError: "kubectl cluster-info",
    errors.CredentialsRejected: "put a valid key into the account's Secret before you try again: six failures in a row "
    "lock a key for five minutes",
    errors.EndpointUnknown: "set it here with --endpoint REGION=URL and on the operator (Helm: operator.endpoints), or "
    "create another account if the region is mistyped: it cannot be changed",
    errors.ClockSkew: "set this machine's clock: chronyc tracking, or timedatectl",
    errors.PermissionDenied: "give the IAM user or agency modelarts:pool:list, get, update and delete",
    errors.Throttled: "wait a minute and run it again",
    errors.WrongEndpoint: "see that the account's region, --endpoint and HTTPS_PROXY lead to the ModelArts API",
    errors.MalformedAnswer: "see that --endpoint and HTTPS_PROXY lead to the ModelArts API",
    errors.CloudUnavailable: "ModelArts or the way there is in trouble: see HTTPS_PROXY, run it again in a minute",
    errors.CloudError: f"see {_PAGE}",
    errors.InvalidName: f"correct the name in the ModelArtsAccount: {remedies.edit_account(remedies.ANY_NAME)}",
    errors.OperatorError: f"see {_PAGE}",
}


def remedy_for(error: errors.OperatorError) -> str:
    """The next step, by the nearest class of the tree in errors.py."""
    return next(_BY_CLASS[kind] for kind in type(error).__mro__ if kind in _BY_CLASS)
