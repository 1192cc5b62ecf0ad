"""Compare the controller with random search, TPE and NSGA-II at equal numbers of trials.

    python benchmarks/search.py [--trials 40] [--seeds 5]

Latencies are a model of those that canao was measured to have
(results/search_latencies.json), accuracies a formula with chance in it, so that
a thousand candidates take minutes and every machine gets the same. Writes
benchmarks/results/search.md and search.json.
"""

from __future__ import annotations

import argparse
import json
import math
import statistics
import time
import warnings
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import torch
from search_latencies import SPACE, read

from canao.nas.architecture import Architecture
from canao.nas.attributes import LOG_PROBS
from canao.nas.objectives import ACCURACY, LATENCY, Goal, Objective, default_goal
from canao.nas.reinforce import Settings
from canao.nas.sampler import CanaoSampler, make_sampler

RESULTS = Path(__file__).parent / "results"
SEQUENCE = 128
WORST_ACCURACY = 0.55
BUDGET_MS = 10.0
FLOPS = Goal((Objective(ACCURACY), Objective("flops", minimise=True)), pareto=True)
LATENCIES = default_goal(None)
WITHIN_BUDGET = default_goal(BUDGET_MS)


def flops(architecture: Architecture) -> float:
    """Floating-point operations of one run."""
    hidden = architecture.hidden_size
    attention = 8 * SEQUENCE * hidden**2 + 4 * SEQUENCE**2 * hidden
    feed_forward = sum(4 * SEQUENCE * hidden * size for size in architecture.intermediate_sizes)
    return architecture.num_blocks * attention + feed_forward


def _work(architecture: Architecture) -> list[float]:
    """What the logarithm of a run's time is a sum of."""
    hidden, blocks = architecture.hidden_size, architecture.num_blocks
    return [1.0, math.log(flops(architecture) / 1e9), math.log(blocks), math.log(hidden / 100)]


@dataclass(frozen=True)
class LatencyModel:
    """Powers of the work, the depth and the width, fitted to measured latencies."""

    powers: np.ndarray[Any, np.dtype[np.float64]]
    error: float
    """Median relative error over the measured architectures."""
    measured: int

    def __call__(self, architecture: Architecture) -> float:
        return math.exp(float(np.array(_work(architecture)) @ self.powers))


def fitted_model() -> LatencyModel:
    """The model of the recorded latencies.

    The time counted is that in which the processor ran the model, so that other
    work on the machine during the measurement counts as little as can be.
    """
    rows = read()["rows"]
    work = np.array([_work(Architecture.from_mapping(_sizes(row))) for row in rows])
    busy = np.array([row["latency_ms"] * row["cpu_utilization"] for row in rows])
    powers, *_ = np.linalg.lstsq(work, np.log(busy), rcond=None)
    errors = np.abs(np.exp(work @ powers) / busy - 1)
    return LatencyModel(powers, float(np.median(errors)), len(rows))


def _sizes(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row["architecture"].items() if name != "key"}


def accuracy(architecture: Architecture) -> float:
    """An accuracy that grows with every size and saturates; late blocks want wider layers.

    Training ends a little better or worse by chance (standard deviation 0.003).
    """
    depth, width = architecture.num_blocks, architecture.hidden_size / SPACE.hidden.high
    sizes = np.array(architecture.intermediate_sizes) / SPACE.intermediate.high
    places = np.linspace(0.7, 1.3, depth) if depth > 1 else np.ones(1)
    feed_forward = float((places * (1 - np.exp(-3 * sizes))).mean())
    mean = 0.90 - 0.22 * np.exp(-depth / 2) - 0.10 * (1 - width**0.5) - 0.05 * (1 - feed_forward)
    chance = np.random.default_rng(zlib.crc32(architecture.key.encode()))
    return float(mean + 0.003 * chance.standard_normal())


@dataclass(frozen=True)
class Found:
    """What a search came to."""

    score: float
    seconds: float
    """Processor time of the whole search: nothing was trained."""


Entry = tuple[str, Goal, Callable[[int, int], Settings], str]


def _settings(**values: Any) -> Callable[[int, int], Settings]:
    def make(seed: int, trials: int) -> Settings:
        given: dict[str, Any] = {"phase_one": max(4, round(0.2 * trials)), **values}
        return Settings(seed, **given)

    return make


ENTRIES: tuple[Entry, ...] = (
    ("canao, two phases", LATENCIES, _settings(), "canao"),
    ("canao, one phase", LATENCIES, _settings(phase_one=0), "canao"),
    ("canao, no learning", LATENCIES, _settings(updates=0, phase_one=0), "canao"),
    (
        "canao, REINFORCE alone",
        LATENCIES,
        _settings(imagined=0, shortlist=1, explore=False),
        "canao",
    ),
    ("canao, FLOPs for latency", FLOPS, _settings(), "canao"),
    ("TPE", LATENCIES, _settings(), "tpe"),
    ("NSGA-II", LATENCIES, _settings(), "nsgaii"),
    ("random", LATENCIES, _settings(), "random"),
)
BUDGETED = ("canao, two phases", "canao, one phase", "canao, no learning", "TPE", "random")


