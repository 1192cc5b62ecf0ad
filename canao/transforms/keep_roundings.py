"""Pass `keep-roundings`: products that decide are rounded before they are added to."""

from __future__ import annotations

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Use
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
    op_type_rewrite_pattern,
)
from xdsl.rewriter import InsertPoint

from canao.dialects.canao import KeepRoundingOp, MulOp
from canao.dialects.interfaces import CanaoOp
from canao.transforms.decisions import decides


class KeepRounding(RewritePattern):
    """`a * b + c -> keep_rounding(a * b) + c`, if something is decided by the sum.

    Compilers make one instruction of a product and the sum after it, which rounds once; the
    model rounds twice. So for differences.
    """

    @op_type_rewrite_pattern
    def match_and_rewrite(self, op: MulOp, rewriter: PatternRewriter, /) -> None:
        if all(_decides_by(use) for use in op.result.uses) or not decides(op.result):
            return
        kept = KeepRoundingOp(op.result)
        rewriter.insert(kept, InsertPoint.after(op))
        op.result.replace_uses_with_if(kept.result, lambda use: use.operation is not kept)


def _decides_by(use: Use) -> bool:
    return isinstance(use.operation, CanaoOp) and use.operation.decides_by(use.index)


class KeepRoundingsPass(ModulePass):
    """Marks products whose last digits decide, so that each is rounded before a sum."""

    name = "keep-roundings"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        PatternRewriteWalker(KeepRounding(), apply_recursively=False).rewrite_module(op)
