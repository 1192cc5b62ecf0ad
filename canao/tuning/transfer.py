"""What is known of a layer from layers of the same operations in other sizes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from math import log2

from canao.building.cache import digest
from canao.lowering.schedules.schedule import Schedule, StageSchedule
from canao.tuning.database import Record, TuningKey
from canao.tuning.tuning_file import parse_schedule

_NUMBER = re.compile(r"0x[0-9A-Fa-f]+|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?")
"""Sizes, and constants that depend on sizes, such as the reciprocal of a width."""


def structure(module: str) -> str:
    """The hash of a layer's text without its numbers: equal for layers that differ in sizes."""
    return digest(_NUMBER.sub("#", module))


class Relatives:
    """The tuned layers of a database, by structure.

    Those that were measured little themselves teach nothing.
    """

    def __init__(self, records: Iterable[Record], here: TuningKey, least: int) -> None:
        self._known: dict[str, list[tuple[str, Schedule]]] = {}
        for record in records:
            if replace(record.key, layer="") != here or len(record.measurements) < least:
                continue
            try:
                winner = parse_schedule(record.winner)
            except ValueError:
                continue
            self._known.setdefault(structure(record.module), []).append((record.module, winner))

    def winner_like(self, module: str) -> Schedule | None:
        """The winner of the layer of the same structure that is nearest in size."""
        known = self._known.get(structure(module))
        if not known:
            return None
        return min(known, key=lambda pair: _distance_of_sizes(pair[0], module))[1]


def _distance_of_sizes(one: str, other: str) -> float:
    pairs = zip(_NUMBER.findall(one), _NUMBER.findall(other), strict=True)
    return sum(_ratio(_value(a), _value(b)) for a, b in pairs)


def _value(text: str) -> float:
    return float(int(text, 16)) if text.startswith("0x") else float(text)


def nearest(schedules: Sequence[Schedule], wanted: Schedule) -> Schedule:
    """The schedule most like one of another layer of the same structure; the first of equals."""
    return min(schedules, key=lambda schedule: _distance(schedule, wanted))


def _distance(one: Schedule, other: Schedule) -> tuple[int, float, float]:
    stages = list(zip(one.stages, other.stages, strict=False))
    kinds = sum(_kind(a) != _kind(b) for a, b in stages) + abs(len(one.stages) - len(other.stages))
    tiles = sum(_ratio(x, y) for a, b in stages for x, y in zip(a.tile, b.tile, strict=False))
    bands = sum(_ratio(x, y) for x, y in zip(one.band, other.band, strict=False))
    return kinds, tiles, bands


def _kind(stage: StageSchedule) -> StageSchedule:
    """A stage's schedule without its sizes."""
    return replace(stage, tile=(), block=None)


def _ratio(a: float, b: float) -> float:
    return abs(log2((a + 1) / (b + 1)))
