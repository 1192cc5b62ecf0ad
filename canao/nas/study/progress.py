"""How far a search is, told while it runs."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import optuna
from optuna.trial import TrialState

from canao.nas.space.objectives import ACCURACY
from canao.nas.study.attributes import Candidate, candidates, counts
from canao.nas.study.finalists import best_of
from canao.nas.study.study import Configuration


def _now() -> float:
    return time.monotonic()


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
    """What is left of the time for the whole search; None if it has no end."""

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
    """What the whole search may take; None without an end."""
    study: optuna.Study | None = None
    configuration: Configuration | None = None
    trial: int | None = None
    began: float = field(default_factory=_now)
    parts: dict[str, float] = field(default_factory=dict[str, float])
    """What each part of the search took, in seconds."""

    def end_of(self, part: str) -> None:
        """A part of the search has ended: what no other took was its time."""
        self.parts[part] = _now() - self.began - sum(self.parts.values())

    @property
    def overrun(self) -> str:
        """How far the search is beyond its time, and on what that went; empty if it is not."""
        taken = _now() - self.began
        if self.seconds is None or taken <= self.seconds:
            return ""
        times = ", ".join(f"{part} {seconds:.0f} s" for part, seconds in self.parts.items())
        return f"took {taken:.0f} s, not the {self.seconds:g} that were given: {times}"

    @property
    def seconds_left(self) -> float | None:
        """What is left of the seconds, at least 0."""
        if self.seconds is None:
            return None
        return max(0.0, self.seconds - (_now() - self.began))

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
