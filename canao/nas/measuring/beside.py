"""Candidates measured in turns with what they are to be faster than: a machine has slow minutes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from canao.nas.measuring.latency import (
    Execution,
    LatencyMeter,
    TurnsMeter,
    measure_in_turns,
)
from canao.nas.space.architecture import Architecture
from canao.nas.space.objectives import LATENCY, Goal


@dataclass(frozen=True)
class BesideReference:
    """Tells what candidates would take if the reference took what it did when the study began.

    Measured alone, one candidate of a slow minute is beyond a budget that it keeps, and is never
    trained.
    """

    meter: TurnsMeter
    reference: Architecture
    reference_ms: float
    """What the budget follows from."""

    def measure(self, architecture: Architecture, *, again: bool = False) -> Execution:
        """See `LatencyMeter`; nothing is remembered."""
        if architecture == self.reference:
            (found,) = measure_in_turns(self.meter, [architecture])
            return replace(found, latency_ms=self.reference_ms)
        mine, theirs = measure_in_turns(self.meter, [architecture, self.reference])
        return replace(mine, latency_ms=mine.cost * self.reference_ms / theirs.cost)

    def measure_in_turns(
        self, architectures: Sequence[Architecture], turns: int
    ) -> list[Execution]:
        """See `TurnsMeter`."""
        return self.meter.measure_in_turns(architectures, turns)


def beside(meter: LatencyMeter, goal: Goal, reference: Architecture | None) -> LatencyMeter:
    """The meter for candidates of a study, which is the same where turns would tell no more.

    They do if a budget follows from the reference, in milliseconds.
    """
    cost = goal.reference_cost
    if cost is None or reference is None or goal.cost != LATENCY:
        return meter
    if not isinstance(meter, TurnsMeter):
        return meter
    return BesideReference(meter, reference, cost)
