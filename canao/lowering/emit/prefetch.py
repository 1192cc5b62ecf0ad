"""Fetching what comes next of a packed operand while the present block is in use."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from xdsl.dialects.builtin import MemRefType
from xdsl.ir import SSAValue

from canao.dialects.canao.source import dtype_of_element
from canao.lowering.emit.tile import Point
from canao.lowering.emit.value_emitter import ValueEmitter
from canao.machine.processor import Caches
from canao.polyhedral.index import Index


@dataclass(frozen=True)
class Prefetch:
    """Fetches a share of the cache lines some way behind a block, a few in each trip of a loop.

    Every tile of rows reads the same block of the operand; together they fetch
    as much of what lies a distance behind it in memory, each its share.
    """

    memory: SSAValue
    start: Index
    """Position of the first element that this tile fetches."""
    lines: int
    """Lines a trip."""
    line: int
    """Elements in a line."""
    step: int
    """Elements from what one trip fetches to what the next does: less than a line where there
    are more trips than lines, so that they are spread over all trips and none is fetched early."""
    near: bool
    """Whether what was fetched and is not used yet fits the nearest cache."""

    @staticmethod
    def over(
        memory: SSAValue,
        block: Index,
        elements: int,
        distance: int,
        tile: Index,
        tiles: int,
        trips: int,
        caches: Caches,
    ) -> Prefetch | None:
        """Prefetches the `elements` elements that begin `distance` elements after `block`.

        The cache lines are shared out evenly: each of `tiles` tiles fetches its part, and
        each of the `trips` trips of a tile's loop a part of that. `tile` is the number of the
        tile. `block` and `distance` count elements of `memory`. None if `trips` is 0.
        """
        if trips == 0:
            return None
        assert isinstance(memory.type, MemRefType)
        size = dtype_of_element(memory.type.element_type).itemsize
        line = caches.line_bytes // size
        share = ceil(ceil(elements / line) / tiles)
        start = block + distance + tile * (share * line)
        in_flight = min(share * caches.line_bytes, distance * size)
        lines = ceil(share / trips)
        step = ceil(share * line / trips) if lines == 1 else lines * line
        return Prefetch(memory, start, lines, line, step, in_flight <= caches.spare_bytes)

    def fetch(self, emitter: ValueEmitter, trip: Index) -> None:
        """Emits what trip number `trip` fetches."""
        first = self.start + trip * self.step
        for n in range(self.lines):
            emitter.prefetch(self.memory, first + n * self.line, self.near)


def fetch_results(
    emitter: ValueEmitter,
    memory: SSAValue,
    points: Sequence[Point],
    stored_at: Sequence[Index],
    caches: Caches,
) -> None:
    """Fetches the cache lines in which the vectors of a tile will be stored.

    Neighbours in memory share lines: one of them is asked for in each line's length.
    """
    assert isinstance(memory.type, MemRefType)
    line = caches.line_bytes // dtype_of_element(memory.type.element_type).itemsize
    asked: Index | None = None
    for point, position in zip(points, stored_at, strict=True):
        start = position if point.lane is None else position.without(point.lane)
        beside = asked is not None and start.terms == asked.terms
        if asked is not None and beside and 0 <= start.offset - asked.offset < line:
            continue
        asked = start
        emitter.prefetch(memory, start, near=True, is_write=True)
