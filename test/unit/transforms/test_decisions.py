"""Laws that change rounding are used where a result is a number, never where it decides.

The laws come from their table and the operations that decide from the dialect: a new one of
either kind is tested without a word here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from unit.expressions import Tensor, build
from unit.strategies import Graph
from unit.transforms.test_laws import main_block, results, run_stage
from xdsl.dialects.builtin import TensorType, f32
from xdsl.ir import Block, Operation, SSAValue

from canao.dialects import canao
from canao.dialects.canao import ELEMENTWISE_OPS
from canao.dialects.canao.elementwise import BinaryOp, Predicate
from canao.dialects.canao.reduce import ReduceOp
from canao.dialects.canao.types import i1, i64, is_float
from canao.dialects.interfaces import CanaoOp
from canao.transforms.decisions import decides
from canao.transforms.lp_fusion.laws.law import LawEntry, Proof
from canao.transforms.lp_fusion.laws.table import LAWS

Decide = Callable[[Tensor], Tensor]
"""What is decided by a number."""

OTHERS: dict[type[Operation], Callable[[SSAValue, SSAValue], Operation]] = {
    canao.CompareOp: lambda a, b: canao.CompareOp(Predicate.LT, a, b),
    canao.SelectOp: lambda a, b: canao.SelectOp(canao.CompareOp(Predicate.LT, a, b).result, a, b),
}
"""How operations are made that are not made from their operands alone."""

ROUNDING = [(law, proof) for law in LAWS if not law.exact for proof in law.proofs]
every_proof = pytest.mark.parametrize(
    ("law", "proof"), ROUNDING, ids=lambda v: v.name if isinstance(v, LawEntry) else ""
)


def made(kind: Any, a: SSAValue, b: SSAValue) -> Operation | None:
    """An operation on floats; None if it has no meaning for them."""
    if kind is canao.CastOp:
        return canao.CastOp(a, i64)
    if kind in OTHERS:
        return OTHERS[kind](a, b)
    if kind in (canao.AndOp, canao.OrOp, canao.NotOp, canao.WrapOp):
        return None
    return kind(a, b) if issubclass(kind, BinaryOp) else kind(a)


def places() -> Iterator[tuple[type[Operation], int]]:
    """Each elementwise operation that decides by a float, with the number of that operand."""
    for kind in ELEMENTWISE_OPS:
        op = made(kind, *Block(arg_types=[TensorType(f32, [2])] * 2).args)
        for number, operand in enumerate(op.operands if op else ()):
            assert isinstance(op, CanaoOp)
            if is_float(operand) and op.decides_by(number):
                yield kind, number


def at(kind: type[Operation], number: int) -> Decide:
    def decide(value: Tensor) -> Tensor:
        if kind is canao.DivOp:
            # a product below the line is a part of the quotient, which is a number
            value = value.apply(canao.AbsOp)
        half = value.lift(0.5)
        op = made(kind, *((value.value, half) if number == 0 else (half, value.value)))
        assert op is not None
        return value.of(op)

    return decide


def sign(value: Tensor) -> Tensor:
    zero, one = value.lift(0.0), value.lift(1.0)
    less = value.of(canao.CompareOp(Predicate.LT, value.value, zero))
    return less.apply(canao.SelectOp, -Tensor(one, value.builder), Tensor(one, value.builder))


def index(value: Tensor) -> Tensor:
    table = value.builder.insert(canao.ConstantOp.from_array(np.arange(8.0, dtype=np.float32)))
    row = value.max(0.0).min(7.0).cast(i64)
    return value.of(canao.GatherOp(table.result, [row.value]))


PLACES = list(places())
DECIDERS: dict[str, Decide] = {
    **{f"{kind.name} of operand {n}": at(kind, n) for kind, n in PLACES},
    "to a truth value": lambda a: a.cast(i1),
    "sign": sign,
    "index": index,
    "condition": lambda a: a.cast(i1).apply(canao.SelectOp, a * 0.0, a * 0.0 + 1.0),
    "after a move": lambda a: a.T.apply(canao.FloorOp),
    "after a choice": lambda a: a.max(0.5).apply(canao.RoundOp),
    "after arithmetic": lambda a: (a.apply(canao.ExpOp) * 3.0).apply(canao.TruncOp),
    "the largest": lambda a: a.largest(0).apply(canao.CeilOp),
}


def decided(proof: Proof, decide: Decide) -> Graph:
    """The form that a law rewrites, with something that is decided by each result."""

    def function(*operands: Tensor) -> Any:
        made = proof.before(*operands)
        return tuple(decide(value) for value in (made if isinstance(made, tuple) else (made,)))

    return build(function, proof.shapes, proof.constants)


def has_sums(graph: Graph) -> bool:
    """Whether terms are added in an order that is free: no last digits are fixed then."""
    return any(isinstance(op, CanaoOp) and op.sums_up() for op in main_block(graph).ops)


@every_proof
def test_laws_that_round_change_no_decision(law: LawEntry, proof: Proof) -> None:
    for name, decide in DECIDERS.items():
        graph = decided(proof, decide)
        free, before = has_sums(graph), results(graph, False)
        used = {use.law for use in run_stage(graph, law) if use.changes_rounding}
        assert used == ({law.name} if free else set()), name
        if not free:
            for a, b in zip(results(graph, False), before, strict=True):
                np.testing.assert_array_equal(a, b, err_msg=name)


@every_proof
def test_laws_that_round_are_used_for_numbers(law: LawEntry, proof: Proof) -> None:
    """Though something is decided by the operands."""

    def function(*operands: Tensor) -> Any:
        made = proof.before(*operands)
        return *(made if isinstance(made, tuple) else (made,)), operands[0].apply(canao.FloorOp)

    graph = build(function, proof.shapes, proof.constants)
    used = {use.law for use in run_stage(graph, law) if use.changes_rounding}
    assert used == {law.name}


def test_what_decides() -> None:
    rounding = {canao.CeilOp, canao.FloorOp, canao.RoundOp, canao.TruncOp}
    choosing = {canao.CastOp, canao.CompareOp, canao.CopysignOp, canao.FmodOp}
    partial = {canao.AcosOp, canao.LogOp, canao.ReciprocalOp, canao.RsqrtOp, canao.SqrtOp}
    assert rounding | choosing | partial <= {kind for kind, _ in PLACES}
    assert {(canao.DivOp, 1), (canao.Atan2Op, 0), (canao.Atan2Op, 1)} <= set(PLACES)
    assert (canao.DivOp, 0) not in PLACES
    assert (canao.CopysignOp, 0) not in PLACES


@pytest.mark.parametrize("kind", ELEMENTWISE_OPS, ids=lambda kind: kind.name)
def test_decisions_are_followed_through_operations(kind: type[Operation]) -> None:
    a, b = Block(arg_types=[TensorType(f32, [2])] * 2).args
    op = made(kind, a, b)
    if op is None or not is_float(op.results[0]):
        return
    assert not decides(op.results[0])
    canao.FloorOp(op.results[0])
    assert decides(op.results[0])
    assert all(decides(operand) for operand in op.operands if is_float(operand))


MOVES: dict[str, Callable[[SSAValue], Operation]] = {
    "broadcast": lambda a: canao.BroadcastOp(a, [3, 2, 4]),
    "concat": lambda a: canao.ConcatOp([a, a], 0),
    "gather": lambda a: canao.GatherOp(a, [canao.ConstantOp.from_array(np.array([1])).result]),
    "pack": lambda a: canao.PackOp(a, 2),
    "reshape": lambda a: canao.ReshapeOp(a, [8]),
    "slice": lambda a: canao.SliceOp(a, [0, 0], [1, 2], [1, 2]),
    "transpose": lambda a: canao.TransposeOp(a, [1, 0]),
}
SUMS: dict[str, Callable[[SSAValue], Operation]] = {
    "sum": lambda a: canao.ReduceSumOp(a, [0]),
    "product": lambda a: canao.MatmulOp(a, canao.TransposeOp(a, [1, 0]).result),
    "softmax": lambda a: canao.SoftmaxOp(a, 1),
    "gelu": canao.GeluOp,
}


@pytest.mark.parametrize("move", MOVES.values(), ids=list(MOVES))
def test_decisions_are_followed_through_moves(move: Callable[[SSAValue], Operation]) -> None:
    (a,) = Block(arg_types=[TensorType(f32, [2, 4])]).args
    canao.FloorOp(move(a).results[0])
    assert decides(a)


@pytest.mark.parametrize("kind", [op for op in canao.Canao.operations if issubclass(op, ReduceOp)])
def test_decisions_end_in_sums_alone(kind: Any) -> None:
    (a,) = Block(arg_types=[TensorType(f32, [2, 4])]).args
    reduction = kind(a, [1])
    canao.FloorOp(reduction.result)
    assert decides(a) == (not reduction.sums_up())


@pytest.mark.parametrize("make", SUMS.values(), ids=list(SUMS))
def test_sums_have_no_last_digits(make: Callable[[SSAValue], Operation]) -> None:
    (a,) = Block(arg_types=[TensorType(f32, [2, 4])]).args
    result = make(a).results[0]
    half = canao.DivOp(result, canao.ConstantOp.from_array(np.full(1, 41, np.float32)).result)
    canao.FloorOp(half.result)
    assert not decides(a)
    assert not decides(half.result)
