"""Bodies as no cloud should send them: random bytes, random JSON of the API's words, and good bodies spoiled."""

import json
from typing import Any

from hypothesis import strategies as st

WORDS = [
    "kind",
    "apiVersion",
    "metadata",
    "name",
    "items",
    "spec",
    "status",
    "resources",
    "creating",
    "available",
    "abnormal",
    "deleting",
    "count",
    "maxCount",
    "azs",
    "az",
    "flavor",
    "nodePool",
    "continue",
    "uid",
    "type",
    "runningDuration",
    "hostIps",
    "nodes",
    "hostIp",
    "privateIp",
    "availableResources",
    "controlMode",
    "remainingItemCount",
    "annotations",
    "os.modelarts/billing.mode",
    "error_code",
    "error_msg",
    "errorCode",
    "errorMsg",
    "code",
    "message",
    "request_id",
]
VALUES = [
    *[
        "NodePoolList",
        "NodePool",
        "NodeList",
        "PoolList",
        "Pool",
        "WorkloadList",
        "training-a",
        "pool-a",
        "0",
        "1",
        "v2",
    ],
    "\ud800",
    "\u202e",
]

_numbers = st.integers() | st.floats() | st.sampled_from([0, -1, 2**31, 10**400])
_leaves = st.none() | st.booleans() | _numbers | st.sampled_from(VALUES) | st.text(max_size=5)
_documents = st.recursive(
    _leaves,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=5),
    max_leaves=15,
)
_node_pools = st.fixed_dictionaries(
    {"metadata": st.fixed_dictionaries({"name": st.sampled_from(VALUES) | _leaves})},
    optional={
        "kind": _documents,
        "spec": _documents,
        "status": _documents | st.fixed_dictionaries({"resources": _documents}),
    },
)
_lists = st.fixed_dictionaries(
    {"kind": st.sampled_from(["NodePoolList", "NodePoolList", "NodeList", "PoolList", "WorkloadList"]) | _leaves},
    optional={"items": st.lists(_node_pools | _documents, max_size=3) | _documents, "metadata": _documents},
)


def _encode(document: Any) -> bytes:  # noqa: ANN401 - any JSON
    return json.dumps(document).encode()


@st.composite
def _spoiled(draw: st.DrawFn) -> bytes:
    body = bytearray(_encode(draw(_lists | _node_pools)))
    for _ in range(draw(st.integers(1, 3))):
        place = draw(st.integers(0, len(body)))
        cut = draw(st.integers(0, 4))
        body[place : place + cut] = draw(st.binary(max_size=3) | st.sampled_from([b'"items":[],', b"{", b"]", b","]))
    return bytes(body)


BODIES: st.SearchStrategy[bytes] = (
    st.binary(max_size=60) | (_documents | _lists | _node_pools).map(_encode) | _spoiled()
)
