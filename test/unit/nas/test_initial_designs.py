"""What a search begins with."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from canao.nas.controller.initial_designs import initial_design, multiply_adds, shrunk
from canao.nas.space.objectives import default_goal
from canao.nas.space.space import SearchSpace, Sizes

SPACE = SearchSpace(Sizes(2, 6), Sizes(96, 384, 32), Sizes(96, 1536, 96))
BUDGET = default_goal(10.0)


def test_a_front_begins_at_its_ends() -> None:
    goal = default_goal()
    found = [initial_design(number, SPACE, goal, []) for number in range(3)]
    assert found == [SPACE.largest, SPACE.smallest, None]


def test_with_a_budget_the_largest_tells_how_far_to_shrink() -> None:
    assert initial_design(0, SPACE, BUDGET, []) == SPACE.largest
    assert initial_design(1, SPACE, BUDGET, []) is None, "its latency is not known"
    measured = [(SPACE.smallest, 1.0), (SPACE.largest, 20.0)]
    found = [initial_design(number, SPACE, BUDGET, measured) for number in range(1, 6)]
    assert found[-1] is None
    keys = [architecture.key for architecture in found if architecture]
    assert keys == [
        "h320-a10-f576.576.576.576.576.576",
        "h384-a12-f192.192.192.192.192.192",
        "h256-a8-f960.960.960.960.960.960",
        "h384-a12-f1536.1536",
    ]


def test_one_that_is_still_too_slow_tells_how_much_smaller_they_have_to_be() -> None:
    first = SPACE.uniform(6, 320, 576)
    measured = [(SPACE.largest, 20.0), (first, 10.1)]
    found = [initial_design(number, SPACE, BUDGET, measured) for number in range(1, 7)]
    assert found[0] == first
    assert found[-1] is None
    keys = [architecture.key for architecture in found[1:] if architecture]
    assert keys == [
        "h320-a10-f480.480.480.480.480.480",
        "h384-a12-f192.192.192.192.192.192",
        "h256-a8-f960.960.960.960.960.960",
        "h384-a12-f1536.1536",
    ]
    assert initial_design(2, SPACE, BUDGET, [(SPACE.largest, 20.0), (first, 10.0)]) not in (
        None,
        first,
    )
    # Far too slow: all others shrink as much.
    sizes = [
        multiply_adds(a)
        for n in range(2, 6)
        if (a := initial_design(n, SPACE, BUDGET, [(SPACE.largest, 20.0), (first, 20.0)]))
    ]
    assert max(sizes) <= 0.5 * multiply_adds(first)


@given(st.floats(0.01, 1.5))
def test_all_are_in_the_space_and_small_enough(share: float) -> None:
    for architecture in shrunk(SPACE, share):
        assert architecture in SPACE
        assert multiply_adds(architecture) <= share * multiply_adds(SPACE.largest)
