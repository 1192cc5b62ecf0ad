"""Constants: computed while compiling, and kept small."""

from __future__ import annotations

from math import prod

import numpy as np
from xdsl.ir import Operation
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern, op_type_rewrite_pattern

from canao.dialects.canao import (
    BroadcastOp,
    ConstantOp,
    LayerOp,
    ReshapeOp,
    SliceOp,
    TransposeOp,
)
from canao.dialects.canao.elementwise import ElementwiseOp
from canao.dialects.canao.source import SourceOp
from canao.dialects.canao.types import shape_of
from canao.dialects.interfaces import CanaoOp
from canao.errors import ExecutionError
from canao.extent import most, symbols_in
from canao.interpreters.canao import evaluate_op
from canao.transforms.constants import constant_array, prefix_array

MOST_ELEMENTS = 4096
"""The largest constant that folding may make."""

_MOST_READ = 16 * MOST_ELEMENTS


class FoldConstants(RewritePattern):
    """`f(c) -> c'`, if `c` is constant and `c'` has at most `MOST_ELEMENTS` elements."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        if not isinstance(op, CanaoOp) or isinstance(op, SourceOp | BroadcastOp | LayerOp):
            return
        if any(symbols_in(shape_of(v)) for v in (*op.operands, *op.results)):
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


def _longest(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(most(extent) for extent in shape)


def _keeps_fronts(op: Operation) -> bool:
    """Whether the front part of a result is made of the front parts of the operands."""
    if isinstance(op, ElementwiseOp | TransposeOp):
        return True
    if not isinstance(op, ReshapeOp):
        return False
    long = [[e for e in shape_of(v) if e != 1] for v in (op.operand, op.result)]
    return long[0] == long[1]


class FoldPrefixes(RewritePattern):
    """`f(c[..n]) -> f(c)[..n]`, if `c` is constant and `n` depends on symbols.

    For operations that go element by element, transpose, or add and drop dimensions of 1; `f(c)`
    is then known, and has at most `MOST_ELEMENTS` elements.
    """

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        if len(op.results) != 1 or not _keeps_fronts(op):
            return
        shape = shape_of(op.results[0])
        if not symbols_in(shape) or prod(_longest(shape)) > MOST_ELEMENTS:
            return
        arrays = [a for v in op.operands if (a := prefix_array(v)) is not None]
        if len(arrays) != len(op.operands):
            return
        if isinstance(op, ReshapeOp):
            folded = arrays[0].reshape(_longest(shape))
        else:
            try:
                (folded,) = evaluate_op(op, arrays)
            except ExecutionError:
                return
        whole = ConstantOp.from_array(np.ascontiguousarray(folded).reshape(folded.shape))
        zeros, ones = [0] * len(shape), [1] * len(shape)
        front = SliceOp(whole.result, zeros, shape, ones)
        rewriter.replace(op, [whole, front], [front.result])


class NarrowSplats(RewritePattern):
    """`constant of one number : shape -> broadcast(constant : ()) : shape`."""

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: ConstantOp, rewriter: PatternRewriter, /) -> None:
        shape = shape_of(op.result)
        if not shape or not prod(shape) or not op.value.is_splat():
            return
        scalar = ConstantOp.from_array(op.array().reshape(-1)[0].reshape(()))
        rewriter.replace(op, [scalar, BroadcastOp(scalar.result, shape)])


__all__ = ["MOST_ELEMENTS", "FoldConstants", "FoldPrefixes", "NarrowSplats"]
