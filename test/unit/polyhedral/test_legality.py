"""Every kind of violation, with the example it names; and what is no violation."""

from __future__ import annotations

from dataclasses import replace

import pytest
from unit.polyhedral.programs import dimensions

from canao.errors import IllegalScheduleError
from canao.polyhedral.dependence import Kind
from canao.polyhedral.index import Index
from canao.polyhedral.legality import Proof, Rule, check, prove
from canao.polyhedral.statement import Access, Array, Program, Statement
from canao.polyhedral.timing import Hoist, Nest, Plan

M, N, K = 6, 4, 5
ROWS = dimensions((M, N))
ROW, COLUMN = (Index.of(v) for v in ROWS)
A, B, C = (Array(name, (M, N)) for name in "ABC")
NATURAL = Nest((0, 1), (1, 1))


def statement(name: str, target: Access, *reads: Access) -> Statement:
    return Statement(name, ROWS, 2, reads, (target,))


def at(array: Array, *index: Index | None) -> Access:
    return Access(array.name, index)


COPY = statement("copy", at(B, ROW, COLUMN), at(A, ROW, COLUMN))
NEXT = statement("next", at(C, ROW, COLUMN), at(B, ROW, COLUMN))
CHAIN = Program((COPY, NEXT), (A, B, C))


def refused(program: Program, plan: Plan, rule: Rule) -> str:
    found = check(program, plan)
    assert not isinstance(found, Proof), "the schedule was proved legal"
    assert found.rule is rule, found.message
    with pytest.raises(IllegalScheduleError) as error:
        prove(program, plan, "it")
    assert str(error.value) == f"schedule it is illegal: {found.message}; choose another"
    return found.message


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
@pytest.mark.parametrize("band", [(), (1,), (4,), (6,), (4, 3)])
def test_a_chain_is_legal_under_any_loops(band: tuple[int, ...], order: tuple[int, int]):
    nests = (NATURAL, Nest(order, (4, 3), order[1]))
    prove(CHAIN, Plan(band, nests, lanes=2))


def test_swapped_stages():
    plan = Plan((), (NATURAL, NATURAL), sequence=(1, 0))
    assert refused(CHAIN, plan, Rule.BACKWARDS) == (
        "the flow dependence copy -> next on 'B' runs backwards in time: "
        "copy[0, 0] must come before next[0, 0]"
    )


def test_swapped_stages_that_overwrite():
    over = statement("over", at(A, ROW, COLUMN))
    program = Program((COPY, over), (replace(A, given=True), B))
    prove(program, Plan((2,), (NATURAL, NATURAL)))
    message = refused(program, Plan((2,), (NATURAL, NATURAL), sequence=(1, 0)), Rule.BACKWARDS)
    assert message.startswith("the anti dependence copy -> over on 'A'")
    again = replace(over, name="again")
    program = Program((over, again), (A,))
    prove(program, Plan((2,), (NATURAL, NATURAL)))
    message = refused(program, Plan((2,), (NATURAL, NATURAL), sequence=(1, 0)), Rule.BACKWARDS)
    assert message.startswith("the output dependence over -> again on 'A'")


def test_band_that_breaks_alignment():
    shifted = statement("shifted", at(C, ROW, COLUMN), at(B, (ROW + 1) % M, COLUMN))
    program = Program((COPY, shifted), (A, B, C))
    prove(program, Plan((), (NATURAL, NATURAL)))
    prove(program, Plan((M,), (NATURAL, NATURAL)))
    assert refused(program, Plan((3,), (NATURAL, NATURAL)), Rule.CROSSES) == (
        "the flow dependence copy -> shifted on 'B' crosses parallel tasks: "
        "copy[0, 0] must come before shifted[5, 0]"
    )


def test_band_that_swaps_dimensions():
    square = Array("S", (M, M))
    dims = dimensions((M, M))
    i, j = (Index.of(v) for v in dims)
    fill = Statement("fill", dims, 2, (), (at(square, i, j),))
    turn = Statement("turn", dims, 2, (at(square, j, i),), (Access("T", (i, j)),))
    program = Program((fill, turn), (square, Array("T", (M, M))))
    prove(program, Plan((), (NATURAL, NATURAL)))
    refused(program, Plan((2,), (NATURAL, NATURAL)), Rule.CROSSES)
    refused(program, Plan((M, 2), (NATURAL, NATURAL)), Rule.CROSSES)


# ------------------------------------------------------------------ reductions

SUM_DIMS = dimensions((M, K))
TOTALS = Array("T", (M,))
SUM = Statement(
    "sum", SUM_DIMS, 1, (Access("A", tuple(map(Index.of, SUM_DIMS))),),
    (Access("T", (Index.of(SUM_DIMS[0]),)),), reduction=True,
)  # fmt: skip
SUMS = Program((SUM,), (Array("A", (M, K)), TOTALS))


