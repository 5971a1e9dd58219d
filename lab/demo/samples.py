"""What the demo applies and what the simulated cloud holds: the same names in both, and the README's.

Pure. stage.py writes the files, the story names the objects.
"""

from typing import Any

from lab.harness.operator import OPERATOR_NAMESPACE
from modelarts_nodepool.api.names import API_VERSION, CREDENTIALS_LABEL

NAMESPACE = "ml"
ACCOUNT = "default"

RESOURCE_POOL, YEARLY_RESOURCE_POOL = "pool-3f2c", "pool-y"
DELETED, BROKEN, RETAINED, YEARLY, BUSY = "training-a", "training-b", "shared-c", "yearly-d", "training-e"
NODES = {DELETED: 3, BROKEN: 2, RETAINED: 2, YEARLY: 4, BUSY: 2}
# The training job that runs on the nodes of BUSY.
JOB = "resnet50-run-7"

DELETE_SECONDS = 6
BUSY_DELETE_SECONDS = 1


def build_scenario() -> dict[str, Any]:
    """The simulated cloud: one resource pool billed by use, one yearly/monthly."""
    return {
        "timings": {"createSeconds": 5, "deleteSeconds": DELETE_SECONDS},
        "resourcePools": [
            {
                "name": RESOURCE_POOL,
                "billingMode": "0",
                "nodePools": [
                    *(_node_pool(name) for name in (DELETED, BROKEN, RETAINED)),
                    _node_pool(BUSY) | {"deleteSeconds": BUSY_DELETE_SECONDS},
                ],
                # Three weeks old: what a deletion by mistake would destroy.
                "workloads": [{"name": JOB, "runsOn": [{"nodePool": BUSY}], "ageSeconds": 21 * 24 * 3600}],
            },
            {"name": YEARLY_RESOURCE_POOL, "billingMode": "1", "nodePools": [_node_pool(YEARLY)]},
        ],
    }


def _node_pool(name: str) -> dict[str, Any]:
    return {"name": name, "count": NODES[name], "states": {"available": NODES[name]}}


def build_manifests(region: str, project_id: str, access_key: str, secret_key: str) -> dict[str, str]:
    """Every file that the demo applies besides the shipped ones: its name and its text."""
    return {
        "account.yaml": f"""\
apiVersion: {API_VERSION}
kind: ModelArtsAccount
metadata: {{name: {ACCOUNT}}}
spec:
  region: {region}
  projectId: {project_id}
  credentials: {{source: Secret, secretName: cloud-key}}
  grants:
  - {{namespaces: [{NAMESPACE}], resourcePools: [{RESOURCE_POOL}, {YEARLY_RESOURCE_POOL}]}}
  pollInterval: 2s          # 60s unless said otherwise; short, so that the demo is
  activePollInterval: 1s    # while nodes come or go
""",
        "secret.yaml": f"""\
apiVersion: v1
kind: Secret
metadata:
  name: cloud-key
  namespace: {OPERATOR_NAMESPACE}
  labels: {{{CREDENTIALS_LABEL}: "true"}}
stringData:
  accessKey: {access_key}
  secretKey: {secret_key}
""",
        f"node-pools/{DELETED}.yaml": _object(DELETED, f"poolName: {RESOURCE_POOL}"),
        f"node-pools/{BROKEN}.yaml": _object(BROKEN, f"poolName: {RESOURCE_POOL}"),
        f"node-pools/{RETAINED}.yaml": _object(RETAINED, f"poolName: {RESOURCE_POOL}, deletionPolicy: Retain"),
        f"node-pools/{YEARLY}.yaml": _object(YEARLY, f"poolName: {YEARLY_RESOURCE_POOL}"),
        f"node-pools/{BUSY}.yaml": _object(BUSY, f"poolName: {RESOURCE_POOL}"),
    }


def _object(name: str, spec: str) -> str:
    return f"""\
apiVersion: {API_VERSION}
kind: ModelArtsNodePool
metadata: {{name: {name}, namespace: {NAMESPACE}}}
spec: {{{spec}}}
"""
