"""The best candidates measured once more: the search picked them for a time that was lucky.

A finalist and its teacher are measured in turns, and what that gives is what counts and what is
printed: one that is too slow there is replaced by the next.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import optuna

from canao.errors import CandidateError
from canao.nas.measuring.latency import (
    Execution,
    LatencyMeter,
    measure_in_turns,
    measure_with,
    middle,
)
from canao.nas.space.architecture import Architecture
from canao.nas.space.objectives import INSTRUCTIONS, NAMES, Goal
from canao.nas.study.attributes import Candidate, candidates, pareto_front, within
from canao.nas.study.study import Configuration

FINALISTS = "canao:finalists"
"""The study's attribute with the last measurement of each finalist, by architecture."""

_TEACHER = "teacher_cost"
"""What the teacher cost in the same turns."""
_REASON = "reason"
_MEASUREMENTS = 3
"""Of a finalist without a teacher that the first puts beyond its budget."""
_MORE = 3
"""Candidates that may be measured in the place of finalists that turned out too slow."""


@dataclass(frozen=True)
class Choice:
    """The best candidate as it was measured last."""

    best: Candidate | None
    latencies: Mapping[str, float] = field(default_factory=dict[str, float])
    """What it and its teacher cost, measured in turns; empty without a teacher."""
    missed: str = ""
    """Which budget it does not keep, in words; empty if it keeps all."""


def choose(goal: Goal, found: Sequence[Candidate], count: int) -> list[Candidate]:
    """The candidates on the front with the highest rewards."""
    best = sorted(pareto_front(goal, found), key=lambda c: goal.reward(c.values), reverse=True)
    return best[:count]


def measure_again(
    study: optuna.Study,
    configuration: Configuration,
    meter: LatencyMeter,
    count: int,
    reference: Architecture | None = None,
    is_late: Callable[[], bool] = lambda: False,
) -> None:
    """Measure the finalists again, the best first, and keep that with the study.

    With a reference each takes turns with it. One that is beyond a budget now makes room for the
    next. Once `is_late`, no more are measured than one.
    """
    goal = configuration.goal
    found = candidates(study.get_trials(deepcopy=False), configuration.space)
    measured: dict[str, Any] = dict(study.user_attrs.get(FINALISTS, {}))
    for number in range(count + _MORE):
        finalists = choose(goal, with_last_measurements(study, goal, found), count)
        new = [c for c in finalists if not _is_measured(measured, c, reference)]
        if not new or (number and is_late()):
            return
        try:
            row = _measured(new[0], goal, meter, reference)
        except CandidateError as error:
            # It ran before; what it does now counts.
            row = {_REASON: str(error)}
        measured[new[0].architecture.key] = row
        study.set_user_attr(FINALISTS, measured)


def _is_measured(
    measured: Mapping[str, Any], candidate: Candidate, reference: Architecture | None
) -> bool:
    row = measured.get(candidate.architecture.key)
    return row is not None and (reference is None or _TEACHER in row or _REASON in row)


def _measured(
    candidate: Candidate, goal: Goal, meter: LatencyMeter, reference: Architecture | None
) -> dict[str, Any]:
    if reference is None:
        return asdict(measured_again(candidate, goal, meter))
    mine, theirs = measure_in_turns(meter, (candidate.architecture, reference))
    return {**asdict(mine), _TEACHER: theirs.cost}


def measured_again(candidate: Candidate, goal: Goal, meter: LatencyMeter) -> Execution:
    """A measurement within the budgets, or the middle one of some."""
    found = [measure_with(meter, candidate.architecture, again=True)]
    if goal.excess(_values(candidate, goal, asdict(found[0]))):
        more = range(_MEASUREMENTS - 1)
        found += [measure_with(meter, candidate.architecture, again=True) for _ in more]
    return middle(found)


def _values(candidate: Candidate, goal: Goal, measured: Mapping[str, Any]) -> dict[str, float]:
    """The values of a candidate with what was measured last.

    Where the budget follows from the teacher, the latency is what it would be if the teacher
    took what it took when the study began: the machine may be slower or faster now.
    """
    known = {name: float(measured[name]) for name in NAMES if measured.get(name) is not None}
    teacher = goal.reference_cost
    if teacher is not None and _TEACHER in measured:
        known[goal.cost] *= teacher / float(measured[_TEACHER])
    return {**candidate.values, **known}


def with_last_measurements(
    study: optuna.Study, goal: Goal, found: Sequence[Candidate]
) -> list[Candidate]:
    """Candidates with what measuring them again gave; those that failed then are left out."""
    measured = study.user_attrs.get(FINALISTS, {})
    latest: list[Candidate] = []
    for candidate in found:
        row = measured.get(candidate.architecture.key)
        if row is None:
            latest.append(candidate)
        elif _REASON not in row:
            execution = Execution.from_mapping(row)
            values = _values(candidate, goal, row)
            latest.append(replace(candidate, execution=execution, values=values))
    return latest


def chosen(study: optuna.Study, goal: Goal, found: Sequence[Candidate]) -> Choice:
    """The best of those that were measured again, or of all if none was.

    Does none of them keep the budgets, it is the one that exceeds them least.
    """
    measured: Mapping[str, Any] = study.user_attrs.get(FINALISTS, {})
    latest = with_last_measurements(study, goal, found)
    again = [c for c in latest if c.architecture.key in measured] or latest
    best = best_of(goal, again)
    if best is not None:
        return Choice(best, _costs(goal, measured, best))
    if not again or not measured:
        return Choice(None)
    nearest = min(again, key=lambda candidate: goal.excess(candidate.values))
    latencies = _costs(goal, measured, nearest)
    return Choice(nearest, latencies, _missed(goal, nearest, latencies, len(again)))


def best_of(goal: Goal, found: Sequence[Candidate]) -> Candidate | None:
    """The candidate with the highest reward within the budgets."""
    return max(within(goal, found), key=lambda c: goal.reward(c.values), default=None)


def _costs(goal: Goal, measured: Mapping[str, Any], candidate: Candidate) -> dict[str, float]:
    row = measured.get(candidate.architecture.key, {})
    if _TEACHER not in row:
        return {}
    return {goal.cost: float(row[goal.cost]), f"teacher's {goal.cost}": float(row[_TEACHER])}


def teacher_cost(study: optuna.Study) -> float | None:
    """The most that the teacher cost beside a finalist; None if it was not measured so."""
    rows: Mapping[str, Any] = study.user_attrs.get(FINALISTS, {})
    return max((float(row[_TEACHER]) for row in rows.values() if _TEACHER in row), default=None)


def _missed(goal: Goal, candidate: Candidate, latencies: Mapping[str, float], tried: int) -> str:
    """Which budget a candidate does not keep."""
    who = "the only candidate measured again did not hold it"
    if tried > 1:
        who = f"none of {tried} candidates measured again held it"
    speedup = goal.speedup
    if speedup is None or not latencies:
        return f"{goal.beyond(candidate.values)}: {who}"
    mine, theirs = latencies.values()
    # Rounded down: 1.999 times is not twice.
    times = math.floor(100 * theirs / mine) / 100
    if goal.cost == INSTRUCTIONS:
        return f"{times:g} times fewer {goal.cost} than the teacher, not the {speedup:g}: {who}"
    return f"{times:g} times as fast as the teacher, not the {speedup:g} that was asked for: {who}"
