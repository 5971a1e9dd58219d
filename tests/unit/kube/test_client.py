"""What the API server's answers mean. The bodies were recorded from kube-apiserver 1.36."""

import json

import pytest

from modelarts_nodepool.errors import ClusterError, ClusterUnavailable, ObjectChanged, ObjectGone, RefusedByAPIServer
from modelarts_nodepool.kube.client import to_error, to_object

CALL = "PATCH /apis/modelarts.huaweicloud.com/v1alpha1/namespaces/ml/modelartsnodepools/a"


def status(code: int, reason: str, message: str, **details: object) -> bytes:
    answer = {"kind": "Status", "status": "Failure", "message": message, "reason": reason, "code": code}
    return json.dumps(answer | {"details": details}).encode()


FAILED_TEST = status(422, "Invalid", "the server rejected our request due to an error in our request")
BROKEN_RULE = status(
    422, "Invalid", 'ModelArtsNodePool "a" is invalid: spec: x', causes=[{"reason": "FieldValueInvalid"}]
)
NOT_FOUND = status(404, "NotFound", 'modelartsnodepools "a" not found', name="a")
POLICY = (
    "modelartsnodepools.modelarts.huaweicloud.com \"a\" is forbidden: ValidatingAdmissionPolicy 'x' with binding 'x' "
    "denied request: no"
)
WEBHOOK = 'admission webhook "policies.example.com" denied the request: no'
DEAD_WEBHOOK = (
    'Internal error occurred: failed calling webhook "policies.example.com": failed to call webhook: Post '
    '"https://127.0.0.1:1/?timeout=10s": dial tcp 127.0.0.1:1: connect: connection refused'
)
PROXY_PAGE = b"<html><body>404 Not Found - nginx</body></html>"


@pytest.mark.parametrize(
    ("code", "body", "error"),
    [
        pytest.param(404, NOT_FOUND, ObjectGone, id="no such object"),
        pytest.param(404, b"404 page not found\n", ObjectGone, id="no such group"),
        pytest.param(404, PROXY_PAGE, ClusterUnavailable, id="a 404 that is not the API server's"),
        pytest.param(404, b"", ClusterUnavailable, id="an empty 404"),
        pytest.param(409, status(409, "Conflict", "x"), ObjectChanged, id="conflict"),
        pytest.param(409, status(409, "AlreadyExists", "x"), ObjectChanged, id="name taken"),
        pytest.param(409, b"busy", ClusterUnavailable, id="a 409 that is not the API server's"),
        pytest.param(422, FAILED_TEST, ObjectChanged, id="a test in the patch failed"),
        pytest.param(422, BROKEN_RULE, RefusedByAPIServer, id="a rule of the schema says no"),
        pytest.param(422, b"{}", ClusterUnavailable, id="a 422 that is not the API server's"),
        pytest.param(401, status(401, "Unauthorized", "Unauthorized"), ClusterUnavailable, id="bad token"),
        pytest.param(403, status(403, "Forbidden", "no"), RefusedByAPIServer, id="no permission"),
        pytest.param(403, b"<html>", ClusterUnavailable, id="a 403 that is not the API server's"),
        pytest.param(422, status(422, "Invalid", POLICY), RefusedByAPIServer, id="a policy"),
        pytest.param(401, status(401, "Unauthorized", POLICY), RefusedByAPIServer, id="a policy, as Unauthorized"),
        pytest.param(413, status(413, "RequestEntityTooLarge", "x"), RefusedByAPIServer, id="too large"),
        pytest.param(500, status(500, "", "etcdserver: request is too large"), RefusedByAPIServer, id="for etcd"),
        pytest.param(500, status(500, "InternalError", DEAD_WEBHOOK), RefusedByAPIServer, id="a webhook that is down"),
        pytest.param(404, status(404, "NotFound", WEBHOOK), RefusedByAPIServer, id="a webhook, as not found"),
        pytest.param(409, status(409, "Conflict", WEBHOOK), RefusedByAPIServer, id="a webhook, as a conflict"),
        pytest.param(400, status(400, "BadRequest", WEBHOOK), RefusedByAPIServer, id="a webhook, as a bad request"),
        pytest.param(503, status(503, "ServiceUnavailable", "x"), ClusterUnavailable, id="away"),
        pytest.param(410, status(410, "Expired", "too old"), ClusterUnavailable, id="expired"),
        pytest.param(500, b"etcd is away", ClusterUnavailable, id="failure"),
        pytest.param(302, b"", ClusterUnavailable, id="redirect"),
        pytest.param(500, b"[1]", ClusterUnavailable, id="JSON that is no object"),
    ],
)
def test_each_answer_has_its_error(code: int, body: bytes, error: type[ClusterError]) -> None:
    found = to_error(CALL, code, body)
    assert type(found) is error
    assert found.status == code
    assert CALL in str(found)


def test_the_message_of_the_api_server_is_shown_in_one_short_line() -> None:
    long = status(500, "InternalError", "line\none\x1b[31m " + "x" * 5000)
    said = str(to_error(CALL, 500, long))
    assert "line one [31m xxx" in said
    assert len(said) < 600


def test_a_refusal_names_the_command_that_shows_why() -> None:
    assert "kubectl auth can-i" in str(to_error(CALL, 403, status(403, "Forbidden", "no")))
    assert "kubectl auth whoami" in str(to_error(CALL, 401, status(401, "Unauthorized", "no")))
    assert "proxy" in str(to_error(CALL, 404, PROXY_PAGE))


def test_managed_fields_are_dropped_from_an_object() -> None:
    body = b'{"metadata": {"name": "a", "managedFields": [1]}, "spec": {"managedFields": 2}}'
    assert to_object(CALL, body) == {"metadata": {"name": "a"}, "spec": {"managedFields": 2}}


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"text"'])
def test_a_success_without_an_object_is_no_answer(body: bytes) -> None:
    with pytest.raises(ClusterUnavailable, match="not a JSON object"):
        to_object(CALL, body)
