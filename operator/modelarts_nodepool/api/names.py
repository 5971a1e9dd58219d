"""The fixed names of the API: group, kinds, finalizers, annotations, and the rules for names in ModelArts.

Never change the finalizers: the old ones would remain on every object.
"""

import re

GROUP = "modelarts.huaweicloud.com"
VERSION = "v1alpha1"
API_VERSION = f"{GROUP}/{VERSION}"
CATEGORY = "modelarts"

NODE_POOL_KIND = "ModelArtsNodePool"
NODE_POOL_PLURAL = "modelartsnodepools"
NODE_POOL_SHORT = "manp"
ACCOUNT_KIND = "ModelArtsAccount"
ACCOUNT_PLURAL = "modelartsaccounts"
ACCOUNT_SHORT = "maacct"

NODE_POOL_FINALIZER = f"{GROUP}/node-pool"
ACCOUNT_FINALIZER = f"{GROUP}/in-use"

CONFIRM_ANNOTATION = f"{GROUP}/confirm-delete"
# Written by the API server where the policy confirmed-by is installed (deploy/admission/four-eyes).
CONFIRMED_BY_ANNOTATION = f"{GROUP}/confirmed-by"
OVERRIDE_ANNOTATION = f"{GROUP}/override"
PAUSED_ANNOTATION = f"{GROUP}/paused"
RECONCILE_ANNOTATION = f"{GROUP}/reconcile-at"
CREDENTIALS_LABEL = f"{GROUP}/credentials"
# The policy that refuses a DELETE without a confirmation: deploy/admission/confirm-delete.yaml.
CONFIRM_DELETE_POLICY = f"confirm-delete.{GROUP}"
# The policy that refuses a DELETE by the user who confirmed it: deploy/admission/four-eyes/four-eyes.yaml.
FOUR_EYES_POLICY = f"four-eyes.{GROUP}"

# The API states no rule for node pool names. Its own example is `nodePool-1`, and a node pool without a name of its
# own is called `<flavor>-default`, dots included. So every safe path segment is valid: a letter or digit first and
# last, which excludes `.` and `..`, and no character in between that a URL encodes or interprets.
LONGEST_NODE_POOL_NAME = 128
LONGEST_RESOURCE_POOL_NAME = 63
NODE_POOL_NAME_PATTERN = rf"^[A-Za-z0-9]([-._A-Za-z0-9]{{0,{LONGEST_NODE_POOL_NAME - 2}}}[A-Za-z0-9])?$"
RESOURCE_POOL_NAME_PATTERN = rf"^[A-Za-z0-9]([-._A-Za-z0-9]{{0,{LONGEST_RESOURCE_POOL_NAME - 2}}}[A-Za-z0-9])?$"
# Any DNS label: other clouds with this API, and private ones, have other region names (eu-de).
REGION_PATTERN = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
PROJECT_PATTERN = r"^[0-9A-Za-z-]{1,64}$"

# Without `^` and `$`, for fullmatch: `$` would accept a trailing line feed.
_NODE_POOL_NAME = re.compile(NODE_POOL_NAME_PATTERN[1:-1])
_RESOURCE_POOL_NAME = re.compile(RESOURCE_POOL_NAME_PATTERN[1:-1])


def is_valid_node_pool_name(name: str) -> bool:
    """Whether a node pool's name may become one segment of a URL, unchanged."""
    return _NODE_POOL_NAME.fullmatch(name) is not None


def is_valid_resource_pool_name(name: str) -> bool:
    """Whether a resource pool's name may become one segment of a URL, unchanged."""
    return _RESOURCE_POOL_NAME.fullmatch(name) is not None
