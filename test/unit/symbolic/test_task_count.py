"""The number of tasks that the host of an OpenCL program computes."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st
from unit.lowering.c_support import parallel, parse, program
from xdsl.dialects.builtin import MemRefType, i64
from xdsl.dialects.func import FuncOp, ReturnOp
from xdsl.ir import Block, Region

from canao.extent import Symbol, extent_of
from canao.lowering.emit import loops
from canao.lowering.emit.sizes import Sizes
from canao.lowering.emit.tasks import task_run
from canao.lowering.opencl.task_count import task_count
from canao.lowering.schedules.schedule import Schedule
from canao.task_count import count_at, count_of


@given(
    most=st.integers(2, 600),
    tile=st.integers(1, 130),
    wanted=st.integers(1, 16),
    points=st.integers(1, 40),
    step=st.integers(1, 4),
    whole=st.booleans(),
    others=st.integers(1, 5),
)
def test_tasks_hold_all_points(
    most: int, tile: int, wanted: int, points: int, step: int, whole: bool, others: int
) -> None:
    """No task is too large, none is empty, and there are no more than were provided for."""
    rows = Symbol("rows", 1, most)
    block = Block(arg_types=[MemRefType(i64, [2])])
    sizes = Sizes(block, block.args[0], [Symbol("batch", 1, 2), rows])
    schedule = Schedule((), (), task_points=points, task_step=step)
    run = task_run(block, sizes.value(extent_of(rows)), most, tile, wanted, schedule, whole=whole)
    loops.parallel(
        block, loops.Names(), [others, run.count], lambda *_: None, most=[others, run.most]
    )
    block.add_op(ReturnOp())
    function = FuncOp("kernel", ([MemRefType(i64, [2])], []), Region(block))
    found = task_count(function)
    assert found is not None
    kept = count_of(json.loads(json.dumps(found)))
    assert kept == found
    for length in {1, 2, most // 2 + 1, most - 1, most}:
        tasks, rest = divmod(count_at(kept, [1, length]), others)
        assert rest == 0
        assert 1 <= tasks <= min(run.most, length)
        assert tasks * tile >= length


def test_fixed_counts_need_no_host() -> None:
    module = parse(program([], ["4xf32"], parallel([4], "")))
    kernel = next(op for op in module.ops if isinstance(op, FuncOp))
    assert task_count(kernel) is None