@pytest.mark.parametrize("vector", [None, 0, 1])
def test_a_reduction_may_be_reassociated(vector: int | None):
    proof = prove(SUMS, Plan((2,), (Nest((0,), (2, 4), vector),), lanes=4))
    assert proof.reassociated == ("sum",)


def test_a_chain_that_is_no_reduction_may_not():
    program = replace(SUMS, statements=(replace(SUM, reduction=False),))
    prove(program, Plan((2,), (Nest((0,), (2, 4)),)))
    refused(program, Plan((2,), (Nest((0,), (2, 4), 1),), lanes=4), Rule.TOGETHER)


def test_band_over_a_reduced_dimension():
    plan = Plan((M, 2), (Nest((0,), (1, 1)),))
    assert refused(SUMS, plan, Rule.RACE) == (
        "two parallel tasks write one element of 'T': sum[0, 0] and sum[0, 2]"
    )
    private = replace(SUMS, arrays=(SUMS.arrays[0], replace(TOTALS, private=True)))
    message = refused(private, plan, Rule.CROSSES)
    assert message.startswith("the reduction dependence sum -> sum on 'T'")


def test_a_reader_waits_for_the_whole_total():
    reader = Statement("read", SUM_DIMS, 2, SUM.writes, (Access("C", SUM.reads[0].index),))
    program = Program((SUM, reader), (*SUMS.arrays, Array("C", (M, K))))
    nests = (Nest((0,), (1, 1)), NATURAL)
    prove(program, Plan((2,), nests))
    refused(program, Plan((2,), nests, sequence=(1, 0)), Rule.BACKWARDS)


# ------------------------------------------------------------------- accesses


def test_overlapping_writes():
    parts = [
        Statement(f"part{n}", (v,), 1, (), (Access("A", (Index.of(v) + 3 * n,)),))
        for n, v in enumerate(dimensions((4,)) * 2)
    ]
    program = Program(tuple(parts), (Array("A", (7,)),))
    nest = Nest((0,), (1,))
    prove(program, Plan((), (nest, nest)))
    assert refused(program, Plan((2,), (nest, nest)), Rule.RACE) == (
        "two parallel tasks write one element of 'A': part0[3] and part1[0]"
    )


