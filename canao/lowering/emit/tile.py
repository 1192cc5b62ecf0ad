"""What the emitters of a stage hand to each other: points of a tile, and terms of a reduction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from canao.lowering.stages.stage import Part
from canao.polyhedral.index import Index, Variable


@dataclass(frozen=True)
class Terms:
    """A run of the terms that a reduction adds up.

    Unless it is the `first`, its sums are added to those that the target holds;
    unless it is the `last`, the target holds the sums until the next.
    """

    part: Part
    first: bool = True
    last: bool = True
    tile: Index = field(default_factory=Index)
    """The number of the tile whose sums these are, in the loop around it."""
    tiles: int = 1
    """The tiles of that loop: all pass over the same terms."""
    rolled: bool = False
    """Whether half as many terms are added at a time as the schedule says: the code of a tile that
    runs once at most is short instead."""


@dataclass(frozen=True)
class Point:
    """One point of a tile, or a vector of neighbours along its lane."""

    dims: tuple[Index, ...]
    lane: Variable | None

    def moved(self, dims: Mapping[int, Index]) -> tuple[Index, ...]:
        """Its index with other indices along some dimensions."""
        return tuple(dims.get(d, index) for d, index in enumerate(self.dims))
