"""A found model beside its teacher: latency of both, interleaved in one run.

    python benchmarks/found.py TEACHER FOUND [--rounds 40]

Both are directories of Hugging Face models that `canao train`, `canao distil` or a search
made. They are compiled for 128 tokens (`tune="default"`) and measured with 1 and 2 threads.
Writes `results/found.json` and `results/found.md` beside this file.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import canao
from canao.measuring.measure import interleave
from canao.nas.measuring.compiling import example_inputs
from canao.nas.models.sized_bert import architecture_of, load_model, read_config

RESULTS = Path(__file__).with_name("results")
SEQUENCE = 128


@dataclass(frozen=True)
class Row:
    """Milliseconds with one number of threads, medians and minima."""

    threads: int
    teacher: tuple[float, float]
    found: tuple[float, float]

    @property
    def speedup(self) -> float:
        """How many times as fast as its teacher the found model is, by medians."""
        return self.teacher[0] / self.found[0]


def measure(places: dict[str, Path], threads: int, rounds: int) -> Row:
    """Both models with so many threads."""
    inputs = example_inputs(SEQUENCE, 1, read_config(places["teacher"]).vocab_size)
    calls: dict[str, Callable[[], object]] = {}
    for name, place in places.items():
        compiled = canao.compile(load_model(place).eval(), inputs, threads=threads)
        calls[name] = lambda compiled=compiled: compiled(**inputs)
    samples = interleave(calls, rounds=rounds, warmup=3, pause_seconds=0.02)
    found = {name: (statistics.median(times), min(times)) for name, times in samples.items()}
    return Row(threads, found["teacher"], found["found"])


def markdown(places: dict[str, Path], rows: list[Row]) -> str:
    """The rows as a table."""
    target = canao.Target.host()
    keys = {name: architecture_of(read_config(place)).key for name, place in places.items()}
    lines = [
        "# A found model and its teacher",
        "",
        f"Batch 1, {SEQUENCE} tokens, float32, both compiled by canao. {target.cpu} "
        f"({target.vector_unit.name}), {os.cpu_count()} cores. Medians in milliseconds, minima in "
        "parentheses, interleaved.",
        "",
        *(f"- {name}: {key}" for name, key in keys.items()),
        "",
        "| threads | teacher | found | speed-up |",
        "| --: | --: | --: | --: |",
    ]
    lines += [
        f"| {row.threads} | {row.teacher[0]:.2f} ({row.teacher[1]:.2f}) | {row.found[0]:.2f} "
        f"({row.found[1]:.2f}) | {row.speedup:.2f} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Runs the benchmark and writes its results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("teacher", type=Path)
    parser.add_argument("found", type=Path)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    places = {"teacher": options.teacher, "found": options.found}
    rows = [measure(places, threads, options.rounds) for threads in (1, 2)]
    text = json.dumps([asdict(row) | {"speedup": row.speedup} for row in rows], indent=1)
    (RESULTS / "found.json").write_text(text + "\n", encoding="utf-8")
    (RESULTS / "found.md").write_text(markdown(places, rows), encoding="utf-8")
    print(markdown(places, rows))


if __name__ == "__main__":
    main()
