"""Layers whose lengths vary: at which lengths schedules are measured, and what is put together.

All schedules of such a layer read the same packed weights, whatever the length.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import pairwise
from math import isqrt

from canao.extent import Symbol, at, is_symbolic, symbols_in
from canao.lowering.choose.layer_task import LayerTask
from canao.lowering.choose.variants import variants
from canao.lowering.schedules.schedule import Fewer, Schedule
from canao.lowering.stages.reads import varying_points

_PROBED = (16, 64, 256)
"""Lengths at which schedules are measured."""


@dataclass(frozen=True)
class Probe:
    """Sizes at which schedules are measured."""

    sizes: tuple[tuple[str, int], ...]
    """By the name of each symbol of the layer."""
    points: int
    """Points of what varies then."""

    @property
    def values(self) -> tuple[int, ...]:
        """The sizes, in the order of their symbols' names."""
        return tuple(size for _, size in self.sizes)


def probes(task: LayerTask, schedule: Schedule) -> list[Probe]:
    """A few sizes: the dimension that varies most has several, the others are small.

    None where tasks are not cut along what varies.
    """
    points = varying_points(task.stages, len(schedule.band))
    symbols = task.symbols
    if not is_symbolic(points) or not symbols:
        return []
    widest = max(symbols, key=lambda symbol: (symbol.high, symbol.name))
    if widest not in symbols_in([points]):
        return []
    found: dict[int, Probe] = {}
    for length in _PROBED:
        sizes = {s.name: s.low for s in symbols} | {widest.name: _clamped(length, widest)}
        number = at(points, sizes)
        found.setdefault(number, Probe(tuple(sorted(sizes.items())), number))
    return list(found.values())


def _clamped(length: int, symbol: Symbol) -> int:
    return min(max(length, symbol.low), symbol.high)


def varying_variants(task: LayerTask, most: int = 64) -> list[Schedule]:
    """Distinct schedules of a layer that read the same packed weights, the likeliest first."""
    base, *others = variants(task)
    found = dict.fromkeys([base, *_task_rounds(base)])
    found |= dict.fromkeys(other for other in others if other.packed == base.packed)
    return list(found)[:most]


def _task_rounds(base: Schedule) -> Iterator[Schedule]:
    """More and fewer tasks for threads to share."""
    if not base.tasks:
        return
    yield replace(base, task_points=max(1, base.task_points // 2))
    yield replace(base, task_points=2 * base.task_points)
    yield replace(base, tasks=tuple(-(-n // 2) for n in base.tasks))


def joined(winners: Mapping[int, Schedule]) -> Schedule:
    """One schedule of what won with so many points each.

    Between two numbers of points, the geometric middle is the limit.
    """
    ordered = sorted(winners.items())
    fewer: list[Fewer] = []
    for (points, schedule), (following, other) in pairwise(ordered):
        if schedule != other:
            fewer.append(Fewer(isqrt(points * following), schedule))
    return replace(ordered[-1][1], fewer=tuple(fewer))
