"""Train a few dozen architectures for a short time: the accuracies that `search.py` compares with.

    python benchmarks/search_accuracies.py --data DIR [--task stsb] [--teacher DIR]
                                           [--steps 60] [--count 80] [--again 8] [--jobs 2]

Each is made of the teacher and distilled as the candidates of `canao search` are, with
products in bfloat16. Some are trained again from another seed, which tells what of an
accuracy is chance, and some in float32, which tells what bfloat16 costs. Without a teacher
that knows the task one is made first. Writes
benchmarks/results/search_accuracies.json after each training; what is there already is
not trained again.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from search_samples import Record, samples

from canao.nas.space.architecture import Architecture
from canao.nas.training.candidates.task_trainer import TaskTrainer
from canao.nas.training.task_options import TaskOptions

RECORD = "search_accuracies.json"


@dataclass(frozen=True)
class Way:
    """A way to train an architecture."""

    seed: int = 0
    bf16: bool = True

    @property
    def name(self) -> str:
        """What its accuracy is recorded as."""
        return f"seed {self.seed}" if self.bf16 else f"float32, seed {self.seed}"


WAYS = tuple(Way(seed) for seed in range(2))
IN_FLOAT32 = Way(bf16=False)


@dataclass
class Recorder:
    """Trains architectures and keeps their accuracies, several at a time."""

    trainer: TaskTrainer
    steps: int
    record: Record
    lock: threading.Lock = field(default_factory=threading.Lock)

    def train(self, architecture: Architecture, way: Way) -> None:
        """Train one, unless that is recorded."""
        if way.name in self._known(architecture):
            return
        trainer = replace(self.trainer, recipe=replace(self.trainer.recipe, bf16=way.bf16))
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="canao-benchmark-") as directory:
            accuracy = trainer.accuracy(
                architecture, steps=self.steps, seed=way.seed, directory=Path(directory)
            )
        seconds = round(time.monotonic() - start, 1)
        with self.lock:
            row = self.record.rows.get(architecture.key, {"seconds": seconds})
            accuracies = {**self._known(architecture), way.name: accuracy}
            self.record.keep(architecture, {**row, "accuracies": accuracies})
        print(f"{architecture.key:40} {way.name}: {accuracy:.4f}, {seconds:.0f} s", flush=True)

    def _known(self, architecture: Architecture) -> dict[str, float]:
        return self.record.rows.get(architecture.key, {}).get("accuracies", {})


def _jobs(count: int, again: int) -> list[tuple[Architecture, Way]]:
    """All once, then some again: large and small ones are among those."""
    chosen = samples(count)
    step = max(1, count // again)
    return [
        *((found, WAYS[0]) for found in chosen),
        *((found, WAYS[1]) for found in chosen[4::step]),
        *((found, IN_FLOAT32) for found in chosen[6::step]),
    ]


def main() -> None:
    """Train what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", default="stsb")
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--teacher", type=Path)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--count", type=int, default=80)
    parser.add_argument("--again", type=int, default=8)
    parser.add_argument("--jobs", type=int, default=2)
    arguments = parser.parse_args()
    # Each training has a core of its own: they share none, and the results do not
    # depend on how many run at once.
    os.environ["OMP_NUM_THREADS"] = "1"
    options = TaskOptions(
        arguments.data, arguments.teacher, fidelities=(arguments.steps,), bf16=True
    )
    with tempfile.TemporaryDirectory(prefix="canao-benchmark-") as directory:
        trainer = TaskTrainer.for_search(arguments.task, options, Path(directory))
        trainer.prepare()
        training = {n: v for n, v in trainer.training.items() if n != "final_steps"}
        record = Record.open(RECORD, {"task": trainer.name, "training": training})
        recorder = Recorder(trainer, arguments.steps, record)
        jobs = _jobs(arguments.count, arguments.again)
        with ThreadPoolExecutor(arguments.jobs) as pool:
            for finished in [pool.submit(recorder.train, *job) for job in jobs]:
                finished.result()


if __name__ == "__main__":
    main()
