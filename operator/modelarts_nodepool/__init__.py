"""Kubernetes operator for Huawei Cloud ModelArts node pools."""

import sys

# httpx loads its own command line where rich is installed, and with it pygments: 5 MiB for nothing. It does without.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
