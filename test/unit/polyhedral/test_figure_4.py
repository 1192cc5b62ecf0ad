from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
from unit.polyhedral import brute_force
from unit.polyhedral.figure_4 import ADD, MUL2, figure_4, fuse_add, fuse_add_permuted

from canao.errors import IllegalScheduleError
from canao.polyhedral.footprint import recomputation
from canao.polyhedral.index import Index
from canao.polyhedral.legality import prove
from canao.polyhedral.statement import Access
from canao.polyhedral.timing import Nest, Plan

BANDS = [(), (1,), (2,), (5,), (2, 3)]
TILES = [(1, 1), (2, 4), (3, 7)]


@pytest.mark.parametrize("tile", TILES)
@pytest.mark.parametrize("band", BANDS)
@pytest.mark.parametrize("version", [fuse_add, fuse_add_permuted])
def test_both_loop_orders_are_legal(
    version: Callable[..., Plan], band: tuple[int, ...], tile: tuple[int, int]
):
    program, plan = figure_4(5, 7), version(band, tile)
    proof = prove(program, plan, "fuse_add")
    assert [d.describe(program) for d in proof.dependences] == [
        "flow dependence mul2 -> add on 'temp'"
    ]
    assert proof.reassociated == ()
    as_written = brute_force.results(program, None)
    expected = {e: v for e, v in as_written.items() if e[0] == "out"}
    for backwards in (False, True):
        assert brute_force.results(program, plan, backwards) == expected


def test_unfused_loops_are_legal_too():
    prove(figure_4(5, 7), Plan((), (Nest((0,), (1,)), Nest((0, 1), (1, 1)))))


def test_add_before_mul2_is_illegal():
    plan = Plan((), (Nest((0,), (1,)), Nest((0, 1), (1, 1))), sequence=(ADD, MUL2))
    with pytest.raises(IllegalScheduleError) as error:
        prove(figure_4(5, 7), plan, "swapped")
    assert str(error.value) == (
        "schedule swapped is illegal: the flow dependence mul2 -> add on 'temp' runs backwards "
        "in time: mul2[0] must come before add[0, 0]; choose another"
    )


def count(version: Plan) -> int:
    slots = [slot for task in brute_force.tasks(figure_4(5, 7), version) for slot in task]
    return sum(n == MUL2 for slot in slots for n, _ in slot)


def test_the_second_order_computes_the_product_once():
    add = figure_4(5, 7).statements[ADD]
    (temp,) = add.read("temp")
    again = recomputation([i for i in temp.index if isinstance(i, Index)], add.dims)
    assert (again.free, again.times) == ((0,), 5)
    assert again.depth((0, 1)) == 2
    assert again.depth((1, 0)) == 1
    assert again.repeated((0, 1), add.extents, 2) * 7 == count(fuse_add()) == 35
    assert again.repeated((1, 0), add.extents, 1) * 7 == count(fuse_add_permuted()) == 7


def test_a_hoist_that_tasks_share_is_a_race():
    program = figure_4(5, 7)
    shared = tuple(replace(a, private=False) for a in program.arrays)
    program = replace(program, arrays=shared)
    prove(program, fuse_add_permuted())
    message = r"two parallel tasks write one element of 'temp': mul2\[0\] and mul2\[0\]"
    with pytest.raises(IllegalScheduleError, match=message):
        prove(program, fuse_add_permuted((2,)))


def test_a_hoist_must_make_what_its_loops_read():
    program = figure_4(5, 7)
    mul2, add = program.statements
    mirrored = Access("temp", (Index.of(add.dims[1]) * -1 + 6,))
    add = replace(add, reads=(mirrored,))
    program = replace(program, statements=(mul2, add))
    prove(program, Plan((), (Nest((0,), (1,)), Nest((0, 1), (1, 1)))))
    with pytest.raises(IllegalScheduleError, match=r"mul2\[4\] must come before add\[0, 2\]"):
        prove(program, fuse_add_permuted(tile=(1, 2)))
