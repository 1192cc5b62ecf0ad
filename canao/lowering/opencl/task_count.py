"""Reads how many tasks a kernel has from its operations before the loop over them."""

from __future__ import annotations

from math import prod

from xdsl.dialects import affine, arith
from xdsl.dialects.builtin import IntegerAttr
from xdsl.dialects.func import FuncOp
from xdsl.ir import Operation, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr

from canao.lowering.c.errors import Unprintable
from canao.task_count import SIZE, Count

_OPERATIONS: dict[type[Operation], str] = {
    arith.AddiOp: "add",
    arith.SubiOp: "subtract",
    arith.MuliOp: "multiply",
    arith.DivSIOp: "divide",
    arith.MinSIOp: "min",
    arith.MaxSIOp: "max",
}


def task_count(function: FuncOp) -> Count | None:
    """The tasks of a kernel whose last parameter are the sizes; None where sizes change nothing."""
    loop = next((op for op in function.body.block.ops if isinstance(op, affine.ParallelOp)), None)
    if loop is None or not loop.map_operands:
        return None
    bounds = loop.upperBoundsMap.data.results
    fixed = prod(bound.value for bound in bounds if isinstance(bound, AffineConstantExpr))
    varying = [
        _count(loop.map_operands[bound.position], function)
        for bound in bounds
        if isinstance(bound, AffineDimExpr)
    ]
    total, *others = varying
    for other in (*others, *([fixed] if fixed != 1 else [])):
        total = ("multiply", total, other)
    return total


def _count(value: SSAValue, function: FuncOp) -> Count:
    op = value.owner
    if isinstance(op, arith.ConstantOp) and isinstance(op.value, IntegerAttr):
        return op.value.value.data
    if isinstance(op, arith.IndexCastOp):
        return _count(op.input, function)
    if isinstance(op, affine.LoadOp) and op.memref is function.args[-1]:
        (place,) = op.map.data.results
        assert isinstance(place, AffineConstantExpr)
        return SIZE, place.value
    name = _OPERATIONS.get(type(op)) if isinstance(op, Operation) else None
    if name is None:
        raise Unprintable(f"a number of tasks that is made by '{op}'")
    assert isinstance(op, Operation)
    left, right = op.operands
    return name, _count(left, function), _count(right, function)
