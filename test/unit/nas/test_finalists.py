"""Measuring finalists again: what one unlucky measurement may do, and what it may not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from canao.nas.measuring.latency import Execution
from canao.nas.space.architecture import Architecture
from canao.nas.space.objectives import Goal, Objective
from canao.nas.study.attributes import Candidate
from canao.nas.study.finalists import measured_again

SMALL = Architecture(64, 2, (128,))
GOAL = Goal((Objective("accuracy"), Objective("latency_ms", minimise=True, budget=10.0)))


class Meter:
    """Tells one latency after another."""

    def __init__(self, *latencies: float) -> None:
        self.left: Iterator[float] = iter(latencies)

    def measure(self, architecture: Architecture, *, again: bool = False) -> Execution:
        assert again
        return Execution(next(self.left))


@pytest.mark.parametrize(
    ("latencies", "counted"),
    [((9.0, 99.0), 9.0), ((12.0, 9.0, 9.5), 9.5), ((12.0, 9.0, 11.0), 11.0)],
    ids=["within", "one-unlucky", "beyond"],
)
def test_the_middle_counts_of_a_finalist_beyond_its_budget(
    latencies: tuple[float, ...], counted: float
) -> None:
    candidate = Candidate(0, SMALL, {"accuracy": 0.9, "latency_ms": 9.0}, Execution(9.0), {})
    assert measured_again(candidate, GOAL, Meter(*latencies)).latency_ms == counted
