"""Pass `expand-composites`: shorthands inside layers become simple operations."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from xdsl.builder import Builder
from xdsl.context import Context
from xdsl.dialects.builtin import AnyFloat, ModuleOp
from xdsl.ir import Operation, SSAValue
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    GreedyRewritePatternApplier,
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)
from xdsl.rewriter import InsertPoint

from canao.dialects.canao import (
    ConstantOp,
    DivOp,
    LayerOp,
    MatmulOp,
    MaximumOp,
    MulOp,
    ReciprocalOp,
)
from canao.dialects.canao.defined import DefinedOp
from canao.dialects.canao.types import element_of, shape_of
from canao.dialects.interfaces import Decomposable
from canao.extent import most
from canao.transforms.law_uses import Recorded, Uses


class ExpandComposite(RewritePattern):
    """`softmax(a)` -> `e / reduce_sum(e)` with `e = exp(a - reduce_max(a))`, and the like."""

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        if isinstance(op, LayerOp) or not isinstance(op.parent_op(), LayerOp):
            return
        builder = Builder(InsertPoint.before(op))
        if isinstance(op, Decomposable):
            rewriter.replace(op, [], list(op.decompose(builder)))
        elif isinstance(op, DefinedOp):
            rewriter.replace(op, [], [op.define(op.operand, builder)])


class DivideAfterProduct(RewritePattern):
    """`(a / t) @ b` -> `(a @ b) / t` where `t` has one number a row.

    A product is linear in its rows, so a factor of a whole row moves through
    it; fewer divisions are left where `b` has fewer columns than rows. Where `t` is
    a maximum with a normal number, as in a softmax, its reciprocal is finite, and
    the product is multiplied by it: one division a row is left. Integers are left
    alone: their quotients are rounded.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: MatmulOp, rewriter: PatternRewriter) -> None:
        quotient = op.lhs.owner
        if not isinstance(quotient, DivOp) or not isinstance(op.parent_op(), LayerOp):
            return
        rows, divisor = shape_of(quotient.lhs), shape_of(quotient.rhs)
        if rows != shape_of(quotient.result) or len(divisor) != len(rows) or divisor[-1] != 1:
            return
        if not isinstance(element_of(op.result), AnyFloat):
            return
        columns = shape_of(op.rhs)
        if most(columns[-1]) >= most(columns[-2]) or not quotient.result.has_one_use():
            return
        product = MatmulOp(quotient.lhs, op.rhs)
        if _is_normal(quotient.rhs):
            factor = ReciprocalOp(quotient.rhs)
            rewriter.replace(op, [factor, product, MulOp(product.result, factor.result)])
        else:
            rewriter.replace(op, [product, DivOp(product.result, quotient.rhs)])
        rewriter.erase(quotient)


def _is_normal(value: SSAValue) -> bool:
    """Whether a value is a maximum with a positive normal number, so that `1 / value` is finite."""
    owner = value.owner
    if not isinstance(owner, MaximumOp):
        return False
    floors = (operand.owner for operand in owner.operands)
    return any(
        isinstance(floor, ConstantOp)
        and floor.value.is_splat()
        and floor.array().item(0) >= np.finfo(np.float32).tiny
        for floor in floors
    )


@dataclass(frozen=True)
class ExpandCompositesPass(ModulePass):
    """Expands softmax, layer_norm, gelu and defined operations inside `canao.layer` regions.

    With `exact=true`, divisions stay where they are written.
    """

    name = "expand-composites"

    exact: bool = False
    used: Uses = field(default_factory=Counter, init=False, compare=False)
    """How often each law was used."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        patterns: list[RewritePattern] = [ExpandComposite()]
        if not self.exact:
            patterns.append(Recorded(DivideAfterProduct(), True, self.used))
        PatternRewriteWalker(GreedyRewritePatternApplier(patterns)).rewrite_module(op)
