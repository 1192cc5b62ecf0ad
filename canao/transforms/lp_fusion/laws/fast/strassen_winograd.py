"""The law of opt-in products, Strassen-Winograd: seven of half the size in place of eight."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import prod
from typing import NamedTuple

from xdsl.builder import Builder
from xdsl.ir import Block, Operation, SSAValue
from xdsl.rewriter import InsertPoint, Rewriter

from canao.dialects.canao import AddOp, ConcatOp, MatmulOp, ReshapeOp, SliceOp, SubOp
from canao.dialects.canao.elementwise import ElementwiseOp
from canao.dialects.canao.symbolic import tensor_type
from canao.dialects.canao.types import broadcast_shapes, element_of, is_float, shape_of
from canao.dialects.interfaces import CanaoOp, Decomposable
from canao.transforms.law_uses import Use, Uses
from canao.transforms.lp_fusion.laws.algebra.share import BlockLaw
from canao.transforms.lp_fusion.laws.local.local import IsConstant

Pays = Callable[[int, int, int], bool]
"""Whether the law pays for a product of so many rows, inner terms and columns."""


@dataclass(frozen=True)
class SplitProduct:
    """A rewritten product of `rows` x `inner` by `inner` x `columns`, and its two layers."""

    rows: int
    inner: int
    columns: int
    weight: SSAValue
    sums: tuple[Operation, ...]
    """The sums of quarters of the left operand: the first layer."""
    products: tuple[Operation, ...]
    """The seven products, the sums of their results and what follows: a second layer."""
    cuts: tuple[Operation, ...]
    """Slices of the matrix that holds all right operands; they belong to the second layer."""


class Quarters(NamedTuple):
    """The quarters of a matrix, by row and column."""

    a11: SSAValue
    a12: SSAValue
    a21: SSAValue
    a22: SSAValue


class MultiplyByStrassenWinograd(BlockLaw):
    """`x @ w -> the quarters of x @ w from 7 products of quarters`, if `w` is constant.

    Strassen's algorithm in Winograd's form, one level. With `x` and `w` cut in
    quarters, and sums of quarters of `w` made ahead of time:

        s1 = x21 + x22    s2 = s1 - x11    s3 = x11 - x21    s4 = x12 - s2
        t1 = w12 - w11    t2 = w22 - t1    t3 = w22 - w12    t4 = w21 - t2

        p1 = x11 @ w11    p7 = s3 @ t3     u2 = p1 + s2 @ t2    u4 = u2 + s1 @ t1
        y11 = p1 + x12 @ w21               y12 = u4 + s4 @ w22
        y22 = u4 + p7                      y21 = (u2 + p7) + x22 @ t4

    Elementwise operations that follow are done to each quarter.
    """

    name = "multiply-by-strassen-winograd"
    exact = False

    def __init__(self, pays: Pays) -> None:
        self.pays = pays

    def apply(self, block: Block, is_constant: IsConstant) -> Uses:
        return Counter({Use(self.name, True): len(self.split(block, is_constant))})

    def split(self, block: Block, is_constant: IsConstant) -> list[SplitProduct]:
        """Rewrites the products of a block for which the law holds and pays."""
        products = [op for op in block.ops if isinstance(op, MatmulOp)]
        return [self._split(op, is_constant) for op in products if self._holds(op, is_constant)]

    def _holds(self, op: MatmulOp, is_constant: IsConstant) -> bool:
        if not is_float(op.result) or is_constant(op.lhs) or not is_constant(op.rhs):
            return False
        if len(shape_of(op.rhs)) != 2:
            return False
        rows, (inner, columns) = prod(shape_of(op.lhs)[:-1]), shape_of(op.rhs)
        even = all(n > 0 and n % 2 == 0 for n in (rows, inner, columns))
        return even and self.pays(rows, inner, columns)

    @staticmethod
    def _split(op: MatmulOp, is_constant: IsConstant) -> SplitProduct:
        chain = _elementwise_after(op)
        end = (op, *chain)[-1]
        before = end.prev_op
        quarters = _QuarterBuilder(Builder(InsertPoint.before(end)))
        sums = _multiply(quarters, op)
        for each in chain:
            quarters.repeat(each)
        result = quarters.join(end.results[0])
        made = _between(before, end)
        made = [o for o in made if isinstance(o, CanaoOp) and not is_constant(o.results[0])]
        weight, (inner, columns) = op.rhs, shape_of(op.rhs)
        Rewriter.replace_op(end, [], [result])
        for each in reversed((op, *chain)[:-1]):
            Rewriter.erase_op(each)
        return SplitProduct(
            rows=prod(shape_of(op.lhs)[:-1]),
            inner=inner,
            columns=columns,
            weight=weight,
            sums=tuple(v.owner for v in sums if isinstance(v.owner, Operation)),
            products=tuple(o for o in made if o.results[0] not in sums and _computes(o)),
            cuts=tuple(quarters.cuts),
        )


def _computes(op: Operation) -> bool:
    """Whether an operation does more than rename indices: that is done where a value is read."""
    return not isinstance(op, SliceOp | ReshapeOp)


def _between(before: Operation | None, end: Operation) -> list[Operation]:
    """The operations in front of `end`, back to `before`."""
    ops: list[Operation] = []
    op = end.prev_op
    while op is not None and op is not before:
        ops.append(op)
        op = op.prev_op
    return ops[::-1]


def _multiply(quarters: _QuarterBuilder, op: MatmulOp) -> tuple[SSAValue, ...]:
    """Makes the quarters of a product; returns the sums of quarters of the left operand."""
    b = quarters.builder

    def add(lhs: SSAValue, rhs: SSAValue) -> SSAValue:
        return b.insert(AddOp(lhs, rhs)).result

    def sub(lhs: SSAValue, rhs: SSAValue) -> SSAValue:
        return b.insert(SubOp(lhs, rhs)).result

    def mul(lhs: SSAValue, rhs: SSAValue) -> SSAValue:
        return b.insert(MatmulOp(lhs, rhs)).result

    x, w = quarters.of(op.lhs), quarters.of(op.rhs)
    s1 = add(x.a21, x.a22)
    s2 = sub(s1, x.a11)
    s3 = sub(x.a11, x.a21)
    s4 = sub(x.a12, s2)
    t1 = sub(w.a12, w.a11)
    t2 = sub(w.a22, t1)
    t3 = sub(w.a22, w.a12)
    t4 = sub(w.a21, t2)
    # In one matrix, in the order of their use, a packed panel of them is read from end to end.
    w1, w2, w3, w4, w5, w6, w7 = quarters.stack((w.a11, w.a21, t2, t1, w.a22, t3, t4))
    p1 = mul(x.a11, w1)
    y11 = add(p1, mul(x.a12, w2))
    u2 = add(p1, mul(s2, w3))
    u4 = add(u2, mul(s1, w4))
    y12 = add(u4, mul(s4, w5))
    p7 = mul(s3, w6)
    y22 = add(u4, p7)
    y21 = add(add(u2, p7), mul(x.a22, w7))
    quarters.known[op.result] = Quarters(y11, y12, y21, y22)
    return s1, s2, s3, s4


class _QuarterBuilder:
    """Builds quarters of tensors, which are cut as the matrices of all their rows."""

    def __init__(self, builder: Builder) -> None:
        self.builder = builder
        self.known: dict[SSAValue, Quarters] = {}
        self.cuts: list[Operation] = []

    def of(self, value: SSAValue) -> Quarters:
        """The quarters of a tensor; where it has one row or column, those that it stands for."""
        if value in self.known:
            return self.known[value]
        shape = shape_of(value)
        if len(shape) != 2:
            shape = (prod(shape[:-1]), *(shape[-1:] or (1,)))
            value = self.builder.insert(ReshapeOp(value, shape)).result
        height, width = (max(1, n // 2) for n in shape)
        down, right = (n // 2 for n in shape)
        places = [(r, c) for r in (0, down) for c in (0, right)]
        cut = {at: self._cut(value, at, (height, width)) for at in dict.fromkeys(places)}
        return Quarters(*(cut[at] for at in places))

    def stack(self, parts: Sequence[SSAValue]) -> list[SSAValue]:
        """Matrices of one shape, as slices of all of them one below the other."""
        stack = self.builder.insert(ConcatOp(parts, 0)).result
        rows, columns = shape_of(parts[0])
        cuts = [SliceOp(stack, (n * rows, 0), (rows, columns)) for n in range(len(parts))]
        self.cuts.extend(cuts)
        return [self.builder.insert(cut).result for cut in cuts]

    def _cut(self, value: SSAValue, starts: tuple[int, int], sizes: tuple[int, int]) -> SSAValue:
        if shape_of(value) == sizes:
            return value
        return self.builder.insert(SliceOp(value, starts, sizes)).result

    def repeat(self, op: Operation) -> None:
        """Does an elementwise operation to each quarter of its operands."""
        operands = [self.of(v) for v in op.operands]
        result = op.results[0]
        element = element_of(result)
        parts: list[SSAValue] = []
        for n in range(4):
            mine = [quarters[n] for quarters in operands]
            shape = broadcast_shapes([shape_of(v) for v in mine])
            part = type(op).create(
                operands=mine,
                properties=op.properties,
                result_types=[tensor_type(element, shape)],
            )
            parts.append(self.builder.insert(part).results[0])
        self.known[result] = Quarters(*parts)

    def join(self, value: SSAValue) -> SSAValue:
        """A value that is known by its quarters."""
        parts = self.known[value]
        top = self.builder.insert(ConcatOp([parts.a11, parts.a12], 1)).result
        bottom = self.builder.insert(ConcatOp([parts.a21, parts.a22], 1)).result
        whole = self.builder.insert(ConcatOp([top, bottom], 0)).result
        shape = shape_of(value)
        if shape == shape_of(whole):
            return whole
        return self.builder.insert(ReshapeOp(whole, shape)).result


def _elementwise_after(op: MatmulOp) -> list[Operation]:
    """The operations, one after another, that change each element of a product alone."""
    chain: list[Operation] = []
    value = op.result
    while value.has_one_use():
        user = next(iter(value.uses)).operation
        if not _is_elementwise(user) or shape_of(user.results[0]) != shape_of(value):
            break
        if not all(_has_quarters(v, shape_of(value)) for v in user.operands):
            break
        chain.append(user)
        value = user.results[0]
    return chain


def _is_elementwise(op: Operation) -> bool:
    if isinstance(op, Decomposable):
        return len(op.operands) == 1 and not op.mixed_axes()
    return isinstance(op, ElementwiseOp)


def _has_quarters(value: SSAValue, whole: tuple[int, ...]) -> bool:
    """Whether an operand that is broadcast to a shape can be cut as that shape is."""
    *leading, _ = shape_of(value) or (1,)
    return prod(leading) == 1 or tuple(leading) == whole[:-1]
