"""Tiles that are computed along one dimension and stored along another.

Vectors are loaded along the dimension in which the sources are contiguous,
squares of as many vectors as lanes are transposed in registers, and vectors
are stored along the dimension in which the target is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from xdsl.dialects import vector
from xdsl.dialects.builtin import DenseArrayBase, VectorType, i64
from xdsl.ir import Block, SSAValue

from canao.lowering.emit.scalar_ops import add
from canao.lowering.emit.value_emitter import ValueEmitter
from canao.lowering.schedules.schedule import StageSchedule
from canao.lowering.stages.stage import Part, Stage
from canao.polyhedral.index import Index, Variable, apply_map
from canao.polyhedral.split import vector_pieces


def emit_transposed(
    emitter: ValueEmitter,
    stage: Stage,
    schedule: StageSchedule,
    lanes: int,
    parts: Sequence[Part],
) -> None:
    """Emits one tile of a stage without a reduction, as runs of points along each dimension."""
    along, across = schedule.vector, schedule.across
    assert along is not None
    assert across is not None
    others = [
        [part.start + n for n in range(1 if d in (along, across) else part.size)]
        for d, part in enumerate(parts)
    ]
    for at in product(*others):
        for first, second, size in _squares(parts[along].size, parts[across].size, lanes):
            corner = list(at)
            corner[along] = parts[along].start + first
            corner[across] = parts[across].start + second
            _emit_square(emitter, stage, corner, (along, across), size)


def _squares(along: int, across: int, lanes: int) -> Iterator[tuple[int, int, int]]:
    """Covers a rectangle by squares with power-of-two sides: (first, second, side)."""
    for (first, width), (second, height) in product(
        vector_pieces(along, lanes), vector_pieces(across, lanes)
    ):
        side = min(width, height)
        for a, b in product(range(0, width, side), range(0, height, side)):
            yield first + a, second + b, side


def _emit_square(
    emitter: ValueEmitter,
    stage: Stage,
    corner: Sequence[Index],
    dims: tuple[int, int],
    size: int,
) -> None:
    along, across = dims
    lane = Variable("lane", size) if size > 1 else None

    def points(moving: int, fixed: int) -> list[tuple[Index, ...]]:
        """A point for each line of the square, its lane along `moving`."""
        lines: list[tuple[Index, ...]] = []
        for n in range(size):
            point = list(corner)
            point[fixed] = corner[fixed] + n
            if lane is not None:
                point[moving] = corner[moving] + Index.of(lane)
            lines.append(tuple(point))
        return lines

    values = [
        emitter.broadcast(
            emitter.evaluate(stage.value, apply_map(stage.value_map, point), lane), size
        )
        for point in points(along, across)
    ]
    buffer = emitter.buffers[stage.target]
    columns = transpose_vectors(emitter.block, values)
    for value, point in zip(columns, points(across, along), strict=True):
        position = buffer.layout.position(apply_map(stage.target_map, point))
        emitter.store(value, buffer.memory, position, lane)


def transpose_vectors(block: Block, rows: Sequence[SSAValue]) -> list[SSAValue]:
    """The columns of a square matrix given as its rows, a power of two of them.

    Each round swaps the blocks beside the diagonal: halves of the matrix first,
    single elements last.
    """
    lines = list(rows)
    half = len(lines) // 2
    while half:
        for n in range(len(lines)):
            if n & half:
                continue
            upper, lower = lines[n], lines[n + half]
            lines[n] = _blend(block, upper, lower, half, 0)
            lines[n + half] = _blend(block, upper, lower, half, half)
        half //= 2
    return lines


def _blend(block: Block, upper: SSAValue, lower: SSAValue, half: int, shift: int) -> SSAValue:
    """Blocks of `half` lanes of one line beside those of the other, both `shift` lanes in."""
    assert isinstance(upper.type, VectorType)
    (lanes,) = upper.type.get_shape()
    places = [lane - half + shift + lanes if lane & half else lane + shift for lane in range(lanes)]
    mask = DenseArrayBase.from_list(i64, places)
    return add(block, vector.ShuffleOp(upper, lower, mask, result_type=upper.type))
