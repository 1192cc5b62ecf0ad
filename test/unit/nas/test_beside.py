"""Candidates measured in turns with their teacher, on a machine that is now fast and now slow."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import cycle

import pytest
from unit.nas.search_support import TableMeter, latency_of

from canao.errors import CandidateError
from canao.nas.measuring.beside import beside
from canao.nas.measuring.latency import Execution, measure_with
from canao.nas.space.architecture import Architecture
from canao.nas.space.objectives import Goal, Objective

TEACHER, SMALL = Architecture(128, 4, (512, 512)), Architecture(64, 2, (128,))
_FASTER = Objective("latency_ms", minimise=True, speedup=1.5)
BESIDE = Goal((Objective("accuracy"), _FASTER)).beside(latency_of(TEACHER))


class NoisyMeter(TableMeter):
    """Each time the machine is another one, but not between turns."""

    def __init__(self) -> None:
        super().__init__()
        self.paces = cycle((1.0, 3.0, 0.4))

    def measure_in_turns(
        self, architectures: Sequence[Architecture], turns: int
    ) -> list[Execution]:
        self.factor = next(self.paces)
        return [self.measure(one, again=True) for one in architectures]


@pytest.mark.parametrize("architecture", [SMALL, TEACHER])
def test_slow_minutes_make_no_difference(architecture: Architecture) -> None:
    meter = beside(NoisyMeter(), BESIDE, TEACHER)
    found = [measure_with(meter, architecture).latency_ms for _ in range(3)]
    assert found == pytest.approx(3 * [latency_of(architecture)])


def test_where_turns_would_tell_no_more() -> None:
    plain = Goal((Objective("accuracy"), Objective("latency_ms", minimise=True, budget=9.0)))
    for meter, goal, reference in (
        (NoisyMeter(), plain, TEACHER),
        (NoisyMeter(), BESIDE, None),
        (TableMeter(), BESIDE, TEACHER),
    ):
        assert beside(meter, goal, reference) is meter


def test_a_teacher_that_took_no_time_is_refused() -> None:
    meter = NoisyMeter()
    meter.paces = cycle((0.0,))
    with pytest.raises(CandidateError, match="no latency"):
        measure_with(beside(meter, BESIDE, TEACHER), SMALL)