def test_one_statement_that_writes_an_element_twice():
    half = statement("half", at(A, ROW // 2, COLUMN))
    program = Program((half,), (A,))
    prove(program, Plan((2,), (NATURAL,)))
    refused(program, Plan((3,), (NATURAL,)), Rule.RACE)
    refused(program, Plan((), (Nest((0, 1), (2, 1)),)), Rule.TOGETHER)


def test_out_of_bounds():
    late = statement("late", at(B, ROW, COLUMN), at(A, ROW + 2, COLUMN))
    message = refused(Program((late,), (A, B)), Plan((), (NATURAL,)), Rule.BOUNDS)
    assert message == (
        "late leaves 'A' of shape [6, 4] by A[d0 + 2, d1]: late[4, 0] touches A[6, 0]"
    )
    early = statement("early", at(A, ROW - 1, COLUMN))
    refused(Program((early,), (A,)), Plan((), (NATURAL,)), Rule.BOUNDS)
    inside = statement("inside", at(B, ROW, COLUMN), at(A, (ROW * 2 - COLUMN) // 9 + 1, COLUMN))
    prove(Program((inside,), (A, B)), Plan((), (NATURAL,)))


def test_reading_what_no_one_wrote():
    part = statement("part", at(B, ROW // 2 * 2, COLUMN))
    message = refused(
        Program((part, NEXT), (A, B, C)), Plan((), (NATURAL, NATURAL)), Rule.UNDEFINED
    )
    assert message == "next[1, 0] reads B[1, 0], which no statement has written before"
    prove(Program((part, NEXT), (A, replace(B, given=True), C)), Plan((), (NATURAL, NATURAL)))


def test_reading_anywhere():
    anywhere = statement("anywhere", at(C, ROW, COLUMN), at(B, None, COLUMN))
    program = Program((COPY, anywhere), (A, B, C))
    prove(program, Plan((), (NATURAL, NATURAL)))
    refused(program, Plan((3,), (NATURAL, NATURAL)), Rule.CROSSES)


# ------------------------------------------------------------- private arrays


def test_tasks_need_a_copy_each_to_reuse_memory():
    line = Array("L", (N,))
    fill = statement("fill", at(line, COLUMN), at(A, ROW, COLUMN))
    program = Program((fill,), (A, line))
    refused(program, Plan((3,), (NATURAL,)), Rule.RACE)
    prove(replace(program, arrays=(A, replace(line, private=True))), Plan((3,), (NATURAL,)))


def test_a_copy_does_not_carry_values_between_tasks():
    scratch = replace(B, private=True)
    shifted = statement("shifted", at(C, ROW, COLUMN), at(B, ROW // 2, COLUMN))
    program = Program((COPY, shifted), (A, scratch, C))
    refused(program, Plan((3,), (NATURAL, NATURAL)), Rule.CROSSES)


def test_a_copy_has_room_for_the_part_of_its_task():
    scratch = replace(B, private=True, window=(0, None))
    program = Program((COPY, NEXT), (A, scratch, C))
    prove(program, Plan((3,), (NATURAL, NATURAL)))
    turned = statement("turned", at(B, ROW * -1 + (M - 1), COLUMN))
    program = Program((turned,), (scratch,))
    prove(program, Plan((M,), (NATURAL,)))
    assert refused(program, Plan((3,), (NATURAL,)), Rule.WINDOW) == (
        "turned[0, 0] touches B[5, 0] by B[-1*d0 + 5, d1], but its task has room only for its own "
        "part of 'B' along dimension 0"
    )


# --------------------------------------------------------------- shared memory


def in_place(read: int) -> Program:
    """`s1` overwrites what `s0` made; `s2` reads the array with number `read`."""
    dims = dimensions((4,))
    at = (Index.of(dims[0]),)
    arrays = (
        Array("X", (4,), given=True),
        Array("Y", (4,), private=True),
        Array("Z", (4,), private=True, holder="Y"),
        Array("W", (4,)),
    )
    names = "XYZW"
    statements = tuple(
        Statement(f"s{n}", dims, 1, (Access(source, at),), (Access(target, at),))
        for n, (source, target) in enumerate(("XY", "YZ", f"{names[read]}W"))
    )
    return Program(statements, arrays)


LINES = (Nest((0,), (2,)),) * 3


def test_in_place():
    proof = prove(in_place(2), Plan((), LINES))
    kinds = {(d.kind, d.source, d.sink) for d in proof.dependences}
    assert kinds == {(Kind.FLOW, 0, 1), (Kind.OUTPUT, 0, 1), (Kind.FLOW, 1, 2)}


def test_overwritten_before_it_is_read():
    refused(in_place(1), Plan((), LINES), Rule.BACKWARDS)


def test_memory_of_another_shape():
    arrays = (Array("Y", (4,), private=True), Array("Z", (5,), private=True, holder="Y"))
    with pytest.raises(ValueError, match="Z cannot lie in the memory of Y"):
        Program((), arrays)


# ------------------------------------------------------------- malformed plans


@pytest.mark.parametrize(
    ("plan", "message"),
    [
        (Plan((), (NATURAL,)), "1 nests for 2 statements"),
        (Plan((), (NATURAL, Nest((0, 0), (1, 1)))), "loop order .* of next must name each"),
        (Plan((), (NATURAL, Nest((0,), (1, 1)))), "loop order .* of next must name each"),
        (Plan((), (NATURAL, Nest((0, 1), (1, 0)))), "the tile .* of next must have"),
        (Plan((), (NATURAL, Nest((0, 1), (1,)))), "the tile .* of next must have"),
        (Plan((), (NATURAL, Nest((0, 1), (1, 1), 2))), "next has no dimension 2"),
        (Plan((), (NATURAL, Nest((0, 1), (1, 1), 1, 1))), "next cannot transpose tiles"),
        (Plan((), (NATURAL, Nest((0, 1), (1, 1), None, 1))), "next cannot transpose tiles"),
        (Plan((), (NATURAL, Nest((0, 1), (1, 1), 1, 2))), "dimensions 1 and 2: they must be two"),
        (Plan((), (NATURAL, NATURAL), sequence=(0, 0)), "must name each of 2 statements once"),
        (Plan((1, 1, 1), (NATURAL, NATURAL)), "band dimension 2 .*: copy has none"),
        (Plan((0,), (NATURAL, NATURAL)), "band dimension 0 of 0 points"),
        (Plan((), (Hoist(1, 0, (0, 1)), Hoist(0, 0, (0, 1)))), "every statement is hoisted"),
        (Plan((), (Hoist(0, 0, (0, 1)), NATURAL)), "into loops that stand alone"),
        (Plan((), (Hoist(1, 3, (0, 1)), NATURAL)), "out of loops that do not exist"),
        (Plan((), (Hoist(1, 1, (1, 0)), NATURAL)), "do not follow dimensions"),
    ],
)
def test_malformed(plan: Plan, message: str):
    with pytest.raises(IllegalScheduleError, match=message):
        prove(CHAIN, plan)


def test_band_of_different_lengths():
    short = Statement("short", dimensions((3,)), 1, (), (Access("T", (ROW,)),))
    program = Program((COPY, short), (A, B, TOTALS))
    with pytest.raises(IllegalScheduleError, match="copy has 6, short has 3"):
        prove(program, Plan((1,), (NATURAL, Nest((0,), (1,)))))
