"""No secret ever shows: not in a log at its most talkative, a status, an event or a metric, whatever goes wrong."""

import base64
import json
import secrets
from typing import Any

from tests.support.api import ACCOUNTS, events_in, node_pools_in
from tests.support.operator import OperatorProcess
from tests.support.tenant import Tenant

FAULTS: tuple[dict[str, Any], ...] = (
    {"status": 500},
    {"drop": "before"},
    {"body": "html"},
    {"body": "truncated"},
    {"redirect": "https://example.com/"},
    {"status": 403},
)


def base64_of(secret: str) -> str:
    return base64.b64encode(secret.encode()).decode()


def everything_shown(tenant: Tenant, operator: OperatorProcess) -> dict[str, str]:
    """All that a person or a machine can read, the log up to its last line."""
    metrics = operator.ask("/metrics")[1]
    operator.stop()
    shown = {
        "log": operator.text(),
        "metrics": metrics,
        "objects": json.dumps(tenant.api.items(node_pools_in(tenant.name))),
        "account": json.dumps(tenant.api.get(f"{ACCOUNTS}/{tenant.name}")),
        "events": json.dumps(tenant.api.items(events_in(tenant.name))),
    }
    operator.start()
    return shown


def test_no_secret_is_ever_shown(tenant: Tenant, operator: OperatorProcess) -> None:
    key, wrong, token = (f"CANARY{secrets.token_hex(12)}" for _ in range(3))
    tenant.put_key(secretKey=key, securityToken=token)
    good = {"accessKey": f"AK{tenant.name}", "secretKey": key, "securityToken": token}
    tenant.put_secret(**good)
    pools = tenant.everywhere(f"training-{number}" for number in range(len(FAULTS)))
    for resource_pool, fault in zip(pools.values(), FAULTS, strict=True):
        tenant.cloud.fault(resourcePool=resource_pool, times=3, **fault)
    # The cloud quotes back what it was sent.
    signed = f"Authorization: SDK-HMAC-SHA256 Access=AK, Signature=CANARYSIGNATURE {key} X-Security-Token: {token}"
    echo = f"{signed} {base64_of(key)} {base64_of(token)}"
    tenant.mirrored("training-a", cloud={"inUse": True})
    tenant.cloud.fault(operation="delete_node_pool", resourcePool=tenant.resource_pool, status=400, errorMsg=echo)
    tenant.delete(*pools, "training-a")
    tenant.until_blocked("training-a", "RefusedByModelArts")
    tenant.cloud.wait_for_looks(pools.values(), 4)
    tenant.put_secret(**(good | {"secretKey": wrong}))
    tenant.in_cloud("training-b")
    tenant.create("training-b")
    tenant.until_ready("training-b", "CredentialsRejected", "False")
    tenant.put_secret(**(good | {"securityToken": "\x00"}))
    tenant.until_ready("training-b", "CredentialsUnavailable", "False")
    tenant.put_secret(**good)
    tenant.until_ready("training-b")
    shown = everything_shown(tenant, operator)
    assert "RefusedByModelArts" in shown["events"]
    assert "modelarts_nodepool_cloud_requests_total" in shown["metrics"]
    assert '"level": "debug"' in shown["log"], "not at its most talkative"
    found = [
        f"{where}: …{text[max(text.index(canary) - 200, 0) :][: 200 + len(canary)]}"
        for canary in (key, wrong, token, base64_of(key), base64_of(token), "CANARYSIGNATURE")
        for where, text in shown.items()
        if canary in text
    ]
    assert not found
