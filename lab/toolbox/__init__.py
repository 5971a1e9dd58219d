"""The programs that check what is shipped: helm for the chart, promtool and Prometheus for the rules.

Tests use it, and `python -m lab.toolbox`; neither the operator nor the demo does. Each program is
the one on PATH where that fits, else it is brought into the user's cache once, without root.
"""

from lab.toolbox.helm import ensure_helm
from lab.toolbox.prometheus import Prometheus, ensure_prometheus

__all__ = ["Prometheus", "ensure_helm", "ensure_prometheus"]
