"""What is kept with a trial, and what trials tell: the one place that knows the names."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from optuna.trial import FrozenTrial, TrialState

from canao.nas.controller.replay import Experience
from canao.nas.measuring.latency import Execution
from canao.nas.space.architecture import Architecture
from canao.nas.space.objectives import ACCURACY, NAMES, Goal, front
from canao.nas.space.space import SearchSpace

KEY = "architecture"
"""`Architecture.key`: set as soon as a trial knows it."""
WORKER = "worker"
"""Which process runs the trial."""
LOG_PROBS = "log_probs"
RUNGS = "rungs"
"""Accuracy after each number of training steps: a mapping from text to numbers."""
REASON = "reason"
"""Why a trial was rejected or failed."""
TWIN = "same_as"
"""The number of an earlier trial of the same architecture, whose results were taken."""
INTERRUPTED, SURPLUS = "interrupted", "surplus"
"""Trials that count for nothing: their process ended, or another took the last place."""
RETRY = "retry_of"
SECONDS = "seconds"


@dataclass(frozen=True)
class Candidate:
    """An architecture that was tried, with what is known of it."""

    number: int
    architecture: Architecture
    values: Mapping[str, float]
    execution: Execution
    rungs: Mapping[str, float]


def counts(trial: FrozenTrial) -> bool:
    """Whether a trial is one of those that were asked for and has ended."""
    return trial.state.is_finished() and not is_void(trial)


def is_void(trial: FrozenTrial) -> bool:
    """Whether a trial counts for nothing."""
    # One that was taken for interrupted and was completed all the same is no loss.
    lost = trial.state is TrialState.FAIL and bool(trial.user_attrs.get(INTERRUPTED))
    return lost or bool(trial.user_attrs.get(SURPLUS))


def values_of(trial: FrozenTrial) -> dict[str, float]:
    """The values of objectives that became known, whatever came of the trial."""
    found = {name: _finite(trial.user_attrs.get(name)) for name in NAMES}
    return {name: value for name, value in found.items() if value is not None}


def experiences(trials: Iterable[FrozenTrial], space: SearchSpace) -> list[Experience]:
    """What the controller learns from: ended trials that got as far as an architecture."""
    found: list[Experience] = []
    for trial in sorted(trials, key=lambda trial: trial.number):
        architecture = space.architecture_of(trial.params)
        # A twin was no choice that paid: it tells what its elder told already.
        if not counts(trial) or architecture is None or TWIN in trial.user_attrs:
            continue
        log_probs = tuple(trial.user_attrs.get(LOG_PROBS, ()))
        found.append(Experience(trial.number, architecture, values_of(trial), log_probs))
    return found


def candidates(trials: Iterable[FrozenTrial], space: SearchSpace) -> list[Candidate]:
    """The complete trials, one an architecture."""
    found: dict[str, Candidate] = {}
    for trial in sorted(trials, key=lambda trial: trial.number):
        architecture = space.architecture_of(trial.params)
        if trial.state is not TrialState.COMPLETE or architecture is None or not counts(trial):
            continue
        found.setdefault(architecture.key, candidate_of(trial, architecture))
    return list(found.values())


def candidate_of(trial: FrozenTrial, architecture: Architecture) -> Candidate:
    """A trial as a candidate."""
    return Candidate(
        trial.number,
        architecture,
        values_of(trial),
        Execution.from_mapping(trial.user_attrs),
        dict(trial.user_attrs.get(RUNGS, {})),
    )


def within(goal: Goal, found: Sequence[Candidate]) -> list[Candidate]:
    """Candidates with all objectives known and within their budgets."""
    return [
        candidate
        for candidate in found
        if all(name in candidate.values for name in goal.names)
        and not goal.excess(candidate.values)
    ]


def pareto_front(goal: Goal, found: Sequence[Candidate]) -> list[Candidate]:
    """Candidates within budgets that no other dominates, fastest first."""
    fit = within(goal, found)
    best = [fit[row] for row in front(goal.losses([candidate.values for candidate in fit]))]
    return sorted(best, key=lambda candidate: candidate.execution.cost)


def rung_accuracy(trial: FrozenTrial, steps: int) -> float | None:
    """The accuracy of a trial after so many steps."""
    rungs: Mapping[str, Any] = trial.user_attrs.get(RUNGS, {})
    return _finite(rungs.get(str(steps)))


def accuracy_attributes(rungs: Mapping[str, float]) -> dict[str, Any]:
    """What is kept once a candidate was trained up to the last of its rungs."""
    last = list(rungs.values())[-1]
    return {RUNGS: dict(rungs), ACCURACY: last}


def _finite(value: object) -> float | None:
    """A finite number as float; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None
