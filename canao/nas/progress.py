"""How far a search is, told while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import optuna
from optuna.trial import TrialState

from canao.nas.attributes import Candidate, candidates, counts, within
from canao.nas.objectives import ACCURACY, Goal
from canao.nas.study import Configuration


@dataclass(frozen=True)
class Progress:
    """How far a search is."""

    stage: str
    """What is under way."""
    trials: int
    """How many trials the study shall have."""
    done: int
    complete: int
    rejected: int
    failed: int
    best: Candidate | None
    trial: int | None = None
    """The number of the trial under way."""
    seconds_left: float | None = None
    """What is left of the time in which trials are begun; None if it has no end."""

    @property
    def line(self) -> str:
        """How far the search is, in a line."""
        best = "none yet" if self.best is None else f"{self.best.values[ACCURACY]:.4f}"
        trial = "" if self.trial is None else f"trial {self.trial}: "
        return f"{self.done} of {self.trials} trials, best {best}; {trial}{self.stage}"


@dataclass
class Narrator:
    """Tells how far the search of one process is."""

    trials: int
    listener: Callable[[Progress], None] | None = None
    seconds: float | None = None
    """After so many seconds no trial is begun; None without an end."""
    study: optuna.Study | None = None
    configuration: Configuration | None = None
    trial: int | None = None
    began: float = field(default_factory=time.monotonic)

    @property
    def seconds_left(self) -> float | None:
        """What is left of the seconds, at least 0."""
        if self.seconds is None:
            return None
        return max(0.0, self.seconds - (time.monotonic() - self.began))

    def say(self, stage: str) -> None:
        """Tell what begins, and how far the study is."""
        if self.listener is None:
            return
        trials = [] if self.study is None else self.study.get_trials(deepcopy=False)
        ended = [t for t in trials if counts(t)]
        states = [t.state for t in ended]
        best = None
        if self.configuration is not None:
            found = candidates(ended, self.configuration.space)
            best = best_of(self.configuration.goal, found)
        self.listener(
            Progress(
                stage=stage,
                trials=self.trials,
                done=len(ended),
                complete=states.count(TrialState.COMPLETE),
                rejected=states.count(TrialState.PRUNED),
                failed=states.count(TrialState.FAIL),
                best=best,
                trial=self.trial,
                seconds_left=self.seconds_left,
            )
        )

    def step(self, title: str, done: int, total: int) -> None:
        """Tell how far a training or an evaluation is."""
        self.say(f"{title}: {done} of {total}")


def best_of(goal: Goal, found: Sequence[Candidate]) -> Candidate | None:
    """The candidate with the highest reward within the budgets."""
    return max(within(goal, found), key=lambda c: goal.reward(c.values), default=None)
