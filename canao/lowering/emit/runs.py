"""Runs of tiles along a dimension, also where its length is known only when the kernel runs.

A length that is a number is split by `polyhedral.split`. One that is not is split when the kernel
runs: into as many tiles of the schedule's size as there are, then of half of it, and so on, so
that every point is in one tile and no tile has to be checked. Vectors reach past the last point
instead, where memory has room for whole ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from xdsl.dialects import arith
from xdsl.ir import Block, SSAValue

from canao.lowering.emit.loops import Loops, Names, index_constant
from canao.lowering.emit.scalar_ops import add
from canao.lowering.stages.stage import Part
from canao.polyhedral.index import Index, Variable
from canao.polyhedral.split import Segment, split_by_width, split_evenly, tile_sizes


@dataclass(frozen=True)
class Run:
    """Consecutive tiles of `size` points, the first at `start` of the part they are tiles of."""

    start: Index
    count: int | SSAValue
    most: int
    """The count, or the most that it can be."""
    size: int
    before: Index
    """Tiles in earlier runs."""


def runs_of(
    block: Block,
    loops: Loops,
    names: Names,
    part: Part,
    tile: int,
    lanes: int | None,
) -> tuple[Sequence[Run], Loops]:
    """The tiles of a part, and the loops with what the runs begin at.

    `lanes` are those of a vector if the dimension lies along vectors, else None.
    """
    if part.count is not None:
        return _when_running(block, loops, names, part, part.count, tile, lanes)
    in_vectors = lanes is not None
    split = split_by_width(part.size, tile, lanes) if in_vectors else split_evenly(part.size, tile)
    runs: list[Run] = []
    before = 0
    for segment in split:
        runs.append(_run(segment, before))
        before += segment.count
    return runs, loops


def terms_of(
    block: Block, loops: Loops, names: Names, part: Part, tile: int
) -> tuple[Sequence[Run], Loops]:
    """The terms of a fold in steps of `tile`, then those that are left, each by itself."""
    if part.count is not None:
        return _when_running(block, loops, names, part, part.count, tile, None, (tile, 1))
    split = split_by_width(part.size, tile, 1)
    return [_run(s, 0) for s in split], loops


def _run(segment: Segment, before: int) -> Run:
    start, number = Index.constant(segment.start), Index.constant(before)
    return Run(start, segment.count, segment.count, segment.size, number)


def _when_running(
    block: Block,
    loops: Loops,
    names: Names,
    part: Part,
    points: SSAValue,
    tile: int,
    lanes: int | None,
    sizes: Sequence[int] = (),
) -> tuple[Sequence[Run], Loops]:
    known: dict[Variable, SSAValue] = dict(loops)

    def variable(value: SSAValue, most: int) -> Index:
        fresh = names.variable(most + 1)
        known[fresh] = value
        return Index.of(fresh)

    runs: list[Run] = []
    start, before, left, rest = Index(), Index(), points, part.size
    sizes = tuple(dict.fromkeys(sizes)) or tile_sizes(tile, lanes)
    for size in sizes:
        last = size == sizes[-1]
        count = _quotient(block, left, size, up=last and lanes is not None)
        most = -(-rest // size)
        runs.append(Run(start, count, most, size, before))
        if last:
            break
        step = index_constant(block, size)
        done = add(block, arith.MuliOp(count, step))
        start = start + variable(done, part.size)
        before = before + variable(count, most)
        left = add(block, arith.SubiOp(left, done))
        rest = min(rest, size - 1)
    return runs, known


def _quotient(block: Block, value: SSAValue, divisor: int, *, up: bool) -> SSAValue:
    """`value / divisor`, rounded up or down; neither is negative."""
    if divisor == 1:
        return value
    if up:
        value = add(block, arith.AddiOp(value, index_constant(block, divisor - 1)))
    return add(block, arith.DivSIOp(value, index_constant(block, divisor)))
