"""Surrogates agree with what was seen, know what they do not know, and stand awkward values."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.nas.search_support import SPACE, accuracy_of, latency_of

from canao.nas.controller.surrogate import Surrogate, features
from canao.nas.space.architecture import Architecture


def _architectures(count: int, seed: int) -> list[Architecture]:
    chance = np.random.default_rng(seed)
    found: list[Architecture] = []
    for _ in range(count):
        hidden = int(chance.choice(SPACE.hidden.values))
        blocks = int(chance.choice(SPACE.blocks.values))
        sizes = [int(size) for size in chance.choice(SPACE.intermediate.values, blocks)]
        found.append(Architecture(hidden, SPACE.heads(hidden), tuple(sizes)))
    return found


def test_accuracies_of_the_unseen() -> None:
    known, unseen = _architectures(40, 0), _architectures(100, 1)
    surrogate = Surrogate(features(known, SPACE), [accuracy_of(a) for a in known], seed=0)
    truth = np.array([accuracy_of(a) for a in unseen])
    told = surrogate.mean(features(unseen, SPACE))
    assert float(((told - truth) ** 2).mean()) < 0.1 * float(truth.var())


def test_costs_of_the_unseen_from_few() -> None:
    known, unseen = _architectures(12, 0), _architectures(100, 1)
    values = [latency_of(a) for a in known]
    surrogate = Surrogate(features(known, SPACE), values, seed=0, cost=True)
    truth = np.array([latency_of(a) for a in unseen])
    told = surrogate.mean(features(unseen, SPACE))
    assert float(np.median(np.abs(told / truth - 1))) < 0.1


def test_draws_agree_where_much_is_known_only() -> None:
    near = [a for a in _architectures(60, 0) if a.num_blocks == 1]
    far = SPACE.largest
    surrogate = Surrogate(features(near, SPACE), [accuracy_of(a) for a in near], seed=0)
    rows = features([near[0], far], SPACE)
    draws = np.array([surrogate.draw(rows, number) for number in range(50)])
    assert draws[:, 0].std() < 0.3 * draws[:, 1].std()
    assert draws[:, 0].mean() == pytest.approx(accuracy_of(near[0]), abs=0.02)


def test_draws_are_the_same_by_seed_and_number() -> None:
    known = _architectures(8, 0)
    rows, values = features(known, SPACE), [accuracy_of(a) for a in known]
    others = features(_architectures(5, 1), SPACE)
    one, same, other = (Surrogate(rows, values, seed) for seed in (1, 1, 2))
    assert one.draw(others, 3).tolist() == same.draw(others, 3).tolist()
    assert one.draw(others, 3).tolist() != one.draw(others, 4).tolist()
    assert one.draw(others, 3).tolist() != other.draw(others, 3).tolist()


@settings(deadline=None, max_examples=25)
@given(
    st.lists(st.floats(-1, 1), min_size=1, max_size=12),
    st.integers(0, 3),
    st.booleans(),
)
def test_any_values_of_any_architectures_twice_too(
    values: list[float], seed: int, cost: bool
) -> None:
    known = _architectures(len(values), seed)
    rows = features([*known, known[0]], SPACE)
    surrogate = Surrogate(rows, [*values, values[0]], seed, cost=cost)
    others = features([*known, *_architectures(20, seed + 1)], SPACE)
    for told in (surrogate.mean(others), surrogate.draw(others, 0)):
        assert told.shape == (len(others),)
        assert np.isfinite(told).all()
        assert not cost or (told >= 0).all()
