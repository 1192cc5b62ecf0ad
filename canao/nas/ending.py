"""How long the ending of a search takes, and what of it fits the time left.

After the trials come: the finalists in turns with the teacher, the last training, compiling what
it gave, and scoring it and the teacher. What that takes follows from what trials took.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import optuna
from optuna.trial import FrozenTrial, TrialState

from canao.nas.evaluator import Evaluator, PacedEvaluator
from canao.nas.measuring.latency import TURNS, LatencyMeter, TurnsMeter
from canao.nas.space.objectives import INSTRUCTIONS, LATENCY, Goal
from canao.nas.study.attributes import RUNGS, SECONDS, WORKER, counts
from canao.nas.study.finalists import teacher_cost

MEASURING, TRAINING = "measuring_seconds", "training_seconds"
"""Of a trial: its compilation and measurement, and all its rungs."""

_OF_TURNS = 1.5
"""What measuring a finalist and the teacher in one child takes, over what a candidate took: one
is compiled already, and both are run three times as often."""
_CHILDREN = 2
"""Compilations after the last training: of the model, and where it and the teacher are scored."""
_WAYS = 2
"""Models are scored in PyTorch and compiled."""


@dataclass(frozen=True)
class Ending:
    """Estimates of one worker; all in seconds."""

    study: optuna.Study
    goal: Goal
    evaluator: Evaluator
    meter: LatencyMeter
    mark: object
    """Marks the trials of this worker: another machine has another pace."""

    @property
    def of_a_trial(self) -> float:
        """The longest trial so far."""
        return _longest(self._own, SECONDS)

    @property
    def of_a_finalist(self) -> float:
        """Measuring one in turns with the teacher."""
        once = _longest(self._own, MEASURING)
        if self.evaluator.reference is None:
            return once
        return once * (_OF_TURNS if isinstance(self.meter, TurnsMeter) else 2 * TURNS)

    @property
    def of_scores(self) -> float:
        """Compiling the found model, and scoring it and the teacher."""
        if not isinstance(self.evaluator, PacedEvaluator):
            return 0.0
        if self.goal.cost == INSTRUCTIONS:
            # They tell nothing of the time in which examples are scored here.
            return _CHILDREN * _longest(self._own, MEASURING)
        mine = _longest(self._own, LATENCY)
        both = mine + (teacher_cost(self.study) or self.goal.reference_cost or mine)
        examples = self.evaluator.compared_examples
        return _CHILDREN * _longest(self._own, MEASURING) + _WAYS * examples * both / 1000

    @property
    def seconds(self) -> float:
        """All of it, with as many steps as the last rung has."""
        return self.of_a_finalist + self.after_finalists

    @property
    def after_finalists(self) -> float:
        """The last training, with as many steps as the last rung has, and what follows."""
        return _longest(self._own, TRAINING) + self.of_scores

    def fitted(self, left: float | None, number: int) -> tuple[Evaluator, str]:
        """The evaluator with as many last steps as fit the time left, and words if they are fewer.

        `number` is the trial that was chosen: its rungs tell the pace. There are at least as many
        steps as the last rung has.
        """
        evaluator = self.evaluator
        if left is None or not isinstance(evaluator, PacedEvaluator):
            return evaluator, ""
        pace = _pace(self.study.get_trials(deepcopy=False)[number])
        wanted = evaluator.final_steps
        if pace is None or pace * wanted <= left - self.of_scores:
            return evaluator, ""
        fits = int(max(0.0, left - self.of_scores) / pace)
        steps = min(wanted, max(fits, evaluator.fidelities[-1]))
        if steps == wanted:
            return evaluator, ""
        words = f"trained for {steps} steps, not {wanted}: the time left allowed no more"
        return evaluator.with_final_steps(steps), words

    @property
    def _own(self) -> list[FrozenTrial]:
        """The trials of this worker; those of others, if it has none."""
        trials = [t for t in self.study.get_trials(deepcopy=False) if counts(t)]
        own = [t for t in trials if t.user_attrs.get(WORKER) == self.mark]
        done = [t for t in own if t.state is TrialState.COMPLETE]
        return own if done else trials


def _longest(trials: Sequence[FrozenTrial], name: str) -> float:
    return max((float(t.user_attrs.get(name) or 0.0) for t in trials), default=0.0)


def _pace(trial: FrozenTrial) -> float | None:
    """Seconds of a training step, with what comes before and after all steps; None if unknown."""
    seconds = float(trial.user_attrs.get(TRAINING, 0.0))
    rungs: dict[str, float] = trial.user_attrs.get(RUNGS, {})
    if not rungs or seconds <= 0:
        return None
    return seconds / max(map(int, rungs))
