"""A scrape as Prometheus reads it, parsed by its own client library."""

from dataclasses import dataclass
from typing import Self

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from lab.harness.failures import LabError

_PREFIX = "modelarts_nodepool_"


@dataclass(frozen=True)
class Metrics:
    """Families by their name without the operator's prefix."""

    families: dict[str, Metric]

    @classmethod
    def of(cls, text: str) -> Self:
        """Raises LabError where a family has another prefix."""
        families = {family.name: family for family in text_string_to_metric_families(text)}
        if foreign := sorted(name for name in families if not name.startswith(_PREFIX)):
            raise LabError(f"Metrics without the prefix {_PREFIX}: {', '.join(foreign)}")
        return cls({name.removeprefix(_PREFIX): family for name, family in families.items()})

    def value(self, sample: str, **labels: str) -> float:
        """The sum of the samples of this name (with its _total or _count) that have these labels; 0 without any."""
        return sum(
            found.value
            for family in self.families.values()
            for found in family.samples
            if found.name == f"{_PREFIX}{sample}" and labels.items() <= found.labels.items()
        )

    def labels_of(self, sample: str, label: str) -> set[str]:
        """The values of one label."""
        name = f"{_PREFIX}{sample}"
        found = [one for family in self.families.values() for one in family.samples if one.name == name]
        return {one.labels[label] for one in found}
