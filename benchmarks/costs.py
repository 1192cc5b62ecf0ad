"""What a model costs beside its run: compiling, loading, memory, and a busy neighbour.

    python benchmarks/costs.py [--models minilm,bert-base] [--rounds 20]

Every model is compiled as a user does it (`tune="default"`) in a process of its own with
an empty cache; then, with that cache, a model of the same blocks but other sizes, which is
what a search compiles. A saved model is loaded by processes that never compiled anything.
Weights are random (nothing here depends on them), batch 1, sequence 128, float32. Writes
`results/costs.json` and `results/costs.md` beside this file.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import statistics
import tempfile
import time
from collections.abc import Callable, Generator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results")
SEQUENCE = 128
MIB = 1 << 20
LOADS = 10

COMPILES = 3

Sizes = tuple[int, int, int, int]
"""Blocks, hidden size, heads, intermediate size."""

MODELS: dict[str, tuple[Sizes, Sizes]] = {
    "minilm": ((6, 384, 12, 1536), (4, 320, 10, 1120)),
    "bert-base": ((12, 768, 12, 3072), (5, 544, 17, 2208)),
}
"""A model, and a candidate of a search with the same blocks."""


@dataclass(frozen=True)
class AnyLength:
    """Compiling a model for every length beside one for 128 tokens, `tune="off"`."""

    threads: int
    fixed_s: float
    any_length_s: float
    fixed_bytes: int
    any_length_bytes: int
    """Of the library."""


@dataclass(frozen=True)
class Row:
    """One model: seconds, milliseconds and bytes as the names say."""

    model: str
    compile_s: float
    compile_parts: dict[str, float]
    candidate: Sizes
    candidate_s: float
    candidate_parts: dict[str, float]
    any_length: list[AnyLength]
    load_ms: float
    weights_bytes: int
    arena_bytes: int
    resident_bytes: int
    """What loading and running adds to the process."""
    alone_ms: dict[int, float]
    neighbour_ms: dict[int, float]
    """Medians by number of threads, without and with a process that spins."""


def build(sizes: Sizes) -> tuple[Any, dict[str, Any]]:
    """A BERT with random weights, and its inputs."""
    import torch
    from transformers import BertConfig, BertModel

    blocks, hidden, heads, intermediate = sizes
    torch.manual_seed(0)
    config = BertConfig(
        num_hidden_layers=blocks,
        hidden_size=hidden,
        num_attention_heads=heads,
        intermediate_size=intermediate,
    )
    inputs = {
        "input_ids": torch.randint(0, 30000, (1, SEQUENCE)),
        "attention_mask": torch.ones(1, SEQUENCE, dtype=torch.long),
    }
    return BertModel(config).eval(), inputs


def compile_in(cache: str, sizes: Sizes, threads: int, out: str) -> tuple[float, dict[str, float]]:
    """Seconds that `canao.compile` takes, in all and by part; the model is saved in `out`."""
    import canao

    model, inputs = build(sizes)
    start = time.perf_counter()
    compiled = canao.compile(model, inputs, threads=threads, cache_dir=cache, tune="default")
    seconds = time.perf_counter() - start
    compiled.save(out)
    return seconds, dict(compiled.report.compile_seconds)


def any_length_beside_fixed(sizes: Sizes, threads: int) -> AnyLength:
    """Medians of compiles with empty caches, in turns, after one that loads all libraries."""
    import canao

    model, inputs = build(sizes)
    shapes = {"fixed": None, "any_length": canao.AutoShapes(batch=8)}
    seconds: dict[str, list[float]] = {name: [] for name in shapes}
    sizes_of: dict[str, int] = {}
    for number in range(COMPILES + 1):
        for name, asked in shapes.items():
            with tempfile.TemporaryDirectory() as cache:
                start = time.perf_counter()
                compiled = canao.compile(
                    model,
                    inputs,
                    threads=threads,
                    cache_dir=cache,
                    tune="off",
                    dynamic_shapes=asked,
                )
                if number:
                    seconds[name].append(time.perf_counter() - start)
                sizes_of[name] = compiled.build.library.stat().st_size
                compiled.close()
    fixed, every = (statistics.median(times) for times in seconds.values())
    return AnyLength(threads, fixed, every, sizes_of["fixed"], sizes_of["any_length"])


def load_and_run(path: str) -> dict[str, float]:
    """Milliseconds to load, and bytes: of weights, of the arena, and what the process grew by."""
    from canao.api import load

    before = _resident()
    start = time.perf_counter()
    model = load(path)
    milliseconds = (time.perf_counter() - start) * 1e3
    model.measure(runs=3, warmup=1)
    found = {"load_ms": milliseconds, "resident": _resident() - before}
    weights = sum(spec.bytes for spec in model.program.weights)
    return found | {"weights": weights, "arena": model.program.arena_bytes}


def _resident() -> int:
    lines = Path("/proc/self/smaps_rollup").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Rss")) * 1024


def interleaved(paths: dict[int, str], rounds: int) -> dict[int, float]:
    """Median milliseconds by number of threads, measured in turns."""
    import canao
    from canao.measuring.measure import interleave

    _, inputs = build((1, 32, 1, 32))
    models = {threads: canao.load(path) for threads, path in paths.items()}
    calls: dict[str, Callable[[], object]] = {
        str(threads): lambda model=model: model(**inputs) for threads, model in models.items()
    }
    samples = interleave(calls, rounds=rounds, warmup=2)
    return {int(name): statistics.median(times) for name, times in samples.items()}


@contextmanager
def neighbour() -> Generator[None]:
    """A process that keeps one core busy."""
    process = multiprocessing.get_context("spawn").Process(target=_spin, daemon=True)
    process.start()
    try:
        time.sleep(1)
        yield
    finally:
        process.kill()
        process.join()


def _spin() -> None:
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    while True:
        pass


def in_process(call: Callable[..., Any], *arguments: object) -> Any:
    """What a call returns that runs in a new process."""
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as pool:
        return pool.submit(call, *arguments).result()


def measure(name: str, rounds: int) -> Row:
    """Everything about one model."""
    sizes, candidate = MODELS[name]
    with tempfile.TemporaryDirectory() as directory:
        cache = f"{directory}/cache"
        paths = {threads: f"{directory}/{threads}" for threads in (1, 2)}
        seconds, parts = in_process(compile_in, cache, sizes, 1, paths[1])
        others = in_process(compile_in, cache, candidate, 1, f"{directory}/candidate")
        in_process(compile_in, cache, sizes, 2, paths[2])
        every = [in_process(any_length_beside_fixed, sizes, threads) for threads in (1, 2)]
        loads = [in_process(load_and_run, paths[1]) for _ in range(LOADS)]
        alone = in_process(interleaved, paths, rounds)
        with neighbour():
            beside = in_process(interleaved, paths, rounds)
    return Row(
        model=name,
        compile_s=seconds,
        compile_parts=parts,
        candidate=candidate,
        candidate_s=others[0],
        candidate_parts=others[1],
        any_length=every,
        load_ms=statistics.median(load["load_ms"] for load in loads),
        weights_bytes=int(loads[0]["weights"]),
        arena_bytes=int(loads[0]["arena"]),
        resident_bytes=int(statistics.median(load["resident"] for load in loads)),
        alone_ms=alone,
        neighbour_ms=beside,
    )


def markdown(rows: list[Row]) -> str:
    """The rows as tables."""
    lines = [
        "# Compiling, loading, memory and a busy neighbour",
        "",
        f"Batch 1, sequence {SEQUENCE}, float32. {_machine()}",
        "",
        '## Compiling, `tune="default"`, 1 thread',
        "",
        "The model with an empty cache, then one of other sizes (blocks x hidden, heads, "
        "intermediate) with the cache that this left.",
        "",
        "| model | seconds | other sizes | seconds |",
        "| :-- | --: | --: | --: |",
    ]
    for row in rows:
        blocks, hidden, heads, intermediate = row.candidate
        lines.append(
            f"| {row.model} | {row.compile_s:.1f} | {blocks} x {hidden}, {heads}, {intermediate} "
            f"| {row.candidate_s:.1f} |"
        )
    lines += [
        "",
        '## Compiling for every length, `tune="off"`',
        "",
        f"Up to 8 x 512 tokens, beside 1 x {SEQUENCE}. Medians of {COMPILES} compiles of each, in "
        "turns, with empty caches, in a process that has loaded all libraries before.",
        "",
        "| model | threads | every length s | one length s | ratio | library KiB | of one length |",
        "| :-- | --: | --: | --: | --: | --: | --: |",
    ]
    lines += [
        f"| {row.model} | {each.threads} | {each.any_length_s:.1f} | {each.fixed_s:.1f} "
        f"| {each.any_length_s / each.fixed_s:.2f} | {each.any_length_bytes >> 10} "
        f"| {each.fixed_bytes >> 10} |"
        for row in rows
        for each in row.any_length
    ]
    lines += [
        "",
        "## Loading and memory, 1 thread",
        "",
        f"Medians over {LOADS} processes. *Resident* is what a process grows by that loads the "
        "model and runs it four times: weights that were read, the arena, code and inputs.",
        "",
        "| model | load ms | packed weights MiB | arena MiB | resident MiB | resident / weights |",
        "| :-- | --: | --: | --: | --: | --: |",
    ]
    lines += [
        f"| {row.model} | {row.load_ms:.1f} | {row.weights_bytes / MIB:.1f} "
        f"| {row.arena_bytes / MIB:.1f} | {row.resident_bytes / MIB:.1f} "
        f"| {row.resident_bytes / row.weights_bytes:.2f} |"
        for row in rows
    ]
    lines += [
        "",
        "## A busy neighbour",
        "",
        "Median milliseconds, alone and while another process spins on one of the cores.",
        "",
        "| model | 1 thread, alone | 2, alone | 1, neighbour | 2, neighbour | 2 / 1, neighbour |",
        "| :-- | --: | --: | --: | --: | --: |",
    ]
    for row in rows:
        times = [row.alone_ms[1], row.alone_ms[2], row.neighbour_ms[1], row.neighbour_ms[2]]
        cells = " | ".join(f"{value:.2f}" for value in times)
        lines.append(f"| {row.model} | {cells} | {times[3] / times[2]:.2f} |")
    return "\n".join(lines) + "\n"


def _machine() -> str:
    import canao

    target = canao.Target.host()
    return (
        f"{platform.machine()}, {target.cpu} ({target.vector_unit.name}), {os.cpu_count()} cores."
    )


def main() -> None:
    """Runs the benchmark and writes its results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--rounds", type=int, default=20)
    options = parser.parse_args()
    rows: list[Row] = []
    for name in options.models.split(","):
        rows.append(measure(name, options.rounds))
        print(rows[-1], flush=True)
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps([asdict(row) for row in rows], indent=1)
    (RESULTS / "costs.json").write_text(text + "\n", encoding="utf-8")
    (RESULTS / "costs.md").write_text(markdown(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
