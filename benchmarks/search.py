"""Compare the controller with random search, TPE and NSGA-II at equal budgets.

    python benchmarks/search.py [--trials 40] [--minutes 30] [--seeds 5]

Latencies and accuracies are surrogates of recorded ones (search_latencies.json and
search_accuracies.json in results), so that a thousand candidates take minutes and every
machine gets the same. Writes benchmarks/results/search.md and search.json.
"""

from __future__ import annotations

import argparse
import json
import statistics
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import optuna
import torch
from search_runs import FLOPS, Found, Limit, World, search
from search_samples import RESULTS, Record

from canao.nas.controller.replay import Settings
from canao.nas.space.objectives import ACCURACY, Goal, Objective, default_goal

BUDGET_MS = 10.0
FRONT = default_goal(None)
FRONT_OF_FLOPS = Goal((Objective(ACCURACY), Objective(FLOPS, minimise=True)), pareto=True)
WITHIN_BUDGET = default_goal(BUDGET_MS)


@dataclass(frozen=True)
class Entry:
    """A way to search."""

    name: str
    sampler: str = "canao"
    settings: Callable[..., Settings] = Settings
    """Makes settings of a seed and the candidates of phase one."""
    front: Goal = FRONT
    budgeted: bool = True
    """Whether it is also tried within a budget."""


def _one_phase(seed: int, phase_one: int, **others: Any) -> Settings:
    del phase_one
    return Settings(seed, phase_one=0, **others)


_UNAIDED: dict[str, Any] = {"imagined": 0, "shortlist": 1, "neighbours": 0, "explore": False}
ENTRIES = (
    Entry("canao, two phases"),
    Entry("canao, one phase", settings=_one_phase),
    Entry("canao, no policy learned", settings=partial(_one_phase, updates=0)),
    Entry("canao, no neighbours", settings=partial(Settings, neighbours=0)),
    Entry("canao, REINFORCE alone", settings=partial(Settings, **_UNAIDED)),
    Entry(
        "canao, initial designs, then random", settings=partial(_one_phase, updates=0, **_UNAIDED)
    ),
    Entry("canao, FLOPs for latency", front=FRONT_OF_FLOPS, budgeted=False),
    Entry("TPE", "tpe"),
    Entry("NSGA-II", "nsgaii"),
    Entry("random", "random"),
)


@dataclass(frozen=True)
class Table:
    """What all entries come to under one goal and limit."""

    title: str
    goal: Goal | None
    """None for the front that an entry asks for."""
    limit: Limit

    def row(self, entry: Entry, world: World, seeds: int) -> list[Found]:
        """A search for each seed."""
        phase_one = max(4, round(0.2 * self.limit.trials))
        return [
            search(
                world,
                self.goal or entry.front,
                entry.settings(seed, phase_one=phase_one),
                entry.sampler,
                self.limit,
            )
            for seed in range(seeds)
        ]


def _tables(trials: int, minutes: float) -> tuple[Table, ...]:
    equal_time = Limit(10 * trials, 60 * minutes)
    front = "Front of accuracy and latency: hypervolume"
    best = f"Best accuracy within {BUDGET_MS:g} ms"
    return (
        Table(f"{front}, {trials} trials", None, Limit(trials)),
        Table(f"{front}, {minutes:g} minutes", None, equal_time),
        Table(f"{best}, {trials} trials", WITHIN_BUDGET, Limit(trials)),
        Table(f"{best}, {minutes:g} minutes", WITHIN_BUDGET, equal_time),
    )


def main() -> None:
    """Run all searches and write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=40)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    torch.set_num_threads(1)
    world = World.recorded()
    results: dict[str, dict[str, list[Found]]] = {}
    for table in _tables(arguments.trials, arguments.minutes):
        print(table.title, flush=True)
        rows = results[table.title] = {}
        for entry in ENTRIES:
            if table.goal is not None and not entry.budgeted:
                continue
            found = rows[entry.name] = table.row(entry, world, arguments.seeds)
            print(f"  {entry.name:28} {statistics.mean(f.score for f in found):.4f}", flush=True)
    _write(results, world, arguments.seeds)


def _write(results: dict[str, dict[str, list[Found]]], world: World, seeds: int) -> None:
    values = {
        "seeds": seeds,
        "latencies": asdict(world.latencies.quality),
        "accuracies": asdict(world.accuracies.quality) | {"chance": world.accuracies.chance},
        "seconds": {
            "compiling and measuring": world.compile_seconds,
            "training, any and for each GFLOP": world.training_seconds,
        },
        "results": {
            title: {name: [asdict(f) for f in found] for name, found in rows.items()}
            for title, rows in results.items()
        },
    }
    (RESULTS / "search.json").write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
    lines = ["# Searches at equal budgets", "", *_intro(world, seeds)]
    for title, rows in results.items():
        lines += ["", f"## {title}", "", "| search | mean | least | greatest | candidates | s |"]
        lines += ["| --- | ---: | ---: | ---: | ---: | ---: |"]
        lines += [_line(name, found) for name, found in rows.items()]
    (RESULTS / "search.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def _intro(world: World, seeds: int) -> list[str]:
    latency, accuracy = world.latencies.quality, world.accuracies.quality
    record = Record.read("search_accuracies.json").common
    return [
        f"{seeds} seeds each. Latencies follow {latency.records} architectures measured with "
        f"canao on one thread (left out of the fit: median error "
        f"{latency.median_error:.1%}, Kendall's tau {latency.kendall_tau:.2f}); "
        f"accuracies {accuracy.records} architectures trained {record['training']['steps'][0]} "
        f"steps on {record['task']} (R² {accuracy.r2:.2f}, Kendall's tau "
        f"{accuracy.kendall_tau:.2f}), with chance of {world.accuracies.chance:.3f} (standard "
        "deviation) between trainings. Scores count mean accuracies. Time is what compiling, "
        "measuring and training took when they were recorded, and what choosing a candidate "
        "takes now (last column).",
    ]


def _line(name: str, found: list[Found]) -> str:
    scores = [f.score for f in found]
    candidates = statistics.mean(f.candidates for f in found)
    choosing = sum(f.sampling_seconds for f in found) / sum(f.candidates for f in found)
    cells = [f"{value:.4f}" for value in (statistics.mean(scores), min(scores), max(scores))]
    return f"| {name} | {' | '.join(cells)} | {candidates:.0f} | {choosing:.2f} |"


if __name__ == "__main__":
    main()
