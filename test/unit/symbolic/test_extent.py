"""Extents compute and compare as the numbers do that they stand for."""

from __future__ import annotations

import operator
from collections.abc import Callable
from itertools import product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canao.errors import UndecidedError
from canao.extent import (
    Extent,
    Symbol,
    at,
    bounds_of,
    extent_of,
    from_plain,
    is_symbolic,
    most,
    plain,
    symbols_in,
    volume,
)

BATCH, SEQUENCE = Symbol("batch", 1, 3), Symbol("sequence", 1, 5)
B, S = extent_of(BATCH), extent_of(SEQUENCE)
SIZES = [{"batch": b, "sequence": s} for b, s in product(range(1, 4), range(1, 6))]

leaves = st.one_of(st.integers(-3, 6), st.sampled_from([B, S]))
extents = st.recursive(
    leaves,
    lambda inner: st.builds(
        lambda f, a, b: f(a, b),
        st.sampled_from([operator.add, operator.sub, operator.mul]),
        inner,
        inner,
    ),
    max_leaves=5,
)


@given(extents, extents)
def test_arithmetic(a: int, b: int) -> None:
    for sizes in SIZES:
        x, y = at(a, sizes), at(b, sizes)
        assert at(a + b, sizes) == x + y
        assert at(a - b, sizes) == x - y
        assert at(a * b, sizes) == x * y


@given(extents, extents)
def test_comparisons_hold_for_all_sizes(a: int, b: int) -> None:
    for compare in (operator.lt, operator.le, operator.gt, operator.ge):
        try:
            answer = compare(a, b)
        except UndecidedError:
            continue
        assert all(compare(at(a, sizes), at(b, sizes)) == answer for sizes in SIZES)
    assert (a == b) <= all(at(a, sizes) == at(b, sizes) for sizes in SIZES)


@given(extents)
def test_bounds_are_not_passed(a: int) -> None:
    low, high = bounds_of(a)
    assert all(low <= at(a, sizes) <= high for sizes in SIZES)


@given(extents, st.sampled_from([B, S, B * S, S + 1, B * 2, 3]))
def test_quotients_of_products(a: int, b: int) -> None:
    assert (a * b) // b == a
    assert (a * b) % b == 0


@given(extents)
def test_as_json(a: int) -> None:
    assert from_plain(plain(a), symbols_in([a])) == a  # pyright: ignore[reportArgumentType]


def test_what_is_the_same_for_all_sizes_is_a_number() -> None:
    assert not is_symbolic(S - S)
    assert (S + 3) - S == 3
    assert extent_of(Symbol("one", 7, 7)) == 7
    assert S != 5
    assert S != 1
    assert len({S, extent_of(SEQUENCE), B}) == 2


def test_reading() -> None:
    assert str(B * S * 4 + 2 - S) == "batch * sequence * 4 - sequence + 2"
    assert most(B * S) == 15
    assert volume((B, S, 8)) == 120
    assert -1 % S == S - 1


@pytest.mark.parametrize(
    "question",
    [
        lambda: S > 2,
        lambda: S // 2,
        lambda: S % 2,
        lambda: 7 % S,
        lambda: bool(S - 1),
        lambda: range(S),
        lambda: [0] * 3 + [0] * int(S),
        lambda: 1.0 / S,
        lambda: float(S),
        lambda: np.arange(S),
        lambda: np.zeros((S,)),
    ],
)
def test_what_depends_on_sizes_is_no_number(question: Callable[[], object]) -> None:
    with pytest.raises((UndecidedError, TypeError)):
        question()


def test_an_extent_is_no_int_at_run_time() -> None:
    assert isinstance(S, Extent)
    assert not isinstance(S, (int,)) or not issubclass(type(S), int)