def run(goal: Goal, settings: Settings, sampler: str, trials: int, latency: LatencyModel) -> Found:
    """One search; its score is the hypervolume, or the best reward within the budget."""
    start = time.process_time()
    points: list[tuple[float, float]] = []
    rewards = [0.0]
    chosen = make_sampler(sampler, SPACE, goal, settings, 0)
    study = optuna.create_study(directions=goal.directions, sampler=chosen)  # pyright: ignore[reportArgumentType]

    def objective(trial: optuna.Trial) -> float | list[float]:
        architecture = SPACE.suggest(trial)
        if isinstance(chosen, CanaoSampler):
            trial.set_user_attr(LOG_PROBS, chosen.proposals[trial.number].decided.log_probs)
        values = {LATENCY: latency(architecture), "flops": flops(architecture)}
        for name, value in values.items():
            trial.set_user_attr(name, value)
        if goal.excess(values):
            raise optuna.TrialPruned
        values[ACCURACY] = accuracy(architecture)
        trial.set_user_attr(ACCURACY, values[ACCURACY])
        points.append((values[ACCURACY], values[LATENCY]))
        told = goal.told(values)
        rewards.append(told[0])
        return told if goal.pareto else told[0]

    study.optimize(objective, n_trials=trials)
    score = hypervolume(points, latency(SPACE.largest)) if goal.pareto else max(rewards)
    return Found(score, time.process_time() - start)


def hypervolume(points: Sequence[tuple[float, float]], slowest: float) -> float:
    """The part of the rectangle up to the slowest and the worst that the points dominate."""
    area, reached, ends = 0.0, WORST_ACCURACY, slowest
    for value, ms in sorted(points, key=lambda point: point[1]):
        if value > reached and ms < ends:
            area += (value - reached) * (ends - ms)
            reached = value
    return area / ((0.9 - WORST_ACCURACY) * slowest)


def main() -> None:
    """Run all searches and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    torch.set_num_threads(1)
    latency = fitted_model()
    tables: dict[str, dict[str, list[Found]]] = {"hypervolume": {}, "reward": {}}
    for name, goal, make, sampler in ENTRIES:
        kinds = {"hypervolume": goal} | ({"reward": WITHIN_BUDGET} if name in BUDGETED else {})
        for kind, wanted in kinds.items():
            found = [
                run(wanted, make(seed, arguments.trials), sampler, arguments.trials, latency)
                for seed in range(arguments.seeds)
            ]
            tables[kind][name] = found
            print(f"{kind:12} {name:26} {statistics.mean(f.score for f in found):.4f}", flush=True)
    _write(tables, arguments.trials, arguments.seeds, latency)


def _write(
    tables: dict[str, dict[str, list[Found]]], trials: int, seeds: int, latency: LatencyModel
) -> None:
    values = {
        "trials": trials,
        "seeds": seeds,
        "latency_model": {
            "measured": latency.measured,
            "median_relative_error": latency.error,
            "powers": latency.powers.tolist(),
        },
        "scores": {
            kind: {name: [f.score for f in found] for name, found in rows.items()}
            for kind, rows in tables.items()
        },
        "seconds": {
            name: statistics.mean(f.seconds for f in found)
            for name, found in tables["hypervolume"].items()
        },
    }
    (RESULTS / "search.json").write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    intro = (
        f"{trials} trials, {seeds} seeds, means with the least and the greatest. Latencies follow "
        f"{latency.measured} architectures measured with canao on one thread (median error of the "
        f"fit {latency.error:.0%}); accuracies are a formula with chance."
    )
    lines = ["# Searches at equal numbers of trials", "", intro, ""]
    titles = {
        "hypervolume": "## Pareto front: hypervolume of accuracy and latency, 1 is the ideal",
        "reward": f"## One reward: the best within a budget of {BUDGET_MS:g} ms",
    }
    for kind, rows in tables.items():
        lines += [titles[kind], "", "| search | mean | least | greatest | s of its own |"]
        lines += ["| --- | ---: | ---: | ---: | ---: |"]
        for name, found in rows.items():
            scores = [f.score for f in found]
            spent = statistics.mean(f.seconds for f in found)
            cells = (statistics.mean(scores), min(scores), max(scores))
            lines.append(f"| {name} | {' | '.join(f'{c:.4f}' for c in cells)} | {spent:.1f} |")
        lines.append("")
    (RESULTS / "search.md").write_text("\n".join(lines), encoding="utf-8")


if __name__ == "__main__":
    main()
