"""Broadcasts go towards the results, so that less is computed before them.

Each rule moves a broadcast over one operation or drops it, so they end.
"""

from __future__ import annotations

from itertools import takewhile
from math import prod

from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from canao.dialects.canao import BroadcastOp, GatherOp, MatmulOp, ReshapeOp, SliceOp, TransposeOp
from canao.dialects.canao.elementwise import ElementwiseOp
from canao.dialects.canao.symbolic import tensor_type
from canao.dialects.canao.types import broadcast_shapes, element_of, shape_of
from canao.transforms.canao_simplify.fold_identities import replace_with
from canao.transforms.constants import is_constant_expression


def _source(value: SSAValue) -> SSAValue:
    """The value before broadcasting."""
    return value.owner.operand if isinstance(value.owner, BroadcastOp) else value


def padded_shape(value: SSAValue, rank: int) -> tuple[int, ...]:
    """The shape with 1s in front up to a rank."""
    shape = shape_of(value)
    return (1,) * (rank - len(shape)) + shape


class FoldBroadcasts(RewritePattern):
    """`broadcast(a) -> a` if the shape stays; `broadcast(broadcast(a)) -> broadcast(a)`.

    Where it only adds dimensions of 1: `broadcast(a) -> reshape(a)`.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: BroadcastOp, rewriter: PatternRewriter, /) -> None:
        shape = shape_of(op.result)
        if shape_of(op.operand) == shape:
            rewriter.replace(op, [], [op.operand])
        elif isinstance(op.operand.owner, BroadcastOp):
            rewriter.replace(op, BroadcastOp(_source(op.operand), shape))
        elif shape_of(op.operand) and padded_shape(op.operand, len(shape)) == shape:
            rewriter.replace(op, ReshapeOp(op.operand, shape))


class SinkBroadcastBelowElementwise(RewritePattern):
    """`f(broadcast(a), b) -> broadcast(f(a, b))`; the broadcast goes if `b` implies it."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        if not isinstance(op, ElementwiseOp):
            return
        narrow = [_source(v) for v in op.operands]
        if all(n is v for n, v in zip(narrow, op.operands, strict=True)):
            return
        shape = broadcast_shapes([shape_of(v) for v in narrow])
        smaller = type(op).create(
            operands=narrow,
            properties=op.properties,
            result_types=[tensor_type(element_of(op.result), shape)],
        )
        replace_with(op, rewriter.insert(smaller).results[0], rewriter)


class SinkBroadcastBelowProduct(RewritePattern):
    """`broadcast(a) @ b -> broadcast(a @ b)`, if only leading dimensions were broadcast."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: MatmulOp, rewriter: PatternRewriter, /) -> None:
        narrow = [self._matrix_source(v) for v in op.operands]
        if all(n is v for n, v in zip(narrow, op.operands, strict=True)):
            return
        replace_with(op, rewriter.insert(MatmulOp(*narrow)).result, rewriter)

    @staticmethod
    def _matrix_source(value: SSAValue) -> SSAValue:
        source = _source(value)
        return source if shape_of(source)[-2:] == shape_of(value)[-2:] else value


class SinkBroadcastBelowReshape(RewritePattern):
    """`reshape(broadcast(a)) -> broadcast(reshape(a))`.

    If only 1s come or go, or `a` is a number or varies along last dimensions that stay.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ReshapeOp, rewriter: PatternRewriter, /) -> None:
        source = _source(op.operand)
        if source is op.operand:
            return
        shape, result = shape_of(op.operand), shape_of(op.result)
        if prod(shape_of(source)) == 1:
            small = (1,) * len(result) if shape_of(source) else ()
        elif [e for e in shape if e != 1] == [e for e in result if e != 1]:
            padded = padded_shape(source, len(shape))
            left = iter([p for p, e in zip(padded, shape, strict=True) if e != 1])
            small = tuple(next(left) if e != 1 else 1 for e in result)
        else:
            kept = _equal_last(shape, result)
            padded = padded_shape(source, len(shape))
            if prod(padded[: len(shape) - kept]) != 1:
                return
            small = (1,) * (len(result) - kept) + padded[len(shape) - kept :]
        if small != shape_of(source):
            source = rewriter.insert(ReshapeOp(source, small)).result
        rewriter.replace(op, BroadcastOp(source, result))


def _equal_last(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """How many last dimensions two shapes have in common."""
    pairs = zip(reversed(one), reversed(other), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


class SinkBroadcastBelowGather(RewritePattern):
    """`table[broadcast(i)] -> broadcast(table[i])`, of one index that varies: fewer lookups."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: GatherOp, rewriter: PatternRewriter, /) -> None:
        if len(op.indices) != 1 or not isinstance(op.indices[0].owner, BroadcastOp):
            return
        index = op.indices[0]
        small = padded_shape(_source(index), len(shape_of(index)))
        if small == shape_of(index) or is_constant_expression(index):
            return
        source = rewriter.insert(ReshapeOp(_source(index), small)).result
        rows = rewriter.insert(GatherOp(op.table, [source])).result
        rewriter.replace(op, BroadcastOp(rows, shape_of(op.result)))


class SinkBroadcastBelowTranspose(RewritePattern):
    """`transpose(broadcast(a)) -> broadcast(transpose(a))`."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: TransposeOp, rewriter: PatternRewriter, /) -> None:
        source = _source(op.operand)
        if source is op.operand:
            return
        if shape_of(source):
            axes = op.axes()
            padded = rewriter.insert(ReshapeOp(source, padded_shape(source, len(axes))))
            source = rewriter.insert(TransposeOp(padded.result, axes)).result
        rewriter.replace(op, BroadcastOp(source, shape_of(op.result)))


class SinkBroadcastBelowSlice(RewritePattern):
    """`slice(broadcast(a)) -> broadcast(slice(a))`."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: SliceOp, rewriter: PatternRewriter, /) -> None:
        source, sizes = _source(op.operand), shape_of(op.result)
        if source is op.operand or 0 in sizes:
            return
        padded = padded_shape(source, len(sizes))
        repeated = [p != e for p, e in zip(padded, shape_of(op.operand), strict=True)]
        bounds = zip(repeated, op.starts.get_values(), sizes, op.steps.get_values(), strict=True)
        inside = [(0, 1, 1) if again else (a, n, b) for again, a, n, b in bounds]
        starts, lengths, steps = zip(*inside, strict=True)
        whole = rewriter.insert(ReshapeOp(source, padded)).result
        part = rewriter.insert(SliceOp(whole, starts, lengths, steps)).result
        rewriter.replace(op, BroadcastOp(part, sizes))


BROADCAST_PATTERNS: tuple[type[RewritePattern], ...] = (
    FoldBroadcasts,
    SinkBroadcastBelowElementwise,
    SinkBroadcastBelowProduct,
    SinkBroadcastBelowReshape,
    SinkBroadcastBelowGather,
    SinkBroadcastBelowTranspose,
    SinkBroadcastBelowSlice,
)
