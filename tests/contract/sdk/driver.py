"""The official SDK in a process of its own: an order per line of standard input, its outcome per line of output.

Run by official.py with a home folder of its own, because the SDK writes there when it is imported. Nothing of the
operator is imported here: what it shows is the SDK, unchanged.
"""

import json
import os
import sys
from typing import Any

from huaweicloudsdkcore.auth import provider
from huaweicloudsdkcore.auth.credentials import BasicCredentials
from huaweicloudsdkcore.auth.internal import MetadataAccessor
from huaweicloudsdkcore.exceptions.exceptions import SdkException
from huaweicloudsdkcore.http.http_config import HttpConfig
from huaweicloudsdkcore.sdk_request import SdkRequest
from huaweicloudsdkcore.signer.signer import Signer
from huaweicloudsdkmodelarts import v1

Order = dict[str, Any]


SOURCES = {
    "Metadata": provider.MetadataCredentialProvider,
    "PodIdentity": provider.PodIdentityCredentialProvider,
    "OIDC": provider.OidcStsCredentialProvider,
}


def log_in_by_key(order: Order) -> BasicCredentials:
    """The key of the order, with its token where it has one."""
    credentials = BasicCredentials(order["accessKey"], order["secretKey"], order.get("projectId"))
    return credentials.with_security_token(order["securityToken"]) if "securityToken" in order else credentials


def log_in_by_source(order: Order) -> BasicCredentials:
    """Whatever the SDK's own provider finds. Only the metadata address, a constant of the SDK, is led to loopback."""
    os.environ.update(order["environment"])
    MetadataAccessor._METADATA_ENDPOINT = order["endpoint"]  # noqa: SLF001 - there is no other way
    credentials = SOURCES[order["source"]].get_basic().get_credentials()
    credentials.project_id = order["projectId"]
    return credentials


def build_client(order: Order) -> Any:  # noqa: ANN401 - the SDK has no types
    """A client as the SDK's own README builds it, for one endpoint and one key."""
    credentials = log_in_by_source(order) if "source" in order else log_in_by_key(order)
    config = HttpConfig.get_default_config()
    config.timeout = (5, order.get("timeout", 20))
    config.ignore_ssl_verification = order.get("insecure", False)
    config.ssl_ca_cert = order.get("caBundle")
    builder = v1.ModelArtsClient.new_builder().with_http_config(config).with_credentials(credentials)
    return builder.with_endpoint(order["endpoint"]).build()


def call(order: Order) -> Order:
    """One operation by its name, with the arguments of its request."""
    operation: str = order["operation"]
    request = getattr(v1, "".join(word.capitalize() for word in operation.split("_")) + "Request")
    try:
        response = getattr(build_client(order), operation)(request(**order["arguments"]))
    except SdkException as error:
        return {
            "exception": type(error).__name__,
            "status": getattr(error, "status_code", None),
            "code": getattr(error, "error_code", None),
            "message": error.error_msg,
            "requestId": getattr(error, "request_id", None),
            "encoded": getattr(error, "encoded_auth_msg", None),
        }
    except Exception as error:  # noqa: BLE001 - which ones escape is what a test wants to know
        return {"exception": type(error).__name__, "message": str(error)}
    return {"answer": response.to_dict(), "type": type(response).__name__}


def sign(order: Order) -> Order:
    """The Authorization that the SDK gives a request, and the URI that it sends."""
    request = SdkRequest(
        method=order["method"],
        schema="https",
        host="h",
        resource_path=order["path"],
        query_params=[tuple(pair) for pair in order["query"]],
        header_params=dict(order["headers"]),
        body="",
    )
    signed = Signer(BasicCredentials(order["accessKey"], order["secretKey"], "P")).sign(request)
    return {"authorization": signed.header_params["Authorization"], "uri": signed.uri}


def say(outcome: Order) -> None:
    """One line, at once."""
    sys.stdout.write(json.dumps(outcome) + "\n")
    sys.stdout.flush()


def main() -> None:
    """Answer orders until there are no more."""
    say({"ready": True})
    for line in sys.stdin:
        order = json.loads(line)
        say(sign(order) if "method" in order else call(order))


if __name__ == "__main__":
    main()
