"""Every simplification of an index agrees with its value at every point."""

from __future__ import annotations

from itertools import product
from math import prod

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xdsl.ir.affine import AffineBinaryOpExpr, AffineBinaryOpKind, AffineExpr, AffineMap

from canao.polyhedral.index import Index, Quotient, Variable, apply_map, evaluate, linearise

VARIABLES = tuple(Variable(name, extent) for name, extent in (("a", 4), ("b", 3), ("c", 6)))
POINTS = tuple(product(*(range(v.extent) for v in VARIABLES)))
Values = tuple[int, ...]


def value(index: Index, point: Values) -> int:
    """What an index is at a point, from its parts as they stand."""
    of = dict(zip(VARIABLES, point, strict=True))
    total = index.offset
    for atom, coefficient in index.terms:
        if isinstance(atom, Quotient):
            total += coefficient * (value(atom.numerator, point) // atom.divisor)
        else:
            total += coefficient * of[atom]
    return total


@st.composite
def indices(draw: st.DrawFn, depth: int = 3) -> tuple[Index, Values]:
    """An index built by operators, and its values at all points by plain arithmetic."""
    kind = draw(st.sampled_from(("leaf", "sum", "scale", "quotient", "remainder")))
    if depth == 0 or kind == "leaf":
        if draw(st.booleans()):
            number = draw(st.integers(-9, 9))
            return Index.constant(number), (number,) * len(POINTS)
        n = draw(st.integers(0, len(VARIABLES) - 1))
        return Index.of(VARIABLES[n]), tuple(p[n] for p in POINTS)
    index, values = draw(indices(depth - 1))
    if kind == "sum":
        other, others = draw(indices(depth - 1))
        return index + other, tuple(a + b for a, b in zip(values, others, strict=True))
    if kind == "scale":
        factor = draw(st.integers(-4, 8))
        return index * factor, tuple(a * factor for a in values)
    divisor = draw(st.sampled_from((1, 2, 3, 4, 6, 8, 12)))
    if kind == "quotient":
        return index // divisor, tuple(a // divisor for a in values)
    return index % divisor, tuple(a % divisor for a in values)


@given(indices())
def test_values(drawn: tuple[Index, Values]) -> None:
    index, values = drawn
    assert tuple(value(index, p) for p in POINTS) == values


@given(indices())
def test_bounds_hold(drawn: tuple[Index, Values]) -> None:
    index, values = drawn
    low, high = index.bounds
    assert low <= min(values)
    assert max(values) <= high


@given(indices())
def test_affine_expression(drawn: tuple[Index, Values]) -> None:
    index, values = drawn
    expression = index.to_affine(VARIABLES)
    assert tuple(expression.eval(p, ()) for p in POINTS) == values
    # and back again
    again = evaluate(expression, [Index.of(v) for v in VARIABLES])
    assert tuple(value(again, p) for p in POINTS) == values


@given(indices(), st.sampled_from(VARIABLES), st.data())
def test_substitution(drawn: tuple[Index, Values], variable: Variable, data: st.DataObject) -> None:
    index, _ = drawn
    number = data.draw(st.integers(0, variable.extent - 1))
    fixed = index.substitute(variable, number)
    assert not fixed.uses(variable)
    place = VARIABLES.index(variable)
    for p in POINTS:
        there = (*p[:place], number, *p[place + 1 :])
        assert value(fixed, p) == value(index, there)


@given(indices(), st.sampled_from(VARIABLES))
def test_coefficient_is_the_step(drawn: tuple[Index, Values], variable: Variable) -> None:
    index, _ = drawn
    step = index.coefficient(variable)
    if step is None:
        return
    place = VARIABLES.index(variable)
    for p in POINTS:
        if p[place] + 1 < variable.extent:
            after = (*p[:place], p[place] + 1, *p[place + 1 :])
            assert value(index, after) - value(index, p) == step
    if index.uses(variable):
        at_zero = index.without(variable)
        for p in POINTS:
            assert value(at_zero, p) == value(index, (*p[:place], 0, *p[place + 1 :]))


@given(indices())
def test_variables_are_those_it_uses(drawn: tuple[Index, Values]) -> None:
    index, _ = drawn
    assert index.variables() == tuple(v for v in VARIABLES if index.uses(v))


@given(indices(), indices())
def test_equal_sums_are_equal(a: tuple[Index, Values], b: tuple[Index, Values]) -> None:
    assert a[0] + b[0] == b[0] + a[0]
    assert hash(a[0] + b[0]) == hash(b[0] + a[0])
    assert a[0] + b[0] - b[0] == a[0]


def test_reshapes_undo_each_other() -> None:
    """Splitting a row-major position gives back the indices that made it."""
    shape = tuple(v.extent for v in VARIABLES)
    position = linearise([Index.of(v) for v in VARIABLES], shape)
    rest = position
    found: list[Index] = []
    for extent in reversed(shape):
        found.append(rest % extent)
        rest = rest // extent
    assert found[::-1] == [Index.of(v) for v in VARIABLES]
    assert position.bounds == (0, prod(shape) - 1)


def test_divisions_that_ranges_make_vanish() -> None:
    head, inner = Variable("h", 12), Variable("d", 32)
    column = Index.of(head) * 32 + Index.of(inner)
    assert column // 32 == Index.of(head)
    assert column % 32 == Index.of(inner)
    assert column // 16 == Index.of(head) * 2 + Index.of(inner) // 16
    assert str(column // 64) == "(h floordiv 2)"
    assert str(column // 5) == "(d + 32*h floordiv 5)"


def test_a_variable_of_one_value_is_zero() -> None:
    assert Index.of(Variable("a", 1)) == Index()


def test_maps_are_applied() -> None:
    a, b, c = (AffineExpr.dimension(n) for n in range(3))
    access = AffineMap(3, 0, (a * 2 + 1, (b + c * 3) // 3, -(-c // 2), b % 2))
    dims = [Index.of(v) for v in VARIABLES]
    for p in POINTS:
        assert [value(i, p) for i in apply_map(access, dims)] == list(access.eval(p, ()))


def test_symbols_have_no_value() -> None:
    with pytest.raises(ValueError, match="no value for the symbol"):
        evaluate(AffineExpr.symbol(0), [])


def test_products_of_variables_are_not_affine() -> None:
    product_ = AffineBinaryOpExpr(
        AffineBinaryOpKind.Mul, AffineExpr.dimension(0), AffineExpr.dimension(1)
    )
    with pytest.raises(ValueError, match="is not affine"):
        evaluate(product_, [Index.of(v) for v in VARIABLES])


def test_a_quotient_is_reduced_by_what_some_coefficients_share() -> None:
    task, tile = Variable("task", 3), Variable("tile", 2)
    row, lane = Index.of(task) * 128 + Index.of(tile) * 12 + 105, Index.of(Variable("lane", 2))
    position = row * 2 + lane
    assert position // 96 == row // 48
    assert (position % 96) // 2 == row % 48
