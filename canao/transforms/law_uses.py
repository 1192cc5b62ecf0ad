"""The record of which laws were used, and where those may be that change rounding."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
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


def decides_something(op: Operation) -> bool:
    """Whether the last digits of any result of an operation decide something; see `decisions`."""
    return any(decides(result) for result in op.results)


class LastDecision:
    """`decides_something` of one operation, asked once for all patterns that are tried on it.

    It holds until something is rewritten: `forget` it before an operation is looked at again.
    """

    def __init__(self) -> None:
        self._known: dict[Operation, bool] = {}

    def __call__(self, op: Operation) -> bool:
        if op not in self._known:
            self._known = {op: decides_something(op)}
        return self._known[op]

    def forget(self) -> None:
        """Ask anew."""
        self._known = {}


class WhereNothingDecides(RewritePattern):
    """Another pattern, where the last digits of the result decide nothing.

    For patterns that change rounding; see `decisions`.
    """

    def __init__(
        self, pattern: RewritePattern, decided: Callable[[Operation], bool] = decides_something
    ) -> None:
        self.pattern = pattern
        self.decided = decided

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        """Rewrites as the other pattern does, or not at all."""
        if not self.decided(op):
            self.pattern.match_and_rewrite(op, rewriter)


class Recorded(RewritePattern):
    """Another pattern, each use of which is recorded.

    If it changes rounding, it is used only where the last digits of the result decide nothing.
    """

    def __init__(
        self,
        pattern: RewritePattern,
        changes_rounding: bool,
        used: Uses,
        decided: Callable[[Operation], bool] = decides_something,
    ) -> None:
        self.pattern = WhereNothingDecides(pattern, decided) if changes_rounding else pattern
        self.use = Use(law_of(type(pattern)), changes_rounding)
        self.used = used

    def match_and_rewrite(self, op: Operation, rewriter: PatternRewriter, /) -> None:
        """Rewrites as the other pattern does."""
        done = rewriter.has_done_action
        self.pattern.match_and_rewrite(op, rewriter)
        if rewriter.has_done_action and not done:
            self.used[self.use] += 1
