"""The figures of a run: what each is called, its unit, and the bar that design and docs/performance.md set for it.

Counts hold on any machine and are asserted. Seconds, percents and MiB depend on the machine: they are reported
beside their bar, which was set on 2 cores against a controller-runtime operator doing one GET per object and poll.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lab.bench.scale import Scale

Figures = dict[str, float]
THOUSAND, TEN_THOUSAND = 1_000, 10_000


@dataclass(frozen=True, slots=True)
class Figure:
    """`bar` is the most that is allowed at a scale; None where none is set. `is_asserted`: more than that fails."""

    key: str
    title: str
    unit: str = ""
    is_asserted: bool = False
    bar: Callable[[Scale], float | None] = lambda _scale: None


def _at_most(value: float) -> Callable[[Scale], float | None]:
    return lambda _scale: value


def _by_size(thousand: float, ten_thousand: float) -> Callable[[Scale], float | None]:
    return lambda scale: {THOUSAND: thousand, TEN_THOUSAND: ten_thousand}.get(scale.objects)


def _count(key: str, title: str, most: float, unit: str = "") -> Figure:
    return Figure(key, title, unit, is_asserted=True, bar=_at_most(most))


FIGURES: tuple[Figure, ...] = (
    _count("writes_per_object", "API writes per object, created → mirrored", 2),
    _count("writes_of_one_object", "the most writes of one object, created → mirrored", 2),
    _count("events_on_creation", "Events about creations", 0),
    Figure("calls_per_object", "cloud calls per object, created → mirrored"),
    Figure("create_seconds", "first one created → all created", "s"),
    Figure("mirrored_seconds", "first one created → all mirrored", "s", bar=_by_size(7, 96)),
    Figure("create_writes_a_second", "API writes a second meanwhile, creations included", "1/s"),
    Figure("create_cpu_seconds", "CPU of the operator until all are mirrored", "s"),
    _count("idle_writes", "API writes while nothing changes", 0),
    Figure(
        "calls_per_cycle",
        "cloud calls per poll cycle, all of them LISTs",
        is_asserted=True,
        bar=lambda scale: scale.resource_pools,
    ),
    _count("idle_gets", "cloud calls while nothing changes that are no LISTs", 0),
    Figure("idle_cpu_percent", "CPU while nothing changes", "%", bar=_by_size(0.9, 4.15)),
    Figure("exit_seconds", "SIGTERM → exit, idle", "s", bar=_at_most(1)),
    Figure("ready_seconds", "warm restart: start → ready", "s"),
    _count("restart_writes", "API writes after a warm restart", 0),
    Figure("first_call_p50_ms", "kubectl delete → first cloud call, p50, while all poll", "ms"),
    Figure("first_call_p99_ms", "the same, p99", "ms", bar=_by_size(50, 250)),
    Figure("delete_call_p50_ms", "kubectl delete → the DELETE, p50, while all poll", "ms"),
    Figure("delete_call_p99_ms", "the same, p99", "ms", bar=_by_size(120, 400)),
    Figure("delete_seconds", "all deleted with kubectl", "s"),
    Figure("gone_seconds", "delete all → all gone", "s", bar=_by_size(21, 210)),
    Figure("delete_writes_a_second", "API writes a second meanwhile, deletions included", "1/s"),
    Figure("delete_cpu_seconds", "CPU of the operator until all are gone", "s"),
    Figure("delete_others_cpu_seconds", "CPU of API server, etcd, stand-in cloud and load meanwhile", "s"),
    # The write-ahead, the nodes that turn from available to deleting, the finalizer.
    _count("patches_per_deletion", "PATCHes of the object per deletion", 3),
    _count("patches_of_one_deletion", "the most PATCHes of one object during its deletion", 3),
    _count("events_per_deletion", "Events per deletion", 2),
    _count("account_writes_a_second", "writes a second to one account", 1, "1/s"),
    Figure("reads_per_deletion", "API reads per deletion"),
    Figure("calls_per_deletion", "cloud calls per deletion"),
    _count("duplicate_deletes", "duplicate DELETEs", 0),
    _count("errors_logged", "errors in the operator's log", 0),
    Figure("memory_base_mib", "memory without objects", "MiB"),
    Figure("memory_idle_mib", "memory with all objects, idle", "MiB"),
    Figure("memory_peak_mib", "memory, peak", "MiB", bar=_by_size(120, 300)),
)
BY_KEY: Mapping[str, Figure] = {figure.key: figure for figure in FIGURES}
# What ten times the objects may cost, each above what the operator needs without any.
GROWING = ("create_cpu_seconds", "mirrored_seconds", "gone_seconds", "memory_above_base_mib")
GROWTH_BAR = 11.0


def violations(scale: Scale, figures: Figures) -> list[str]:
    """The asserted figures that are beyond their bar, in words."""
    found = []
    for figure in FIGURES:
        bar = figure.bar(scale)
        if figure.is_asserted and bar is not None and figures[figure.key] > bar:
            found.append(f"{figure.title}: {figures[figure.key]:g}, and at most {bar:g} is allowed")
    return found


def growth(small: Figures, large: Figures) -> Figures:
    """How many times as much the run with 10,000 objects cost as that with 1,000; what cost nothing is left out.

    More than nine tenths of 10,000 are deleted at once, and only four fifths of 1,000: the time for all is compared.
    """

    def costs(figures: Figures, scale: Scale) -> Figures:
        found = {key: figures[key] for key in GROWING if key in figures}
        found["memory_above_base_mib"] = figures["memory_peak_mib"] - figures["memory_base_mib"]
        found["gone_seconds"] *= scale.objects / scale.crowd
        return found

    before, after = costs(small, Scale(THOUSAND)), costs(large, Scale(TEN_THOUSAND))
    return {key: after[key] / value for key, value in before.items() if value > 0}
