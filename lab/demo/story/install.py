"""Chapter 1: the CRDs and the shipped permissions, then the operator under its own ServiceAccount."""

from http import HTTPStatus

from lab.demo.stage import Stage
from lab.harness.failures import NotYetError
from lab.harness.operator import OPERATOR_ACCOUNT, OPERATOR_NAMESPACE, Operator
from modelarts_nodepool.api.names import ACCOUNT_PLURAL, GROUP, NODE_POOL_PLURAL


async def install_the_operator(stage: Stage) -> None:
    """Apply what is shipped, start the operator, wait until it is ready."""
    screen = stage.screen
    screen.step("Install the operator, with the permissions that are shipped")
    await stage.kubectl("apply", "--server-side", "-f", "crds/")
    await stage.until("the API server serves both kinds", lambda: _require_kinds(stage))
    screen.verified(f"the API server serves {NODE_POOL_PLURAL} and {ACCOUNT_PLURAL}")
    await stage.kubectl("apply", "--server-side", "-k", "deploy/kustomize/base")
    kubeconfig = await stage.plane.service_account_kubeconfig(OPERATOR_NAMESPACE, OPERATOR_ACCOUNT)
    operator = stage.start_operator(kubeconfig)
    await stage.until("the operator is ready", lambda: _require_ready(operator))
    screen.verified(
        f"the operator answers 200 on /readyz; it is the ServiceAccount {OPERATOR_ACCOUNT}, no administrator"
    )


async def _require_kinds(stage: Stage) -> None:
    """Established CRDs are listed a moment later; a kubectl that is too early does not know the kinds."""
    listed = await stage.plane.kubectl("api-resources", f"--api-group={GROUP}", "-o", "name", check=False)
    wanted = {f"{plural}.{GROUP}" for plural in (NODE_POOL_PLURAL, ACCOUNT_PLURAL)}
    if missing := wanted - set(listed.stdout.split()):
        raise NotYetError(f"it does not list {', '.join(sorted(missing))}")


async def _require_ready(operator: Operator) -> None:
    answer = operator.ask("/readyz")
    if answer.status != HTTPStatus.OK:
        raise NotYetError(f"/readyz answers {answer.status or 'nothing'}: {answer.body[:300].strip()}")
