"""One search on surrogates: what it finds in so many trials or so long, and what that is worth."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

import optuna
from search_accuracies import RECORD as ACCURACIES
from search_latencies import RECORD as LATENCIES
from search_samples import SPACE, Record
from search_surrogates import Accuracies, Latencies, flops

from canao.nas.controller.replay import Settings
from canao.nas.space.architecture import Architecture
from canao.nas.space.objectives import ACCURACY, LATENCY, Goal
from canao.nas.study.attributes import LOG_PROBS
from canao.nas.study.sampler import CanaoSampler, make_sampler

FLOPS = "flops"


@dataclass(frozen=True)
class World:
    """What a search meets: latencies, accuracies, and the seconds that they take to find."""

    latencies: Latencies
    accuracies: Accuracies
    compile_seconds: float
    training_seconds: tuple[float, float]
    """Those of any training, and those for each GFLOP of a run of what is trained."""

    @staticmethod
    def recorded() -> World:
        """The world of the records."""
        compiled = Record.read(LATENCIES).rows.values()
        trained = Record.read(ACCURACIES)
        work = [flops(architecture) / 1e9 for architecture in trained.architectures]
        seconds = [float(row["seconds"]) for row in trained.rows.values()]
        line = statistics.linear_regression(work, seconds)
        return World(
            Latencies.recorded(),
            Accuracies.recorded(),
            statistics.median(float(row["compile_seconds"]) for row in compiled),
            (line.intercept, line.slope),
        )

    def training(self, architecture: Architecture) -> float:
        """Seconds that its training takes."""
        each, more = self.training_seconds
        return each + more * flops(architecture) / 1e9

    def hypervolume(self, found: Sequence[Architecture]) -> float:
        """The part that these dominate, up to no accuracy and the slowest architecture.

        Of the rectangle of the largest architecture's accuracy at no latency, and with the
        mean accuracies of trainings: luck counts for nothing.
        """
        slowest = self.latencies(SPACE.largest)
        area, reached, ends = 0.0, 0.0, slowest
        points = [(self.latencies(a), self.accuracies.mean(a)) for a in found]
        for ms, accuracy in sorted(points):
            if accuracy > reached and ms < ends:
                area += (accuracy - reached) * (ends - ms)
                reached = accuracy
        return area / (self.accuracies.mean(SPACE.largest) * slowest)


@dataclass(frozen=True)
class Limit:
    """When a search ends."""

    trials: int
    seconds: float = float("inf")


@dataclass(frozen=True)
class Found:
    """What a search came to."""

    score: float
    candidates: int
    sampling_seconds: float
    """Processor time for choosing candidates."""


def search(world: World, goal: Goal, settings: Settings, sampler: str, limit: Limit) -> Found:
    """Search on one worker.

    Its score is the hypervolume, or the accuracy of the candidate with the best reward. Time is
    that which the trials would take, and what the sampler really takes.
    """
    chosen = make_sampler(sampler, SPACE, goal, settings, 0)
    study = optuna.create_study(directions=goal.directions, sampler=chosen)  # pyright: ignore[reportArgumentType]
    trained: list[tuple[float, Architecture]] = []
    spent, begun = 0.0, time.process_time()
    seen: set[str] = set()

    def objective(trial: optuna.Trial) -> float | list[float]:
        nonlocal spent
        architecture = SPACE.suggest(trial)
        new = architecture.key not in seen
        seen.add(architecture.key)
        if isinstance(chosen, CanaoSampler):
            trial.set_user_attr(LOG_PROBS, chosen.proposals[trial.number].decided.log_probs)
        values = {LATENCY: world.latencies(architecture), FLOPS: flops(architecture)}
        for name, value in values.items():
            trial.set_user_attr(name, value)
        # FLOPs are known without measuring.
        spent += world.compile_seconds if new and LATENCY in goal.names else 0.0
        if goal.excess(values):
            raise optuna.TrialPruned
        values[ACCURACY] = world.accuracies.trained(architecture, settings.seed)
        spent += world.training(architecture) if new else 0.0
        trial.set_user_attr(ACCURACY, values[ACCURACY])
        told = goal.told(values)
        if spent + time.process_time() - begun <= limit.seconds:
            trained.append((told[0], architecture))
        else:
            study.stop()
        return told if goal.pareto else told[0]

    study.optimize(objective, n_trials=limit.trials)
    return Found(_score(world, goal, trained), len(seen), time.process_time() - begun)


def _score(world: World, goal: Goal, trained: Sequence[tuple[float, Architecture]]) -> float:
    if goal.pareto:
        return world.hypervolume([architecture for _, architecture in trained])
    if not trained:
        return 0.0
    _, best = max(trained, key=lambda pair: pair[0])
    return world.accuracies.mean(best)
