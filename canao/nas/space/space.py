"""The search space as data: which sizes an architecture may have."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, cast

from canao.errors import SearchError
from canao.lowering.choose.register_tiles import column_cost
from canao.machine.processor import VectorUnit
from canao.nas.space.architecture import Architecture

if TYPE_CHECKING:
    from optuna.trial import Trial

NUM_BLOCKS, HIDDEN_SIZE = "num_blocks", "hidden_size"
_MOST_STEPS = 16
"""Sizes that a bound is divided into at most: finer steps change time and accuracy too little."""
_TOLERANCE = 1.01
"""How much more than the cheapest an output may cost for its width to count as cheap."""


def intermediate_size(block: int) -> str:
    """The name of the parameter of a block's feed-forward size; blocks count from 0."""
    return f"intermediate_size_{block}"


@dataclass(frozen=True)
class Sizes:
    """The sizes from `low` to `high`, both included, in steps."""

    low: int
    high: int
    step: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.low <= self.high or self.step < 1 or (self.high - self.low) % self.step:
            raise SearchError(
                f"sizes from {self.low} to {self.high} in steps of {self.step} make no range; "
                "give 1 <= low <= high with whole steps between them"
            )

    @property
    def values(self) -> range:
        """All of the sizes, smallest first."""
        return range(self.low, self.high + 1, self.step)

    def __contains__(self, size: int) -> bool:
        return size in self.values


@dataclass(frozen=True)
class SearchSpace:
    """Bounds and steps of what a search decides, and the width that all heads have."""

    blocks: Sizes
    hidden: Sizes
    intermediate: Sizes
    head_width: int = 32

    def __post_init__(self) -> None:
        odd = [size for size in self.hidden.values if size % self.head_width]
        if odd:
            raise SearchError(
                f"hidden size {odd[0]} does not divide into heads of {self.head_width}; "
                "choose bounds and a step that are multiples of the width of a head"
            )

    @property
    def count(self) -> int:
        """How many architectures there are."""
        sizes = len(self.intermediate.values)
        return len(self.hidden.values) * sum(sizes**blocks for blocks in self.blocks.values)

    @property
    def largest(self) -> Architecture:
        """The architecture with the highest bound everywhere."""
        return self.uniform(self.blocks.high, self.hidden.high, self.intermediate.high)

    @property
    def smallest(self) -> Architecture:
        """The architecture with the lowest bound everywhere."""
        return self.uniform(self.blocks.low, self.hidden.low, self.intermediate.low)

    def uniform(self, blocks: int, hidden: int, size: int) -> Architecture:
        """So many blocks, all with the same feed-forward size."""
        return Architecture(hidden, self.heads(hidden), (size,) * blocks)

    def heads(self, hidden_size: int) -> int:
        """Heads follow the hidden size."""
        return hidden_size // self.head_width

    def suggest(self, trial: Trial) -> Architecture:
        """Ask a trial for an architecture; later questions depend on earlier answers."""
        blocks = _ask(trial, NUM_BLOCKS, self.blocks)
        hidden = _ask(trial, HIDDEN_SIZE, self.hidden)
        sizes = tuple(
            _ask(trial, intermediate_size(block), self.intermediate) for block in range(blocks)
        )
        return Architecture(hidden, self.heads(hidden), sizes)

    def architecture_of(self, parameters: Mapping[str, Any]) -> Architecture | None:
        """The architecture that a trial's parameters name; None while some are missing."""
        try:
            blocks, hidden = int(parameters[NUM_BLOCKS]), int(parameters[HIDDEN_SIZE])
            sizes = tuple(int(parameters[intermediate_size(block)]) for block in range(blocks))
        except KeyError:
            return None
        return Architecture(hidden, self.heads(hidden), sizes)

    def parameters_of(self, architecture: Architecture) -> dict[str, int]:
        """What `architecture_of` reads."""
        sizes = enumerate(architecture.intermediate_sizes)
        return {
            NUM_BLOCKS: architecture.num_blocks,
            HIDDEN_SIZE: architecture.hidden_size,
            **{intermediate_size(block): size for block, size in sizes},
        }

    def __contains__(self, architecture: Architecture) -> bool:
        return (
            architecture.num_blocks in self.blocks
            and architecture.hidden_size in self.hidden
            and architecture.num_heads == self.heads(architecture.hidden_size)
            and all(size in self.intermediate for size in architecture.intermediate_sizes)
        )

    def to_mapping(self) -> dict[str, Any]:
        """The space as values that JSON has."""
        return asdict(self)

    @staticmethod
    def from_mapping(found: object) -> SearchSpace:
        """The space that `to_mapping` gave; an error for any other value."""
        try:
            values = cast("Mapping[str, Any]", found)
            ranges = [Sizes(**values[name]) for name in ("blocks", "hidden", "intermediate")]
            return SearchSpace(*ranges, head_width=int(values["head_width"]))
        except (TypeError, KeyError, ValueError) as error:
            raise SearchError(
                f"{found!r} is not a search space; it needs blocks, hidden and intermediate, each "
                "with low, high and step, and head_width"
            ) from error


def space_within(
    largest: Architecture, unit: VectorUnit, *, rows: int = 128, smallest_part: int = 4
) -> SearchSpace:
    """The architectures no larger than one, in steps that a processor computes without idle lanes.

    `rows` is the length of a sequence. Widths go down to one part in
    `smallest_part` of the largest.
    """
    head = largest.hidden_size // largest.num_heads
    widest = max(largest.intermediate_sizes)
    return SearchSpace(
        Sizes(1, largest.num_blocks),
        _cheap_sizes(largest.hidden_size, smallest_part, head, rows, unit),
        _cheap_sizes(widest, 4 * smallest_part, 1, rows, unit),
        head,
    )


def _cheap_sizes(high: int, parts: int, multiple: int, rows: int, unit: VectorUnit) -> Sizes:
    """Sizes from about `high / parts` to at most `high`, all cheap, no more than `_MOST_STEPS`."""
    unit_step = math.lcm(multiple, unit.lanes_f32)
    if high < unit_step:
        return Sizes(high, high)
    steps = range(unit_step, high + 1, unit_step)
    # A step that divides `high` first: then the largest architecture is in the space.
    for step in sorted(steps, key=lambda step: high % step != 0):
        sizes = range(step * max(1, high // parts // step), high + 1, step)
        if len(sizes) <= _MOST_STEPS and _all_cheap(sizes, rows, unit):
            return Sizes(sizes[0], sizes[-1], step)
    return Sizes(high, high)


def _all_cheap(sizes: Sequence[int], rows: int, unit: VectorUnit) -> bool:
    costs = [column_cost(rows, size, unit) for size in sizes]
    return max(costs) <= _TOLERANCE * min(costs)


def _ask(trial: Trial, name: str, sizes: Sizes) -> int:
    return trial.suggest_int(name, sizes.low, sizes.high, step=sizes.step)
