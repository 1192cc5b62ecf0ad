"""The search space, objectives and fronts."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from canao.errors import SearchError
from canao.lowering.choose.register_tiles import column_cost
from canao.machine.processor import VectorUnit
from canao.machine.processors import GENERIC, vector_unit
from canao.nas.space.architecture import Architecture
from canao.nas.space.objectives import (
    Goal,
    Objective,
    default_goal,
    dominated_by,
    front,
    scalarise,
    volume_added,
)
from canao.nas.space.space import SearchSpace, Sizes, space_within

UNITS = [vector_unit({"avx512f"}), vector_unit({"avx2", "fma"}), vector_unit({"asimd"}), GENERIC]
MINILM = Architecture(384, 12, (1536,) * 6)


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_a_space_has_cheap_sizes_only(unit: VectorUnit) -> None:
    space = space_within(MINILM, unit)
    assert MINILM in space
    assert space.largest == MINILM
    assert space.smallest in space
    for sizes in (space.hidden, space.intermediate):
        assert len(sizes.values) > 4
        assert all(size % unit.lanes_f32 == 0 for size in sizes.values)
        costs = [column_cost(128, size, unit) for size in sizes.values]
        assert max(costs) < 1.01 * min(costs)


def test_an_idle_lane_costs() -> None:
    unit = vector_unit({"avx512f"})
    assert column_cost(128, 17, unit) > 1.5 * column_cost(128, 32, unit)


@given(st.integers(1, 12), st.sampled_from([1, 2, 4, 12]), st.integers(1, 64), st.integers(1, 4000))
def test_any_largest_architecture_has_a_space(
    blocks: int, heads: int, width: int, size: int
) -> None:
    space = space_within(Architecture(heads * width, heads, (size,) * blocks), UNITS[0])
    assert space.largest in space
    assert space.hidden.high <= heads * width
    assert SearchSpace.from_mapping(space.to_mapping()) == space
    parameters = space.parameters_of(space.largest)
    assert space.architecture_of(parameters) == space.largest
    del parameters["num_blocks"]
    assert space.architecture_of(parameters) is None


def test_the_count_of_a_space() -> None:
    space = SearchSpace(Sizes(1, 2), Sizes(32, 64, 32), Sizes(10, 30, 10))
    assert space.count == 2 * (3 + 9)


@pytest.mark.parametrize("bounds", [(0, 4, 1), (4, 2, 1), (1, 4, 0), (1, 4, 2)])
def test_ranges_that_make_no_sense(bounds: tuple[int, int, int]) -> None:
    with pytest.raises(SearchError, match="make no range"):
        Sizes(*bounds)


def test_heads_must_fit() -> None:
    with pytest.raises(SearchError, match="does not divide into heads of 32"):
        SearchSpace(Sizes(1, 1), Sizes(32, 80, 16), Sizes(8, 8))


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"name": "beauty"}, "choose from accuracy, latency_ms"),
        ({"name": "latency_ms", "budget": 0.0}, "not a positive number"),
        ({"name": "latency_ms", "budget": math.nan}, "not a positive number"),
        ({"name": "latency_ms", "weight": -1.0}, "not a positive number"),
    ],
)
def test_objectives_that_make_no_sense(values: dict[str, Any], expected: str) -> None:
    with pytest.raises(SearchError, match=expected):
        Objective(**values)


def test_goals_need_accuracy_once() -> None:
    with pytest.raises(SearchError, match="needs the objective accuracy"):
        Goal((Objective("flops", minimise=True),))
    with pytest.raises(SearchError, match="named twice"):
        Goal((Objective("accuracy"), Objective("accuracy")))


def test_a_budget_makes_one_reward_and_none_a_front() -> None:
    assert not default_goal(20).pareto
    assert default_goal(None).pareto
    goal = default_goal(20)
    assert Goal.from_mapping(goal.to_mapping()) == goal
    good = goal.reward({"accuracy": 0.9, "latency_ms": 10})
    assert good > goal.reward({"accuracy": 0.9, "latency_ms": 19})
    assert good > goal.reward({"accuracy": 0.8, "latency_ms": 10})
    assert goal.reward({"accuracy": 0.99, "latency_ms": 21}) < 0
    assert "beyond the budget of 20" in goal.beyond({"latency_ms": 21})
    assert goal.beyond({"latency_ms": 20}) == ""


losses = st.lists(st.tuples(*[st.floats(0, 1)] * 2), min_size=1, max_size=20).map(np.array)


@given(losses)
def test_a_front_is_what_nothing_dominates(rows: Any) -> None:
    counts = dominated_by(rows)
    for number, row in enumerate(rows):
        slow = sum(
            bool((other <= row).all() and (other < row).any())
            for at, other in enumerate(rows)
            if at != number
        )
        assert counts[number] == slow
    kept = front(rows)
    assert kept
    assert all(counts[number] == 0 for number in kept)


@given(losses, st.floats(0.01, 0.99))
def test_scalarised_optima_lie_on_the_front(rows: Any, weight: float) -> None:
    best = scalarise(rows, [weight, 1 - weight])
    on_front = best[front(rows)].max()
    assert on_front >= best.max() - 1e-12


def test_volume_added_is_that_of_the_boxes() -> None:
    known, new = np.array([[0.5, 0.5]]), np.array([[0.25, 0.5], [0.75, 0.75], [0.0, 0.0]])
    added = volume_added(known, new)
    assert added[0] == pytest.approx(0.125, abs=0.03)
    assert added[1] == 0
    assert added[2] == pytest.approx(0.75, abs=0.03)
