"""The pass `canao-simplify`: the same mathematics in fewer and larger operations.

The rules stand in one file a group:

- `fold_empty`: tensors without elements, which no later rule and no schedule meets;
- `fold_constants`, `fold_identities`: what is known before running;
- `fold_reorganisations`, `sink_broadcasts`, `sink_reshapes`, `fold_gathers`: moves of data;
- `recover_layer_norm`, `recover_softmax`, `recover_gelu`, `recover_defined`: operations that
  exporters take apart;
- `products`: less work around products with weights.

They end, because each one removes an operation that computes or reads data, moves
a broadcast or a reshape over one operation towards the results, a scale towards
the weights, lowers what a sum costs, or replaces an operation by one that no rule turns back.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.ir import Operation
from xdsl.passes import ModulePass
from xdsl.pattern_rewriter import (
    GreedyRewritePatternApplier,
    PatternRewriter,
    PatternRewriteWalker,
    RewritePattern,
)
from xdsl.transforms.common_subexpression_elimination import cse
from xdsl.transforms.dead_code_elimination import region_dce

from canao.errors import UndecidedError
from canao.transforms.canao_simplify.fold_constants import FoldConstants, FoldPrefixes, NarrowSplats
from canao.transforms.canao_simplify.fold_empty import EMPTY_PATTERNS
from canao.transforms.canao_simplify.fold_gathers import GATHER_PATTERNS
from canao.transforms.canao_simplify.fold_identities import (
    IDENTITY_PATTERNS,
    DivideByMultiplying,
    DropDoubleInverse,
    DropIdentities,
    JoinNumbersOfProduct,
)
from canao.transforms.canao_simplify.fold_reorganisations import REORGANISATION_PATTERNS
from canao.transforms.canao_simplify.products.fold_linear_maps import LINEAR_PATTERNS
from canao.transforms.canao_simplify.products.join_products import JOIN_PATTERNS
from canao.transforms.canao_simplify.products.move_scales import SCALE_PATTERNS
from canao.transforms.canao_simplify.recover_defined import RecoverDefined
from canao.transforms.canao_simplify.recover_gelu import GELU_PATTERNS
from canao.transforms.canao_simplify.recover_layer_norm import LAYER_NORM_PATTERNS
from canao.transforms.canao_simplify.recover_softmax import SOFTMAX_PATTERNS
from canao.transforms.canao_simplify.sink_broadcasts import BROADCAST_PATTERNS
from canao.transforms.canao_simplify.sink_reshapes import RESHAPE_PATTERNS
from canao.transforms.law_uses import LastDecision, Recorded, Uses, WhereNothingDecides

_RECOVERING: tuple[type[RewritePattern], ...] = (
    FoldConstants,
    FoldPrefixes,
    NarrowSplats,
    *IDENTITY_PATTERNS,
    *REORGANISATION_PATTERNS,
    *BROADCAST_PATTERNS,
    *RESHAPE_PATTERNS,
    *GATHER_PATTERNS,
    *LAYER_NORM_PATTERNS,
    *SOFTMAX_PATTERNS,
    *GELU_PATTERNS,
    RecoverDefined,
)
"""Rules that take numbers as the model has them."""

_STAGES: tuple[tuple[type[RewritePattern], ...], ...] = (
    EMPTY_PATTERNS,
    # Composites are found before scales move: the numbers in them are what tells them apart.
    _RECOVERING,
    # Adapters join their weights as the model has them, before other laws move parts of either.
    (*_RECOVERING, *LINEAR_PATTERNS),
    # Scales move before products are joined: a part of a joined product has no weight of its own.
    (*_RECOVERING, *LINEAR_PATTERNS, *SCALE_PATTERNS),
    (*_RECOVERING, *SCALE_PATTERNS, *JOIN_PATTERNS),
)

LAWS_THAT_ROUND: tuple[type[RewritePattern], ...] = (
    DivideByMultiplying,
    JoinNumbersOfProduct,
    *LINEAR_PATTERNS,
    *SCALE_PATTERNS,
)
"""Laws that change the last digits of results."""

_FORMS_THAT_ROUND: tuple[type[RewritePattern], ...] = (*LAYER_NORM_PATTERNS, *GELU_PATTERNS)
"""Composites that are evaluated otherwise than what they were recovered from."""

_RECORDED = (*LAWS_THAT_ROUND, *JOIN_PATTERNS, DropIdentities, DropDoubleInverse)
"""Laws whose uses are reported."""


class _WhereDecided(GreedyRewritePatternApplier):
    """Rules whose conditions depend on what symbols are do not apply."""

    def __init__(self, patterns: list[RewritePattern], decision: LastDecision) -> None:
        super().__init__(patterns)
        self.decision = decision

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter) -> None:
        self.decision.forget()
        for pattern in self.rewrite_patterns:
            with suppress(UndecidedError):
                pattern.match_and_rewrite(op, rewriter)
            if rewriter.has_done_action:
                return


def _count(module: ModuleOp) -> int:
    return sum(1 for _ in module.walk())


def _rewrite_to_fixpoint(
    module: ModuleOp, patterns: Sequence[RewritePattern], decision: LastDecision
) -> None:
    """Applies patterns, and removes equal and dead operations, until nothing changes."""
    walker = PatternRewriteWalker(_WhereDecided(list(patterns), decision))
    while True:
        before = _count(module)
        cse(module)
        region_dce(module.body)
        removed = _count(module) != before
        rewritten = walker.rewrite_module(module)
        if not rewritten and not removed:
            return


@dataclass(frozen=True)
class CanaoSimplifyPass(ModulePass):
    """Simplifies canao graphs, recovers composites and joins products.

    Rules that change a rounding are used where the last digits of the result decide
    nothing (see `decisions`); with `exact=true`, nowhere.
    """

    name = "canao-simplify"

    exact: bool = False
    used: Uses = field(default_factory=Counter, init=False, compare=False)
    """How often each law was used."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        decision = LastDecision()
        for patterns in _STAGES:
            allowed = [self._make(p, decision) for p in patterns if self._allows(p)]
            _rewrite_to_fixpoint(op, allowed, decision)

    def _allows(self, pattern: type[RewritePattern]) -> bool:
        return not self.exact or pattern not in (*LAWS_THAT_ROUND, *_FORMS_THAT_ROUND)

    def _make(self, pattern: type[RewritePattern], decision: LastDecision) -> RewritePattern:
        if pattern in _FORMS_THAT_ROUND:
            return WhereNothingDecides(pattern(), decision)
        if pattern not in _RECORDED:
            return pattern()
        return Recorded(pattern(), pattern in LAWS_THAT_ROUND, self.used, decision)


__all__ = ["LAWS_THAT_ROUND", "CanaoSimplifyPass"]
