"""Indices become isl exactly, quotients included."""

from __future__ import annotations

from itertools import product

import islpy as isl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.polyhedral.brute_force import value
from unit.polyhedral.programs import dimensions, indices

from canao.polyhedral.access_relation import access_relation
from canao.polyhedral.index import Index, Variable
from canao.polyhedral.statement import Access, Array, Program, Statement


def pairs(relation: isl.Map) -> set[tuple[int, ...]]:
    found: set[tuple[int, ...]] = set()

    def add(point: isl.Point) -> None:
        count = point.to_set().dim(isl.dim_type.set)
        found.add(
            tuple(point.get_coordinate_val(isl.dim_type.set, n).to_python() for n in range(count))
        )

    relation.wrap().flatten().foreach_point(add)
    return found


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_relation_is_the_index_at_every_point(data: st.DataObject):
    dims = dimensions(data.draw(st.lists(st.integers(1, 4), min_size=1, max_size=3)))
    rank = data.draw(st.integers(1, 2))
    access = Access("A", tuple(data.draw(indices(dims)) for _ in range(rank)))
    statement = Statement("S", dims, len(dims), (), (access,))
    expected = {
        (*point, *(value(i, statement, point) for i in access.index if i is not None))
        for point in product(*(range(v.extent) for v in dims))
    }
    assert pairs(access_relation(statement, access, Array("A", (5,) * rank))) == expected


def test_an_index_known_when_running_stands_for_all():
    i = Variable("i", 2)
    access = Access("A", (None, Index.of(i)))
    statement = Statement("S", (i,), 1, (access,), ())
    relation = access_relation(statement, access, Array("A", (3, 2)))
    assert pairs(relation) == {(i, a, i) for i in range(2) for a in range(3)}


def test_scalars_and_points():
    statement = Statement("S", (), 0, (), (Access("A", ()),))
    assert not access_relation(statement, Access("A", ()), Array("A", ())).is_empty()


@pytest.mark.parametrize("name", ["mod", "a b", "x]", "", "floor"])
def test_names_that_isl_would_misread_are_refused(name: str):
    with pytest.raises(ValueError, match="cannot name"):
        Array(name, (1,))
    with pytest.raises(ValueError, match="cannot name"):
        Statement(name, (), 0, (), ())


def test_programs_name_their_arrays():
    statement = Statement("S", (), 0, (Access("A", ()),), ())
    with pytest.raises(ValueError, match="no array's element"):
        Program((statement,), ())
    with pytest.raises(ValueError, match="no array's element"):
        Program((statement,), (Array("A", (2,)),))
    with pytest.raises(ValueError, match="have the name A"):
        Program((), (Array("A", ()), Array("A", (2,))))
