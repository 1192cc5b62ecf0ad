"""The architectures that a search begins with, before anything is learnt."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from canao.nas.space.architecture import Architecture
from canao.nas.space.objectives import COSTS, Goal
from canao.nas.space.space import SearchSpace

_MARGIN = 0.9
"""Shrinks a little more than the budget asks for, as latency falls less than multiply-adds
do: a model with half of them takes 7 to 8 % more than half the time."""
_CLOSER = 0.99
"""The part of the budget to aim at once an architecture near it has been measured."""


def initial_design(
    index: int,
    space: SearchSpace,
    goal: Goal,
    latencies: Iterable[tuple[Architecture, float]],
) -> Architecture | None:
    """The architecture that a search tries as number `index`; None if the controller decides.

    Without a budget, these are the two ends of a front: the largest and the smallest.
    With a budget of what a run costs, the largest comes first; its latency tells by how much to
    shrink. The next ones shrink by that in one way each. If the first of these is still too
    slow, its latency tells how much smaller the next ones must be. `latencies` has the
    architectures measured so far, in the unit of the budget.
    """
    if goal.pareto:
        corners = (space.largest, space.smallest)
        return corners[index] if index < len(corners) else None
    budget = next((o.budget for o in goal.objectives if o.name in COSTS), None)
    if budget is None:
        return None
    if index == 0:
        return space.largest
    known = dict(latencies)
    whole = known.get(space.largest)
    if whole is None:
        return None
    choices = shrunk(space, _MARGIN * budget / whole)
    taken = known.get(choices[0], 0.0) if choices else 0.0
    if taken > budget:
        share = multiply_adds(choices[0]) / multiply_adds(space.largest)
        choices = [choices[0], *shrunk(space, _CLOSER * budget / taken * share)]
    return choices[index - 1] if index <= len(choices) else None


def shrunk(space: SearchSpace, share: float) -> list[Architecture]:
    """Architectures that take at most a share of the multiply-adds of the largest.

    With all blocks: the feed-forward size narrowed more than the hidden size,
    alone, and in proportion to it; and with fewer blocks of full width. Those that
    do not exist in the space are left out.
    """
    most = share * multiply_adds(space.largest)
    narrow = _narrowed(space, most)
    ends = [narrow[len(narrow) // 2], narrow[0], narrow[-1]] if narrow else []
    return list(dict.fromkeys((*ends, *_shortened(space, most)[:1])))


def _narrowed(space: SearchSpace, most: float) -> list[Architecture]:
    """For each hidden size, widest first, the widest feed-forward size that fits.

    It ends before the hidden size is narrowed more than in proportion.
    """
    whole = space.largest
    found: list[Architecture] = []
    for hidden in reversed(space.hidden.values):
        fitting = _fitting(
            [space.uniform(space.blocks.high, hidden, f) for f in space.intermediate.values], most
        )
        size = fitting[-1].intermediate_sizes[0] if fitting else 0
        if found and size * whole.hidden_size > whole.intermediate_sizes[0] * hidden:
            break
        found += fitting[-1:]
    return found


def _shortened(space: SearchSpace, most: float) -> list[Architecture]:
    """Fewer blocks of full width, most of them first."""
    hidden, size = space.hidden.high, space.intermediate.high
    return _fitting(
        [space.uniform(blocks, hidden, size) for blocks in reversed(space.blocks.values)], most
    )


def _fitting(found: Sequence[Architecture], most: float) -> list[Architecture]:
    return [architecture for architecture in found if multiply_adds(architecture) <= most]


def multiply_adds(architecture: Architecture) -> int:
    """Multiply-adds of the products with weights, a token."""
    hidden = architecture.hidden_size
    return sum(4 * hidden**2 + 2 * hidden * size for size in architecture.intermediate_sizes)
