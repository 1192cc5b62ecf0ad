"""The record of which laws were used, and where those may be that change rounding."""

from __future__ import annotations

import re
from collections import Counter
from typing import NamedTuple

from xdsl.ir import Operation
from xdsl.pattern_rewriter import PatternRewriter, RewritePattern

from canao.transforms.decisions import decides


class Use(NamedTuple):
    """The use of a law."""

    law: str
    """The name of the law in the table of laws."""
    changes_rounding: bool
    """Whether the last digits may differ: of floating-point numbers, if the law is not exact."""


Uses = Counter[Use]
"""How often each law was used."""


def law_of(pattern: type[RewritePattern]) -> str:
    """The name of the law that a pattern is: `MoveScale` is `move-scale`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", pattern.__name__).lower()


class WhereNothingDecides(RewritePattern):
    """Another pattern, where the last digits of the result decide nothing.

    For patterns that change rounding; see `decisions`.
    """

    def __init__(self, pattern: RewritePattern) -> None:
        self.pattern = pattern

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        """Rewrites as the other pattern does, or not at all."""
        if not any(decides(result) for result in op.results):
            self.pattern.match_and_rewrite(op, rewriter)


class Recorded(RewritePattern):
    """Another pattern, each use of which is recorded.

    If it changes rounding, it is used only where the last digits of the result decide nothing.
    """

    def __init__(self, pattern: RewritePattern, changes_rounding: bool, used: Uses) -> None:
        self.pattern = WhereNothingDecides(pattern) if changes_rounding else pattern
        self.use = Use(law_of(type(pattern)), changes_rounding)
        self.used = used

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        """Rewrites as the other pattern does."""
        done = rewriter.has_done_action
        self.pattern.match_and_rewrite(op, rewriter)
        if rewriter.has_done_action and not done:
            self.used[self.use] += 1
