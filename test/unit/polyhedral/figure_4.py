"""Figure 4 of the paper by hand: `out = in0 * in1 + in2 * in3`, the second product one row."""

from __future__ import annotations

from canao.polyhedral.index import Index, Variable
from canao.polyhedral.statement import Access, Array, Program, Statement
from canao.polyhedral.timing import Hoist, Nest, Plan

MUL2, ADD = 0, 1


def figure_4(rows: int, columns: int) -> Program:
    """Mul-1 is in registers of Add; Mul-2 is a statement of its own, to be placed by a plan."""
    i, j = Variable("i", rows), Variable("j", columns)
    whole, row = (Index.of(i), Index.of(j)), (Index.of(j),)
    mul2 = Statement(
        "mul2", (j,), 1, (Access("in2", row), Access("in3", row)), (Access("temp", row),)
    )
    add = Statement(
        "add",
        (i, j),
        2,
        (Access("in0", whole), Access("in1", whole), Access("temp", row)),
        (Access("out", whole),),
    )
    arrays = (
        *(Array(name, (rows, columns), given=True) for name in ("in0", "in1")),
        *(Array(name, (columns,), given=True) for name in ("in2", "in3")),
        Array("temp", (columns,), private=True),
        Array("out", (rows, columns)),
    )
    return Program((mul2, add), arrays)


def fuse_add(band: tuple[int, ...] = (), tile: tuple[int, int] = (1, 1)) -> Plan:
    """`i` outside, `j` inside; `in2 * in3` again for every row."""
    return Plan(band, (Hoist(ADD, 2, (1,)), Nest((0, 1), tile)))


def fuse_add_permuted(band: tuple[int, ...] = (), tile: tuple[int, int] = (1, 1)) -> Plan:
    """`j` outside, `i` inside; `in2 * in3` once, before the inner loop."""
    return Plan(band, (Hoist(ADD, 1, (1,)), Nest((1, 0), tile)))
