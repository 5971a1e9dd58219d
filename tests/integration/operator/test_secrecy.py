"""No secret ever shows: not in a log at its most talkative, a status, an event or a metric, whatever goes wrong."""

import base64
import json
import secrets
import unicodedata
from collections import Counter
from collections.abc import Collection
from typing import Any

from tests.support.api import ACCOUNTS, events_in, node_pools_in
from tests.support.operator import OperatorProcess
from tests.support.tenant import Tenant

TIMES = 3
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


def has_failed(tenant: Tenant, resource_pools: Collection[str]) -> bool:
    spoiled = Counter(request["pool"] for request in tenant.cloud.requests() if request["fault"])
    return all(spoiled[resource_pool] == TIMES for resource_pool in resource_pools)


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
        tenant.cloud.fault(resourcePool=resource_pool, times=TIMES, **fault)
    # The cloud quotes back what it was sent.
    signed = f"Authorization: SDK-HMAC-SHA256 Access=AK, Signature=CANARYSIGNATURE {key} X-Security-Token: {token}"
    echo = f"{signed} {base64_of(key)} {base64_of(token)}"
    tenant.mirrored("training-a", cloud={"inUse": True})
    tenant.cloud.fault(operation="delete_node_pool", resourcePool=tenant.resource_pool, status=400, errorMsg=echo)
    tenant.delete(*pools, "training-a")
    tenant.until_blocked("training-a", "RefusedByModelArts")
    tenant.until_true(lambda: has_failed(tenant, pools.values()), "all that was to go wrong")
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


def is_plain(text: str) -> bool:
    return all(unicodedata.category(each) not in {"Cc", "Cf", "Cs", "Zl", "Zp"} for each in text if each != "\n")


def all_words(value: Any) -> list[str]:  # noqa: ANN401 - JSON
    """Every text in a JSON value."""
    if isinstance(value, dict):
        return [word for each in value.values() for word in all_words(each)]
    if isinstance(value, list):
        return [word for each in value for word in all_words(each)]
    return [value] if isinstance(value, str) else []


def test_refusal_of_a_hundred_kilobytes_is_told_in_one_plain_sentence(
    tenant: Tenant, operator: OperatorProcess
) -> None:
    tenant.mirrored("training-a")
    # Colours of a terminal, a direction override, what has no width, a tag of HTML.
    words = f"\x1b[31m\u202eeldoop\u200b\ufeff\u3164 \x00 <b>evil</b> {'x' * 100_000} END"
    keys = {"status": 400, "errorCode": "ModelArts.50004000", "errorMsg": words}
    tenant.cloud.fault(operation="delete_node_pool", resourcePool=tenant.resource_pool, **keys)
    tenant.delete("training-a")
    message = tenant.until_blocked("training-a", "RefusedByModelArts")
    assert "<b>evil</b>" in message
    assert "kubectl" in message, "the next command was cut off"
    assert len(message) < 2000
    tenant.until_event("training-a", "DeletionBlocked")
    status = tenant.get("training-a")["status"]
    assert status["deletion"]["lastError"]["code"] == "ModelArts.50004000"
    shown = all_words([status, tenant.api.items(events_in(tenant.name)), operator.lines()])
    quoting = [text for text in shown if "<b>evil</b>" in text]
    assert len(quoting) >= 3, "two in the status, one event"
    assert not [text for text in quoting if not is_plain(text) or len(text) > 5000 or " END" in text]
