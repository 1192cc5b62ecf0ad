"""Tensors without elements: nothing is computed for them, nor from them.

After these laws, no operation reads or makes such a tensor: they are left
among the inputs and the results of the function only.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from xdsl.ir import Operation
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from canao.dialects.canao import BroadcastOp, ConcatOp, ConstantOp, LayerOp
from canao.dialects.canao.reduce import ReduceOp, neutral_number
from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import element_of, shape_of
from canao.dialects.interfaces import AccessPattern, CanaoOp, Indexed


class FoldEmptyResults(RewritePattern):
    """`f(...) -> constant of no elements`, if the result has none."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        if not isinstance(op, CanaoOp) or isinstance(op, ConstantOp | LayerOp):
            return
        if len(op.results) != 1 or 0 not in shape_of(op.results[0]):
            return
        (result,) = op.results
        dtype = dtype_of_element(element_of(result))
        rewriter.replace(op, ConstantOp.from_array(np.empty(shape_of(result), dtype)))


class FoldFoldsOfNothing(RewritePattern):
    """`fold over no elements -> broadcast(neutral element)`: a product with K = 0 is zeros."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        if not isinstance(op, Indexed) or 0 in shape_of(op.results[0]):
            return
        if op.access_pattern() not in (AccessPattern.REDUCE, AccessPattern.CONTRACT):
            return
        if op.iteration_space().points:
            return
        (result,) = op.results
        element = element_of(result)
        adds = op.access_pattern() is AccessPattern.CONTRACT
        number = 0 if adds else neutral_number(cast(ReduceOp, op).KIND, element)
        scalar = ConstantOp.from_array(np.array(number, dtype_of_element(element)))
        rewriter.replace(op, [scalar, BroadcastOp(scalar.result, shape_of(result))])


class DropEmptyParts(RewritePattern):
    """`concat(a, nothing, b) -> concat(a, b)`."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ConcatOp, rewriter: PatternRewriter, /) -> None:
        parts = [v for v in op.inputs if 0 not in shape_of(v)]
        if not parts or len(parts) == len(op.inputs):
            return
        rewriter.replace(op, ConcatOp(parts, op.axis.value.data))


EMPTY_PATTERNS: tuple[type[RewritePattern], ...] = (
    FoldEmptyResults,
    FoldFoldsOfNothing,
    DropEmptyParts,
)
