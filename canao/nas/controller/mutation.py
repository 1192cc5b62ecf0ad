"""Architectures like given ones: a few sizes changed a little."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from canao.nas.space.architecture import Architecture
from canao.nas.space.space import SearchSpace, Sizes

_MOST_CHANGES = 3
_FARTHEST = 3


def mutated(
    parent: Architecture, space: SearchSpace, generator: np.random.Generator
) -> Architecture:
    """An architecture of the space that differs from one of it in one to three decisions.

    A size moves by up to three steps. A block that is added repeats one, any may be left
    out; the hidden size and each block's feed-forward size are as likely to change as the
    number of blocks. It may be the parent itself, where changes undo each other.
    """
    hidden, sizes = parent.hidden_size, list(parent.intermediate_sizes)
    for _ in range(generator.integers(1, _MOST_CHANGES, endpoint=True)):
        decision = int(generator.integers(-2, len(sizes)))
        if decision == -2:
            _change_depth(sizes, space.blocks, generator)
        elif decision == -1:
            hidden = _moved(hidden, space.hidden, generator)
        else:
            sizes[decision] = _moved(sizes[decision], space.intermediate, generator)
    return Architecture(hidden, space.heads(hidden), tuple(sizes))


def mutations(
    parents: Sequence[Architecture],
    space: SearchSpace,
    count: int,
    generator: np.random.Generator,
) -> list[Architecture]:
    """`count` mutations of parents that are chosen at random."""
    chosen = generator.integers(0, len(parents), count)
    return [mutated(parents[place], space, generator) for place in chosen]


def _change_depth(sizes: list[int], blocks: Sizes, generator: np.random.Generator) -> None:
    wanted = _moved(len(sizes), blocks, generator, farthest=1)
    while len(sizes) < wanted:
        place = int(generator.integers(0, len(sizes)))
        sizes.insert(place, sizes[place])
    while len(sizes) > wanted:
        del sizes[int(generator.integers(0, len(sizes)))]


def _moved(
    size: int, sizes: Sizes, generator: np.random.Generator, farthest: int = _FARTHEST
) -> int:
    """A size some steps up or down, within bounds."""
    steps = int(generator.integers(1, farthest, endpoint=True))
    moved = size + sizes.step * steps * int(generator.choice((-1, 1)))
    return min(max(moved, sizes.low), sizes.high)
