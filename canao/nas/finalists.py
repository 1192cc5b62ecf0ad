"""The best candidates measured once more: the search picked them for a time that was lucky."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from typing import Any

import optuna

from canao.errors import CandidateError
from canao.nas.attributes import Candidate, candidates, pareto_front
from canao.nas.latency import Execution, LatencyMeter
from canao.nas.objectives import NAMES, Goal
from canao.nas.study import Configuration

FINALISTS = "canao:finalists"
"""The study's attribute with the last measurement of each finalist, by architecture."""


def choose(goal: Goal, found: Sequence[Candidate], count: int) -> list[Candidate]:
    """The candidates on the front with the highest rewards."""
    best = sorted(pareto_front(goal, found), key=lambda c: goal.reward(c.values), reverse=True)
    return best[:count]


def measure_again(
    study: optuna.Study, configuration: Configuration, meter: LatencyMeter, count: int
) -> None:
    """Measure the finalists again, and keep that with the study."""
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
                execution = asdict(meter.measure(candidate.architecture, again=True))
            except CandidateError as error:
                # It ran before; what it does now counts.
                execution = {"reason": str(error)}
            measured[candidate.architecture.key] = execution
        study.set_user_attr(FINALISTS, measured)


def with_last_measurements(study: optuna.Study, found: Sequence[Candidate]) -> list[Candidate]:
    """Candidates with what measuring them again gave; those that failed then are left out."""
    measured = study.user_attrs.get(FINALISTS, {})
    latest: list[Candidate] = []
    for candidate in found:
        values = measured.get(candidate.architecture.key)
        if values is None:
            latest.append(candidate)
        elif "reason" not in values:
            known = {name: float(values[name]) for name in NAMES if name in values}
            latest.append(
                replace(
                    candidate,
                    execution=Execution.from_mapping(values),
                    values={**candidate.values, **known},
                )
            )
    return latest
