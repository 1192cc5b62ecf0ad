"""Tasks along a dimension whose length is known only when the kernel runs."""

from __future__ import annotations

from dataclasses import dataclass

from xdsl.dialects import arith
from xdsl.ir import Block, SSAValue

from canao.lowering.emit.loops import Loops, Names, index_constant
from canao.lowering.emit.scalar_ops import add
from canao.lowering.schedules.schedule import Schedule
from canao.lowering.stages.stage import Part
from canao.polyhedral.index import Index, Variable


@dataclass(frozen=True)
class TaskRun:
    """`length` points, which are cut into `count` tasks of at most `tile`."""

    length: SSAValue
    extent: int
    """The most that the length can be."""
    count: SSAValue
    most: int
    """The most that the count can be."""
    tile: int
    whole: bool
    """Whether all tasks but the last have `tile` points; else they differ by one at most."""


_ROUND = 4
"""A second round of tasks is worth it where each has so many times the fewest points of one: every
task reads all weights, and its last tiles are small ones."""


def task_run(
    block: Block,
    length: SSAValue,
    extent: int,
    tile: int,
    wanted: int,
    schedule: Schedule,
    *,
    whole: bool,
) -> TaskRun:
    """As few tasks as hold all points, or as many as are wanted and worth it.

    `whole` is asked for where points lie along vectors, so that tasks begin where vectors do.
    """
    up = add(block, arith.AddiOp(length, index_constant(block, tile - 1)))
    count = add(block, arith.DivSIOp(up, index_constant(block, tile))) if tile > 1 else length
    most = -(-extent // tile)
    if wanted > 1 and not whole:
        few = min(schedule.task_step, wanted)
        first = _in_rounds(block, length, schedule.task_points, 1, few)
        points = _ROUND * schedule.task_points
        more = _in_rounds(block, length, points, schedule.task_step, wanted)
        count = add(block, arith.MaxSIOp(count, add(block, arith.MaxSIOp(first, more))))
        most = max(most, wanted)
    return TaskRun(length, extent, count, most, tile, whole)


def _in_rounds(block: Block, length: SSAValue, points: int, step: int, limit: int) -> SSAValue:
    """How many tasks of so many points a length has, a multiple of `step` and `limit` at most."""
    rounds = add(block, arith.DivSIOp(length, index_constant(block, points * step)))
    count = add(block, arith.MuliOp(rounds, index_constant(block, step)))
    return add(block, arith.MinSIOp(count, index_constant(block, limit)))


def part_of(
    block: Block, loops: Loops, names: Names, run: TaskRun, task: Index
) -> tuple[Part, Loops]:
    """The points of a task, and the loops with where they start."""
    if run.tile == 1:
        return Part(task, 1), loops
    ((variable, _),) = task.terms
    assert isinstance(variable, Variable)
    number = loops[variable]
    if run.whole:
        tile = index_constant(block, run.tile)
        start = add(block, arith.MuliOp(number, tile))
        left = add(block, arith.SubiOp(run.length, start))
        points = add(block, arith.MinSIOp(left, tile))
    else:
        share = add(block, arith.DivSIOp(run.length, run.count))
        more = add(block, arith.RemSIOp(run.length, run.count))
        longer = add(block, arith.MinSIOp(number, more))
        start = add(block, arith.AddiOp(add(block, arith.MuliOp(number, share)), longer))
        following = add(block, arith.AddiOp(number, index_constant(block, 1)))
        end = add(block, arith.MinSIOp(following, more))
        extra = add(block, arith.SubiOp(end, longer))
        points = add(block, arith.AddiOp(share, extra))
    place = names.variable(run.extent)
    return Part(Index.of(place), min(run.tile, run.extent), count=points), {**loops, place: start}
