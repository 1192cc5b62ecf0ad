"""Proofs for every length: what holds at the largest, and does not for all, is found."""

from __future__ import annotations

from dataclasses import replace

import pytest

from canao.errors import IllegalScheduleError
from canao.extent import Symbol, extent_of
from canao.polyhedral.every_length import prove_every_length
from canao.polyhedral.index import Index, Variable
from canao.polyhedral.statement import Access, Array, Program, Statement
from canao.polyhedral.timing import Nest, Plan

ROWS = Symbol("rows", 1, 40)
OTHER = Symbol("other", 1, 5)
LONG = extent_of(ROWS)
ROW, J = Variable("i", 40), Variable("j", 40)


def access(array: str, *index: Index | Variable) -> Access:
    return Access(array, tuple(i if isinstance(i, Index) else Index.of(i) for i in index))


def chain(read: Index, *, private: bool = False, reader: Variable = J) -> Program:
    """`t[i] = x[i]`, then `y[j] = t[read]`."""
    window: tuple[int | None, ...] = (0,) if private else ()
    return Program(
        (
            Statement("S", (ROW,), 1, (access("x", ROW),), (access("t", ROW),)),
            Statement("T", (reader,), 1, (access("t", read),), (access("y", reader),)),
        ),
        (
            Array("x", (40,), given=True),
            Array("t", (40,), private=private, window=window),
            Array("y", (40,)),
        ),
    )


def prove(program: Program, band: tuple[int, ...], *lengths: int, tile: int = 9) -> None:
    nests = tuple(Nest((0,), (tile,)) for _ in program.statements)
    prove_every_length(program, Plan(band, nests), [(length,) for length in lengths], "it")


@pytest.mark.parametrize("band", [(), (8,)])
def test_row_by_row(band: tuple[int, ...]) -> None:
    prove(chain(Index.of(J), private=bool(band)), band, LONG, LONG)


def test_a_read_from_the_end_of_the_largest() -> None:
    """At 40 rows each element is there; at 39, the first row reads one that nobody wrote."""
    with pytest.raises(IllegalScheduleError, match="does not run for all lengths") as caught:
        prove(chain(Index.of(J) * -1 + 39), (), LONG, LONG)
    assert "flow dependence S -> T on 't'" in str(caught.value)


def test_lengths_that_are_not_equal() -> None:
    """Both may be 40, but one may be longer than the other."""
    with pytest.raises(IllegalScheduleError, match="does not run for all lengths"):
        prove(chain(Index.of(J)), (), extent_of(Symbol("fewer", 1, 40)), LONG)


@pytest.mark.parametrize(
    ("written", "read", "largest", "legal"),
    [
        (LONG, LONG - 1, 39, True),
        (LONG - 1, LONG, 40, False),
        (LONG * 2 - 40, LONG, 40, False),
        (LONG, 1, 1, True),
        (40, LONG, 40, True),
    ],
    ids=str,
)
def test_lengths_that_depend_on_one_symbol(
    written: int, read: int, largest: int, legal: bool
) -> None:
    program = chain(Index.of(J), reader=Variable("j", largest))
    if legal:
        prove(program, (), written, read)
        return
    with pytest.raises(IllegalScheduleError, match="for some lengths"):
        prove(program, (), written, read)


def test_a_product_of_symbols() -> None:
    product = LONG * extent_of(OTHER)
    prove(chain(Index.of(J)), (), product, product)
    with pytest.raises(IllegalScheduleError, match="for some lengths"):
        prove(chain(Index.of(J)), (), LONG, product)


def test_rows_that_wait_for_each_other() -> None:
    """`t[i + 1] = t[i]`: right row after row, wrong where rows of one tile are computed at once."""
    short = Variable("i", 39)
    program = Program(
        (
            Statement("Z", (Variable("z", 1),), 1, (), (access("t", Index.constant(0)),)),
            Statement("S", (short,), 1, (access("t", short),), (access("t", Index.of(short) + 1),)),
        ),
        (Array("t", (40,)),),
    )
    prove(program, (), 1, 39, tile=1)
    with pytest.raises(IllegalScheduleError, match="tiles along 'i' are cut when the code runs"):
        prove(program, (), 1, extent_of(Symbol("less", 1, 39)), tile=1)


def test_tasks_that_wait_for_each_other() -> None:
    """One task of 40 rows has all that the second statement reads; smaller tasks have not."""
    with pytest.raises(IllegalScheduleError):
        prove(chain(Index.of(J) * -1 + 39), (40,), LONG, LONG)


def test_totals_of_fewer_terms() -> None:
    """A total is there at every length, whichever term was added last."""
    terms = Variable("k", 40)
    program = Program(
        (
            Statement("S", (ROW, terms), 1, (access("x", ROW, terms),), (access("t", ROW),), True),
            Statement("T", (J,), 1, (access("t", J),), (access("y", J),)),
        ),
        (Array("x", (40, 40), given=True), Array("t", (40,)), Array("y", (40,))),
    )
    plan = Plan((), (Nest((0,), (9, 4)), Nest((0,), (9,))))
    prove_every_length(program, plan, [(LONG, LONG), (LONG,)], "it")
    with pytest.raises(IllegalScheduleError, match="does not run for all lengths"):
        prove_every_length(program, plan, [(LONG - 1, LONG), (LONG,)], "it")


def test_indices_that_are_loaded() -> None:
    """They are checked against the length when they run; known ones beside them are proved."""
    first, second = chain(Index.of(J)).statements
    arrays = chain(Index.of(J)).arrays
    loaded = Access("t", (None,))
    prove(Program((first, replace(second, reads=(loaded,))), arrays), (), LONG, LONG)
    beside = replace(second, reads=(loaded, access("t", Index.of(J) * -1 + 39)))
    with pytest.raises(IllegalScheduleError, match="does not run for all lengths"):
        prove(Program((first, beside), arrays), (), LONG, LONG)
