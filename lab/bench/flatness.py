"""Whether what was sampled during a soak stays level once the operator is warm. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median

# By share of the middle third's median, and so much in any case: an allocator and a pool of connections breathe.
TOLERANCES: Mapping[str, tuple[float, float]] = {
    "memory_mib": (0.03, 2.0),
    "threads": (0.0, 2.0),
    "files": (0.0, 4.0),
    "sockets": (0.0, 4.0),
    "tasks": (0.05, 5.0),
}
LEAST_SAMPLES = 9


@dataclass(frozen=True, slots=True)
class Level:
    """Medians of the middle and of the last third of the time. The first third is for warming up."""

    what: str
    middle: float
    last: float

    @property
    def allowed(self) -> float:
        """The most that the last third may show."""
        share, extra = TOLERANCES[self.what]
        return self.middle * (1 + share) + extra

    @property
    def is_flat(self) -> bool:
        """Whether it has not grown."""
        return self.last <= self.allowed


def levels(samples: Sequence[Mapping[str, float]]) -> list[Level]:
    """Of everything that was sampled every time. Raises ValueError for too few samples."""
    if len(samples) < LEAST_SAMPLES:
        raise ValueError(f"{len(samples)} samples are too few to judge: soak for longer")
    third = len(samples) // 3
    known = [what for what in TOLERANCES if all(what in sample for sample in samples)]
    return [
        Level(
            what,
            median(sample[what] for sample in samples[third : 2 * third]),
            median(sample[what] for sample in samples[2 * third :]),
        )
        for what in known
    ]
