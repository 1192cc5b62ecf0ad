"""Applies the laws to a function until none lowers the cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from xdsl.ir import Block, SSAValue
from xdsl.traits import is_side_effect_free

from canao.dialects.interfaces import CanaoOp
from canao.transforms.cost import Cost, cost_of_op
from canao.transforms.law_uses import Uses
from canao.transforms.lp_fusion.laws.algebra.algebra import Algebra
from canao.transforms.lp_fusion.laws.algebra.share import BLOCK_LAWS
from canao.transforms.lp_fusion.laws.local.local import LocalLaw, LocalRewriting
from canao.transforms.lp_fusion.laws.table import LAWS

LOCAL_LAWS: tuple[LocalLaw, ...] = tuple(
    law.rewrite()
    for law in LAWS
    if isinstance(law.rewrite, type) and issubclass(law.rewrite, LocalLaw)
)
"""The laws of the table that look at one operation, tried in its order."""


class Constants:
    """Which values depend on weights and constants only; asked often, so remembered."""

    def __init__(self, block: Block) -> None:
        self._known: dict[SSAValue, bool] = {}
        for op in block.ops:
            for result in op.results:
                self(result)

    def __call__(self, value: SSAValue) -> bool:
        if value not in self._known:
            owner = value.owner
            self._known[value] = (
                isinstance(owner, CanaoOp)
                and is_side_effect_free(owner)
                and all(self(v) for v in owner.operands)
            )
        return self._known[value]


def apply_laws(block: Block, exact: bool = False) -> Uses:
    """Rewrites a block by the laws; how often each was used.

    Laws are applied in rounds; a round that does not lower the cost of the
    block (work, computations, elements moved) is the last, so this ends. With
    `exact`, only laws are used that keep every rounding.
    """
    used: Uses = Counter()
    cost: Cost | None = None
    is_constant = Constants(block)
    while True:
        round_: Uses = Counter()
        for law in BLOCK_LAWS:
            round_ += law.apply(block, is_constant)
        round_ += LocalRewriting(block, is_constant, LOCAL_LAWS, exact).apply()
        round_ += Algebra(block, is_constant, exact).apply()
        if not round_:
            return used
        used += round_
        before, cost = cost, cost_of_block(block, is_constant)
        if before is not None and cost >= before:
            return used


def cost_of_block(block: Block, is_constant: Callable[[SSAValue], bool]) -> Cost:
    """The cost of all operations that depend on inputs."""
    ops = (op for op in block.ops if op.results and not is_constant(op.results[0]))
    return sum((cost_of_op(op) for op in ops), Cost())
