"""What a person wrote for the two pages in docs/spec/: the parts that no schema can say.

Called by tools/reference.py. The examples are sent to a real API server by a test.
"""

from modelarts_nodepool.api.names import (
    ACCOUNT_KIND,
    CONFIRM_ANNOTATION,
    CONFIRMED_BY_ANNOTATION,
    CREDENTIALS_LABEL,
    NODE_POOL_KIND,
    OVERRIDE_ANNOTATION,
    PAUSED_ANNOTATION,
    RECONCILE_ANNOTATION,
)

_NODE_POOL = f"""\
One object stands for one node pool of a ModelArts resource pool. The object does not create the node pool.
It shows the node pool's nodes by state, and when the object is deleted the node pool is deleted in the cloud,
for good. The object itself goes only when the node pool is proven gone.

```yaml
apiVersion: modelarts.huaweicloud.com/v1alpha1
kind: ModelArtsNodePool
metadata:
  name: training-a
  namespace: ml
spec:
  poolName: pool-3f2c
```

## Before you delete

- `kubectl get manp training-a -n ml` shows the resource pool and the node pool that a deletion would hit. Both
  columns come from `status.identity`, which is what the cloud answered and not what the manifest says.
- To drop the object and keep the node pool, set `deletionPolicy: Retain` first, wait until
  `status.observedGeneration` equals `metadata.generation`, then delete the object.
- An object whose `status.observedGeneration` is still -1 has not been seen by the operator. It protects
  nothing: deleting it deletes nothing in the cloud.
- A deletion that is held says so: the condition `DeletionBlocked` carries the reason and the next command.

## Annotations

People set these. The operator never writes an annotation.

| Annotation | Meaning |
|---|---|
| `{CONFIRM_ANNOTATION}: <node pool name>` | Confirms a deletion that asks for it: the account requires \
confirmation, the namespace or the CRD is being deleted, or the object has owners (`metadata.ownerReferences`). |
| `{OVERRIDE_ANNOTATION}: <Reason>[,<Reason>...]@<uid>` | Overrides a hold that may be overridden. The uid is the \
object's, so that the text cannot be left in Git or in a backup by mistake. |
| `{PAUSED_ANNOTATION}: "true"` | No DELETE is sent. The counts are still kept up to date. Every value but \
exactly `"false"` pauses, the empty one too; the condition Paused says which value it found. |
| `{RECONCILE_ANNOTATION}: <any text>` | Look now. `status.lastHandledReconcileAt` repeats the text once that \
is done. |

The API server writes this one, if the optional policy of [four eyes](../operations/four-eyes.md) is installed:

| Annotation | Meaning |
|---|---|
| `{CONFIRMED_BY_ANNOTATION}: <user>` | The user who set or changed `{CONFIRM_ANNOTATION}`. |

## Conditions

| Condition | Meaning |
|---|---|
| `Stalled` | True: the operator cannot go on and a person has to act. Absent otherwise. |
| `Reconciling` | True: something is under way. Absent otherwise. Never together with `Stalled`. |
| `Ready` | True: the node pool can run jobs, or it is empty on purpose. Unknown: the cloud has not been readable \
for too long. |
| `NodesHealthy` | False: nodes are abnormal or missing, even where `Ready` is True. |
| `DeletionBlocked` | True: the deletion is held. Reason and message say why and what to do. Absent otherwise. |
| `Paused` | True: the paused annotation is set. Absent otherwise. |

What each reason means and what to do about it: [troubleshooting](../operations/troubleshooting.md).
"""

_ACCOUNT = f"""\
A cloud project: how the operator logs in to it, which namespaces may name which of its resource pools, and how
many node pools may be deleted in how much time. Without an account, a grant and working credentials a node
pool object waits and says what is missing. There is never a fallback to other credentials.

```yaml
apiVersion: modelarts.huaweicloud.com/v1alpha1
kind: ModelArtsAccount
metadata:
  name: default
spec:
  region: cn-north-4
  projectId: 0123456789abcdef0123456789abcdef
  credentials:
    source: Secret
    secretName: modelarts-credentials
  grants:
  - namespaces: [ml]
    resourcePools: [pool-3f2c]
```

## Credentials

With `source: Secret` the Secret must be in the operator's own namespace and carry the label
`{CREDENTIALS_LABEL}: "true"`. Its keys are `accessKey`, `secretKey` and, for temporary credentials,
`securityToken`. The operator reads no other Secret. A changed Secret is used without a restart.

The other sources need no Secret: the key is issued to the operator itself and refreshed before it ends. All accounts
of such a source act with the operator's own identity, so only administrators may write accounts.
[Credentials](../operations/credentials.md) says what each source needs.

## Grants

Nothing is granted by default. A grant names namespaces, by name or by label, and resource pools; an object is
served where at least one grant covers both. `"*"` means all and has to be written out.

## Deletion budget

More deletions than the budget allows are held until it frees; nothing on the object lifts that. Left out, the
budget is 10 in 1h; of `max` and `window` alone, the other one keeps that value. No limit has to be said:
`deletionBudget: {{unlimited: true}}`.

## Deleting an account

An account that is still named by an object stays until the last of them is gone. It takes no new objects; those
already pinned are observed and deleted with it.
"""

INTRODUCTIONS = {NODE_POOL_KIND: _NODE_POOL, ACCOUNT_KIND: _ACCOUNT}
