"""No secret ever shows: not in a log at its most talkative, not in a status, not in an event, whatever goes wrong."""

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


def test_no_secret_is_ever_shown(tenant: Tenant, operator: OperatorProcess) -> None:
    key, wrong, token = (f"CANARY{secrets.token_hex(12)}" for _ in range(3))
    tenant.put_key(secretKey=key, securityToken=token)
    good = {"accessKey": f"AK{tenant.name}", "secretKey": key, "securityToken": token}
    tenant.put_secret(**good)
    pools = tenant.everywhere(f"training-{number}" for number in range(len(FAULTS)))
    for resource_pool, fault in zip(pools.values(), FAULTS, strict=True):
        tenant.cloud.fault(resourcePool=resource_pool, times=3, **fault)
    # The cloud quotes back what it was sent.
    echo = f"Authorization: SDK-HMAC-SHA256 Access=AK, Signature=CANARYSIGNATURE {key} X-Security-Token: {token}"
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
    operator.stop()
    shown = {
        "log": operator.text(),
        "objects": json.dumps(tenant.api.items(node_pools_in(tenant.name))),
        "account": json.dumps(tenant.api.get(f"{ACCOUNTS}/{tenant.name}")),
        "events": json.dumps(tenant.api.items(events_in(tenant.name))),
    }
    operator.start()
    assert "RefusedByModelArts" in shown["events"]
    found = [
        f"{where}: …{text[max(text.index(canary) - 200, 0) :][: 200 + len(canary)]}"
        for canary in (key, wrong, token, "CANARYSIGNATURE")
        for where, text in shown.items()
        if canary in text
    ]
    assert not found
