"""A race: programs are measured in turn, round after round; the cheapest is the best so far.

Whatever measures takes part as `Contestant`s: libraries loaded by a child process, programs in a
directory of a device.
"""

from __future__ import annotations

import statistics
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from canao.tuning.database import Outcome

EARLY_STOP = 1.5
"""A program that costs this many times as much as the best one is stopped early."""
_TRIAL_ROUNDS = 3
"""Rounds after which programs that cannot win are stopped."""
_FEW_QUIET = 5
"""Quiet samples of each program that suffice; with fewer there are up to twice as many rounds."""
_NORMAL = 1.4826 * 1.2533
"""Standard deviation over median deviation, times error of a median over that of a mean."""
_LEAST_COST = 1e-6
"""What is told of a program whose cost is too small to be seen: costs are above zero."""


@dataclass(frozen=True)
class Result:
    """How a program did; `cost` is None unless it was measured.

    Costs are milliseconds on this machine, and on a device in the device's own unit.
    """

    name: str
    outcome: Outcome
    cost: float | None = None
    """Of one call: median of the samples taken while the cores ran nothing else; of all if those
    are few."""
    runs: int = 0
    reason: str = ""
    error: float = 0.0
    """The standard error of `cost`."""
    median: float | None = None
    """Median of all samples, those on shared cores too."""
    least: float | None = None
    quiet: float = 0.0
    """The part of the samples taken while the cores ran nothing else."""
    pace_gflops: float = 0.0
    """Median rate of multiply-adds alone in the same rounds, if it was asked for."""


OnResult = Callable[[Result], None]


@dataclass(frozen=True)
class Sample:
    """The cost of one call."""

    cost: float
    quiet: bool = True
    """Whether the cores ran nothing else, before and after; taken for granted of devices."""


@dataclass(frozen=True)
class Failure:
    """Why a program is out of the race."""

    outcome: Outcome
    reason: str

    def of(self, name: str) -> Result:
        """The result of the program with this name."""
        return Result(name, self.outcome, reason=self.reason)


@dataclass(eq=False)
class Contestant(ABC):
    """A program that takes part, with its samples."""

    name: str
    samples: list[Sample] = field(default_factory=list[Sample], init=False)

    @abstractmethod
    def sample(self) -> Sample | Failure:
        """Measure it once."""

    @property
    @abstractmethod
    def calls(self) -> int:
        """Calls in a sample."""

    @abstractmethod
    def close(self) -> None:
        """Release what it holds."""

    @property
    def quiet(self) -> list[float]:
        """Costs of calls while the cores ran nothing else."""
        return [sample.cost for sample in self.samples if sample.quiet]

    @property
    def counted(self) -> list[float]:
        """The costs that decide: the quiet ones if there are a few, else all."""
        quiet = self.quiet
        return quiet if len(quiet) >= _TRIAL_ROUNDS else [sample.cost for sample in self.samples]

    @property
    def median(self) -> float:
        """The cost that it is judged by."""
        return statistics.median(self.counted)

    @property
    def error(self) -> float:
        """The standard error of the median, from the median deviation: of normal noise."""
        middle, costs = self.median, self.counted
        deviation = statistics.median(abs(cost - middle) for cost in costs)
        return _NORMAL * deviation / len(costs) ** 0.5

    @property
    def least(self) -> float:
        """The least cost of a sample."""
        return min(sample.cost for sample in self.samples)

    def result(self, outcome: Outcome, scale: float) -> Result:
        """What is told of it, with costs multiplied by `scale`."""
        return Result(
            self.name,
            outcome,
            cost=max(self.median * scale, _LEAST_COST),
            runs=len(self.samples) * self.calls,
            error=self.error * scale,
            median=statistics.median(sample.cost for sample in self.samples),
            least=self.least,
            quiet=len(self.quiet) / len(self.samples),
        )


Runner = TypeVar("Runner", bound=Contestant)


@dataclass(eq=False)
class Race(Generic[Runner]):
    """Measures batch after batch beside the best so far, whose cost scales all others.

    A machine that is busier today then does not favour what was measured yesterday.
    """

    rounds: int
    """Samples of each; up to twice as many where cores are shared."""
    tell: OnResult
    best: Runner | None = None
    best_cost: float | None = None
    """What the best cost when it was measured first."""
    each_round: Callable[[Sequence[Runner]], None] = lambda live: None
    """Called with those that run, before each round."""

    def run(self, batch: Sequence[Runner]) -> None:
        """Measure some programs, tell of each, and close all but the best."""
        live = [self.best, *batch] if self.best else list(batch)
        for runner in live:
            runner.samples.clear()
        for number in range(2 * self.rounds):
            enough = min(_FEW_QUIET, self.rounds)
            if number >= self.rounds and all(len(runner.quiet) >= enough for runner in live):
                break
            self.each_round(live)
            turn = number % max(len(live), 1)
            failed = [r for r in (*live[turn:], *live[:turn]) if not self._sampled(r)]
            live = [runner for runner in live if runner not in failed]
            if number + 1 == _TRIAL_ROUNDS:
                live = self._stop_early(live)
        self._finish(live)

    def _sampled(self, runner: Runner) -> bool:
        """Whether a program was measured; one that failed is told of and leaves."""
        found = runner.sample()
        if isinstance(found, Sample):
            runner.samples.append(found)
            return True
        if runner is self.best:
            self.best = self.best_cost = None
        else:
            self.tell(found.of(runner.name))
        runner.close()
        return False

    @property
    def _scale(self) -> float:
        return self.best_cost / self.best.median if self.best and self.best_cost else 1.0

    def _stop_early(self, live: Sequence[Runner]) -> list[Runner]:
        limit = EARLY_STOP * min((runner.least for runner in live), default=0.0)
        kept: list[Runner] = []
        for runner in live:
            if runner is self.best or runner.least <= limit:
                kept.append(runner)
                continue
            self.tell(runner.result(Outcome.slow, self._scale))
            runner.close()
        return kept

    def _finish(self, live: Sequence[Runner]) -> None:
        if not live:
            return
        scale = self._scale
        for runner in live:
            if runner is not self.best:
                self.tell(runner.result(Outcome.ok, scale))
        winner = min(live, key=lambda runner: runner.median)
        for runner in live:
            if runner is not winner:
                runner.close()
        self.best, self.best_cost = winner, winner.median * scale
