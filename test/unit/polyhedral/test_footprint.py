from __future__ import annotations

from math import prod

import islpy as isl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.polyhedral import brute_force
from unit.polyhedral.figure_4 import figure_4, fuse_add_permuted
from unit.polyhedral.programs import dimensions, programs

from canao.polyhedral.footprint import Footprint, count_points, footprints, recomputation
from canao.polyhedral.index import Index
from canao.polyhedral.statement import Access, Array, Program, Statement
from canao.polyhedral.timing import Nest, Plan, band_segments


def test_a_task_of_figure_4():
    found = {f.array: f for f in footprints(figure_4(128, 768), fuse_add_permuted((8, 96)))}
    assert found["in0"] == Footprint("in0", 8 * 96, 8 * 96 * 4, exact=True)
    assert found["out"].elements == 8 * 96
    assert found["in2"].elements == 96


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_agrees_with_counting(data: st.DataObject):
    program = data.draw(programs())
    nests = tuple(Nest(tuple(range(s.parallel)), (1,) * len(s.dims)) for s in program.statements)
    shared = all(s.extents[0] == program.statements[0].extents[0] for s in program.statements)
    plan = Plan((data.draw(st.integers(1, 3)),) if shared else (), nests)
    sizes = [band_segments(program, plan, b)[0].size for b in range(len(plan.band))]
    touched: dict[str, set[tuple[int, ...]]] = {}
    unknown: set[str] = set()
    for n, point in brute_force.instances(program):
        if any(at >= size for at, size in zip(point, sizes, strict=False)):
            continue
        statement = program.statements[n]
        for access in (*statement.reads, *statement.writes):
            if None in access.index:
                unknown.add(access.array)
            for name, at in brute_force.touches(program, (n, point), (access,)):
                touched.setdefault(name, set()).add(at)
    for found in footprints(program, plan):
        assert found.elements == len(touched[found.array])
        assert found.exact == (found.array not in unknown)


def test_large_sets_with_holes_are_bounded():
    assert count_points(isl.Set("{ [i, j] : 0 <= i < 9 and 0 <= j < 1000 }")) == (9000, True)
    assert count_points(isl.Set("{ [i] : 0 <= i < 90 and i mod 3 = 0 }")) == (30, True)
    assert count_points(isl.Set("{ [i] : 0 <= i < 9000 and i mod 3 = 0 }")) == (8998, False)
    assert count_points(isl.Set("{ [i] : 0 <= i < 0 }")) == (0, True)


def test_bytes_are_those_of_the_elements():
    (i,) = dims = dimensions((5,))
    statement = Statement("S", dims, 1, (), (Access("A", (Index.of(i) * 2,)),))
    program = Program((statement,), (Array("A", (9,), element_bytes=8),))
    assert footprints(program, Plan((), (Nest((0,), (1,)),))) == (Footprint("A", 5, 40, True),)


@given(st.data())
def test_every_element_is_computed_as_often_as_said(data: st.DataObject):
    extents = data.draw(st.lists(st.integers(1, 3), min_size=1, max_size=3))
    dims = dimensions(extents)
    index = [Index.of(v) for v in dims if data.draw(st.booleans())]
    again = recomputation(index, dims)
    distinct = prod(v.extent for v in dims if Index.of(v) in index and v.extent > 1)
    assert again.times * distinct == prod(extents)
    order = data.draw(st.permutations(range(len(dims))))
    depth = again.depth(order)
    assert all(d in again.free for d in order[depth:])
    assert again.repeated(order, extents, len(order)) == again.times


def test_a_value_that_depends_on_nothing_is_hoisted_out_of_everything():
    again = recomputation([], dimensions((2, 3)))
    assert (again.free, again.times, again.depth((1, 0))) == ((0, 1), 6, 0)


@pytest.mark.parametrize("divisor", [2, 5])
def test_quotients_depend_on_what_is_in_them(divisor: int):
    dims = dimensions((4, 6))
    index = (Index.of(dims[1]) // divisor,)
    assert recomputation(index, dims).free == (0,)
