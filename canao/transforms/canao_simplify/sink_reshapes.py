"""Reshapes go towards the results, where they meet others and cancel.

Each rule moves a reshape over one operation, or merges two, so they end.
"""

from __future__ import annotations

from math import prod

from xdsl.ir import Operation, SSAValue
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from canao.dialects.canao import GatherOp, MatmulOp, ReshapeOp
from canao.dialects.canao.elementwise import ElementwiseOp
from canao.dialects.canao.symbolic import tensor_type
from canao.dialects.canao.types import broadcast_shapes, element_of, shape_of
from canao.transforms.constants import is_constant_expression


def _source(value: SSAValue) -> SSAValue:
    """The value before reshaping."""
    return value.owner.operand if isinstance(value.owner, ReshapeOp) else value


class SinkReshapeBelowRows(RewritePattern):
    """`reshape(a) @ w -> reshape(a @ w)`, if `w` is a matrix and the rows of `a` stay whole."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: MatmulOp, rewriter: PatternRewriter, /) -> None:
        source = _source(op.lhs)
        shape = shape_of(source)
        if source is op.lhs or len(shape) < 2 or len(shape_of(op.rhs)) != 2:
            return
        if shape[-1] != shape_of(op.lhs)[-1]:
            return
        product = rewriter.insert(MatmulOp(source, op.rhs)).result
        rewriter.replace(op, ReshapeOp(product, shape_of(op.result)))


class SinkReshapeBelowBatch(RewritePattern):
    """`reshape(a) @ reshape(b) -> reshape(a @ b)`, if only leading dimensions were reshaped."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: MatmulOp, rewriter: PatternRewriter, /) -> None:
        sources = [_source(v) for v in op.operands]
        for source, value in zip(sources, op.operands, strict=True):
            if source is value or len(shape_of(source)) < 2:
                return
            if shape_of(source)[-2:] != shape_of(value)[-2:]:
                return
        batches = {shape_of(s)[:-2] for s in sources}
        if len(batches) != 1 or shape_of(op.lhs)[:-2] != shape_of(op.rhs)[:-2]:
            return
        product = rewriter.insert(MatmulOp(*sources)).result
        rewriter.replace(op, ReshapeOp(product, shape_of(op.result)))


class SinkReshapeBelowGather(RewritePattern):
    """`table[reshape(i)] -> reshape(table[i])`, of one index."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: GatherOp, rewriter: PatternRewriter, /) -> None:
        sources = [_source(index) for index in op.indices]
        if len(sources) != 1 or sources[0] is op.indices[0] or is_constant_expression(sources[0]):
            return
        looked_up = rewriter.insert(GatherOp(op.table, sources)).result
        rewriter.replace(op, ReshapeOp(looked_up, shape_of(op.result)))


class SinkReshapeBelowElementwise(RewritePattern):
    """`f(reshape(a), b) -> reshape(f(a, b))`.

    Each other operand must be a reshape from the same shape, or vary only
    along last dimensions that the reshape keeps.
    """

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        if not isinstance(op, ElementwiseOp):
            return
        shape = shape_of(op.result)
        for value in op.operands:
            source = _source(value)
            if source is value or shape_of(value) != shape or is_constant_expression(source):
                continue
            operands = [_through(v, shape_of(source), shape) for v in op.operands]
            found = [v for v, _ in (pair for pair in operands if pair is not None)]
            if len(found) == len(op.operands):
                self._rewrite(op, operands, shape_of(source), rewriter)
                return

    @staticmethod
    def _rewrite(
        op: ElementwiseOp,
        operands: list[tuple[SSAValue, tuple[int, ...]] | None],
        shape: tuple[int, ...],
        rewriter: PatternRewriter,
    ) -> None:
        values: list[SSAValue] = []
        for value, wanted in (pair for pair in operands if pair is not None):
            same = shape_of(value) == wanted
            values.append(value if same else rewriter.insert(ReshapeOp(value, wanted)).result)
        inner = type(op).create(
            operands=values,
            properties=op.properties,
            result_types=[tensor_type(element_of(op.result), shape)],
        )
        rewriter.insert(inner)
        rewriter.replace(op, ReshapeOp(inner.results[0], shape_of(op.result)))


def _through(
    value: SSAValue, before: tuple[int, ...], after: tuple[int, ...]
) -> tuple[SSAValue, tuple[int, ...]] | None:
    """What stands for an operand of shape `after` above a reshape from `before`.

    A pair of a value and the shape to give it; None if there is none.
    """
    source = _source(value)
    if shape_of(value) == after:
        return (source, before) if source is not value and shape_of(source) == before else None
    kept = 0
    while kept < min(len(before), len(after)) and before[-1 - kept] == after[-1 - kept]:
        kept += 1
    shape = shape_of(value)
    if prod(shape[: len(shape) - kept]) != 1 and len(shape) > kept:
        return None
    last = shape[len(shape) - kept :] if len(shape) > kept else shape
    if broadcast_shapes([last, before]) != before:
        return None
    return value, last


class MergeReshapesAroundRows(RewritePattern):
    """`reshape(f(reshape(a) @ w)) -> f(reshape(a) @ w)`, where the rows get the shape at once.

    `f` is a chain of elementwise operations, none with another use, whose
    other operands vary along the last dimension only; `w` is a matrix.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ReshapeOp, rewriter: PatternRewriter, /) -> None:
        shape = shape_of(op.result)
        value, chain = op.operand, list[tuple[ElementwiseOp, int]]()
        if shape[-1:] != shape_of(value)[-1:] or len(shape) < 2:
            return
        while value.has_one_use() and isinstance(owner := value.owner, ElementwiseOp):
            number = self._varying(owner)
            if number is None:
                return
            chain.append((owner, number))
            value = owner.operands[number]
        product = value.owner
        if not isinstance(product, MatmulOp) or not value.has_one_use():
            return
        if not isinstance(product.lhs.owner, ReshapeOp) or len(shape_of(product.rhs)) != 2:
            return
        rows = rewriter.insert(
            ReshapeOp(product.lhs.owner.operand, (*shape[:-1], shape_of(product.lhs)[-1]))
        )
        merged = rewriter.insert(MatmulOp(rows.result, product.rhs)).result
        for link, number in reversed(chain):
            operands = list(link.operands)
            operands[number] = merged
            tensor = tensor_type(element_of(link.result), shape)
            copy = type(link).create(
                operands=operands, properties=link.properties, result_types=[tensor]
            )
            merged = rewriter.insert(copy).results[0]
        rewriter.replace(op, [], [merged])

    @staticmethod
    def _varying(op: ElementwiseOp) -> int | None:
        """The one operand that varies along other dimensions than the last."""
        shape = shape_of(op.result)
        whole = [n for n, v in enumerate(op.operands) if shape_of(v) == shape]
        others = [v for n, v in enumerate(op.operands) if n not in whole]
        narrow = all(len(shape_of(v)) <= 1 for v in others)
        return whole[0] if len(whole) == 1 and narrow and len(shape) > 1 else None


RESHAPE_PATTERNS: tuple[type[RewritePattern], ...] = (
    SinkReshapeBelowRows,
    SinkReshapeBelowBatch,
    SinkReshapeBelowGather,
    SinkReshapeBelowElementwise,
    MergeReshapesAroundRows,
)
