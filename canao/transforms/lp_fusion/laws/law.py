"""What the table of laws says about each law."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from inspect import cleandoc
from typing import Any

Shape = tuple[int, ...]

FINITE = "finite operands, no constant beyond 1e30"
"""A condition: the law holds for finite numbers, and is not used where a constant that is
infinite or huge, as in masks, takes part."""


class Stage(StrEnum):
    """The pass that applies a law."""

    SIMPLIFY = "canao-simplify"
    FUSE = "lp-fusion"
    EXPAND = "expand-composites"


@dataclass(frozen=True)
class Proof:
    """Two forms that a test proves equal, and that the law leads from one to the other.

    Both are functions of the same operands. They are evaluated with symbols,
    if the law is one of single numbers, and with tensors of `shapes` by the
    interpreter; and the first, as a graph, must be rewritten by the law.
    """

    before: Callable[..., Any]
    after: Callable[..., Any]
    shapes: tuple[Shape, ...]
    constants: tuple[int, ...] = ()
    """The operands that are weights."""
    scalars: bool = True
    """Whether the law says something about single numbers."""


@dataclass(frozen=True)
class LawEntry:
    """A law: what it is, when it holds, and how that is proved."""

    name: str
    rewrite: Any
    """The class, or one of its instances, that applies the law; its docstring is the law."""
    condition: str
    """When the law may be used, besides that it must lower the cost."""
    exact: bool
    """Whether results of floating-point numbers keep every bit."""
    proof: Proof
    stage: Stage = Stage.FUSE
    more: tuple[Proof, ...] = field(default=())
    """Other forms of the law, proved the same way."""
    on_request: bool = False
    """Whether only `fusion="fast"` uses the law: it gives up accuracy for speed."""

    @property
    def text(self) -> str:
        """Before and after, as the docstring of the rewrite has them."""
        return cleandoc(self.rewrite.__doc__ or "")

    @property
    def proofs(self) -> tuple[Proof, ...]:
        """All forms that are to be proved."""
        return (self.proof, *self.more)
