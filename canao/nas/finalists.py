"""The best candidates measured once more: the search picked them for a time that was lucky."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import optuna

from canao.errors import CandidateError
from canao.nas.attributes import Candidate, candidates, pareto_front
from canao.nas.latency import Execution, LatencyMeter, measure_with
from canao.nas.objectives import NAMES, Goal
from canao.nas.study import Configuration

FINALISTS = "canao:finalists"
"""The study's attribute with the last measurement of each finalist, by architecture."""

_MEASUREMENTS = 3
"""Of a finalist that the first puts beyond its budget."""


def choose(goal: Goal, found: Sequence[Candidate], count: int) -> list[Candidate]:
    """The candidates on the front with the highest rewards."""
    best = sorted(pareto_front(goal, found), key=lambda c: goal.reward(c.values), reverse=True)
    return best[:count]


def measure_again(
    study: optuna.Study, configuration: Configuration, meter: LatencyMeter, count: int
) -> None:
    """Measure the finalists again, and keep that with the study.

    One that is beyond a budget now is measured three times, and the middle one
    counts: other work on the machine can make any measurement long.
    """
    found = candidates(study.get_trials(deepcopy=False), configuration.space)
    measured: dict[str, Any] = dict(study.user_attrs.get(FINALISTS, {}))
    # The one that becomes a finalist when another's time was worse is measured too.
    for _ in range(count):
        latest = with_last_measurements(study, found)
        new = [
            c
            for c in choose(configuration.goal, latest, count)
            if c.architecture.key not in measured
        ]
        if not new:
            return
        for candidate in new:
            try:
                execution = asdict(measured_again(candidate, configuration.goal, meter))
            except CandidateError as error:
                # It ran before; what it does now counts.
                execution = {"reason": str(error)}
            measured[candidate.architecture.key] = execution
        study.set_user_attr(FINALISTS, measured)


def measured_again(candidate: Candidate, goal: Goal, meter: LatencyMeter) -> Execution:
    """A measurement within the budgets, or the middle one of some."""
    found = [measure_with(meter, candidate.architecture, again=True)]
    if goal.excess(_values(candidate, asdict(found[0]))):
        more = range(_MEASUREMENTS - 1)
        found += [measure_with(meter, candidate.architecture, again=True) for _ in more]
    return sorted(found, key=lambda execution: execution.latency_ms)[len(found) // 2]


def _values(candidate: Candidate, measured: Mapping[str, Any]) -> dict[str, float]:
    """The values of a candidate with what was measured last."""
    known = {name: float(measured[name]) for name in NAMES if name in measured}
    return {**candidate.values, **known}


def with_last_measurements(study: optuna.Study, found: Sequence[Candidate]) -> list[Candidate]:
    """Candidates with what measuring them again gave; those that failed then are left out."""
    measured = study.user_attrs.get(FINALISTS, {})
    latest: list[Candidate] = []
    for candidate in found:
        values = measured.get(candidate.architecture.key)
        if values is None:
            latest.append(candidate)
        elif "reason" not in values:
            execution = Execution.from_mapping(values)
            latest.append(
                replace(candidate, execution=execution, values=_values(candidate, values))
            )
    return latest
