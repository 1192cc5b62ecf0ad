"""Neighbours are in the space, and near."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from canao.nas.controller.mutation import mutated, mutations
from canao.nas.space.space import SearchSpace, Sizes

SPACES = (
    SearchSpace(Sizes(1, 6), Sizes(96, 384, 32), Sizes(96, 1536, 96)),
    SearchSpace(Sizes(2, 8, 2), Sizes(64, 64), Sizes(7, 70, 9)),
    SearchSpace(Sizes(1, 1), Sizes(32, 32), Sizes(16, 16)),
)


@given(st.sampled_from(SPACES), st.integers(0, 2**32 - 1), st.integers(1, 30))
def test_all_are_in_the_space(space: SearchSpace, seed: int, walk: int) -> None:
    chance = np.random.default_rng(seed)
    found = space.largest if seed % 2 else space.smallest
    for _ in range(walk):
        found = mutated(found, space, chance)
        assert found in space


@given(st.integers(0, 2**32 - 1))
def test_they_are_near(seed: int) -> None:
    space = SPACES[0]
    parent = space.uniform(4, 224, 768)
    for found in mutations([parent], space, 20, np.random.default_rng(seed)):
        assert abs(found.num_blocks - 4) <= 3
        assert abs(found.hidden_size - 224) <= 9 * 32
        changed = sum(size != 768 for size in found.intermediate_sizes)
        changed += (found.hidden_size != 224) + abs(found.num_blocks - 4)
        # Three changes: a size that moved may have been copied with two new blocks.
        assert changed <= 5


def test_every_decision_changes_in_time() -> None:
    space = SPACES[0]
    parent = space.uniform(4, 224, 768)
    found = mutations([parent], space, 300, np.random.default_rng(0))
    assert {a.num_blocks for a in found} >= {3, 4, 5}
    assert len({a.hidden_size for a in found}) > 3
    same_depth = [a.intermediate_sizes for a in found if a.num_blocks == 4]
    for block in range(4):
        assert len({sizes[block] for sizes in same_depth}) > 3
