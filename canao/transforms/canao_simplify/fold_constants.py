"""Constants: computed while compiling, and kept small."""

from __future__ import annotations

from math import prod

import numpy as np
from xdsl.ir import Operation
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from canao.dialects.canao import BroadcastOp, ConstantOp, LayerOp
from canao.dialects.canao.source import SourceOp
from canao.dialects.canao.types import shape_of
from canao.dialects.interfaces import CanaoOp
from canao.errors import ExecutionError
from canao.interpreters.canao import evaluate_op
from canao.transforms.constants import constant_array

MOST_ELEMENTS = 4096
"""The largest constant that folding may make."""

_MOST_READ = 16 * MOST_ELEMENTS


class FoldConstants(RewritePattern):
    """`f(c) -> c'`, if `c` is constant and `c'` has at most `MOST_ELEMENTS` elements."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        if not isinstance(op, CanaoOp) or isinstance(op, SourceOp | BroadcastOp | LayerOp):
            return
        if any(prod(shape_of(r)) > MOST_ELEMENTS for r in op.results):
            return
        if any(prod(shape_of(v)) > _MOST_READ for v in op.operands):
            return
        arrays = [a for v in op.operands if (a := constant_array(v)) is not None]
        if len(arrays) != len(op.operands):
            return
        try:
            folded = evaluate_op(op, arrays)
        except ExecutionError:
            return  # an index out of range or a division by zero is the run's error
        made = [ConstantOp.from_array(np.ascontiguousarray(a).reshape(a.shape)) for a in folded]
        rewriter.replace(op, made, [c.result for c in made])


class NarrowSplats(RewritePattern):
    """`constant of one number : shape -> broadcast(constant : ()) : shape`."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ConstantOp, rewriter: PatternRewriter, /) -> None:
        shape = shape_of(op.result)
        if not shape or not prod(shape) or not op.value.is_splat():
            return
        scalar = ConstantOp.from_array(op.array().reshape(-1)[0].reshape(()))
        rewriter.replace(op, [scalar, BroadcastOp(scalar.result, shape)])


__all__ = ["MOST_ELEMENTS", "FoldConstants", "NarrowSplats"]
