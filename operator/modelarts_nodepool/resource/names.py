"""Every fixed name of the API: group, kinds, finalizers, annotations, and the rule for cloud names.

Used by every room. Changing the finalizers here leaves the old ones on every object for ever: never do.
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
OVERRIDE_ANNOTATION = f"{GROUP}/override"
PAUSED_ANNOTATION = f"{GROUP}/paused"
RECONCILE_ANNOTATION = f"{GROUP}/reconcile-at"
CREDENTIALS_LABEL = f"{GROUP}/credentials"

# Stricter than any single page of the API, wide enough for every name that its pages show
# (reference: "starts with a lowercase letter, digits and hyphens, not ending in a hyphen, up to 63").
NAME_PATTERN = r"^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$"
REGION_PATTERN = r"^[a-z]{2,}(-[a-z]+)+-[0-9]+$"
PROJECT_PATTERN = r"^[0-9A-Za-z-]{1,64}$"

_NAME = re.compile(NAME_PATTERN.removeprefix("^").removesuffix("$"))


def is_valid_name(name: str) -> bool:
    """Whether a resource pool's or node pool's name may become one segment of a URL."""
    # fullmatch, because `$` would let a trailing line feed pass.
    return _NAME.fullmatch(name) is not None
