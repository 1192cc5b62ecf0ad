"""Fused against unfused latency, and PyTorch eager, interleaved in one run.

    python benchmarks/fusion.py [--models distilbert,bert-base,6x512,minilm] [--rounds 30]

Weights are random (latency does not depend on them), batch 1, sequence 128,
float32. Writes `results/fusion.json` and `results/fusion.md` beside this file:
medians, minima and ratios within the run, and for each layer of the fused
program the schedules tried and the one chosen.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from transformers import BertConfig, BertModel, DistilBertConfig, DistilBertModel
from transformers.utils import logging

import canao
from canao.measuring.measure import interleave

Tune = Literal["off", "default", "full"]

RESULTS = Path(__file__).with_name("results")
SEQUENCE = 128

MODELS: dict[str, Callable[[], torch.nn.Module]] = {
    "distilbert": lambda: DistilBertModel(DistilBertConfig()),
    "bert-base": lambda: BertModel(BertConfig()),
    "6x512": lambda: BertModel(
        BertConfig(
            num_hidden_layers=6, hidden_size=512, num_attention_heads=8, intermediate_size=1920
        )
    ),
    "minilm": lambda: BertModel(
        BertConfig(num_hidden_layers=6, hidden_size=384, intermediate_size=1536)
    ),
}


@dataclass(frozen=True)
class Row:
    """One model at one thread count: milliseconds, medians and minima by name."""

    model: str
    threads: int
    median_ms: dict[str, float]
    min_ms: dict[str, float]
    fused_over_unfused: float
    fused_over_eager: float
    peak_fraction: float
    layers: tuple[int, int]
    computations: tuple[int, int]
    kernels: list[dict[str, Any]]


def measure(name: str, threads: int, rounds: int, tune: Tune) -> Row:
    """Compiles a model with and without fusion and times both beside PyTorch."""
    torch.manual_seed(0)
    model = MODELS[name]().eval()
    inputs = {
        "input_ids": torch.randint(0, 30000, (1, SEQUENCE)),
        "attention_mask": torch.ones(1, SEQUENCE, dtype=torch.long),
    }
    fused = canao.compile(model, inputs, threads=threads, tune=tune)
    unfused = canao.compile(model, inputs, threads=threads, fusion=False, tune="off")
    torch.set_num_threads(threads)
    with torch.inference_mode():
        expected = model(**inputs)[0]
        for compiled in (fused, unfused):
            error = (compiled(**inputs)[0] - expected).abs().max().item()
            if error > 1e-4:
                raise SystemExit(f"{name}: outputs differ by {error}")
        calls: dict[str, Callable[[], object]] = {
            "fused": lambda: fused(**inputs),
            "unfused": lambda: unfused(**inputs),
            "PyTorch eager": lambda: model(**inputs),
        }
        samples = interleave(calls, rounds=rounds, warmup=3, pause_seconds=0.02)
    medians = {key: statistics.median(times) for key, times in samples.items()}
    report = fused.report
    rows = [asdict(row) for row in report.kernels]
    busiest = [row for row in rows if "matmul" in " ".join(row["ops"])]
    flops = sum(row["gflops"] * row["ms"] for row in busiest)
    peak = [row["gflops"] / row["peak_fraction"] for row in busiest if row["peak_fraction"]]
    return Row(
        model=name,
        threads=threads,
        median_ms=medians,
        min_ms={key: min(times) for key, times in samples.items()},
        fused_over_unfused=medians["unfused"] / medians["fused"],
        fused_over_eager=medians["PyTorch eager"] / medians["fused"],
        peak_fraction=flops / medians["fused"] / peak[0] if peak else 0.0,
        layers=(report.layers_before, report.layers_after),
        computations=(report.computations_before, report.computations_after),
        kernels=rows,
    )


def markdown(rows: list[Row], tune: str) -> str:
    """The rows as tables."""
    lines = [
        "# Fused against unfused",
        "",
        f'Batch 1, sequence {SEQUENCE}, float32, `tune="{tune}"`. {_machine()}',
        "Medians in milliseconds, interleaved, 20 ms of rest before each run; "
        "ratios are of medians within the run.",
        "",
        "| model | threads | fused | unfused | PyTorch eager | unfused / fused | eager / fused "
        "| of FMA peak | layers | computations |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        times = " | ".join(f"{row.median_ms[k]:.2f}" for k in ("fused", "unfused", "PyTorch eager"))
        lines.append(
            f"| {row.model} | {row.threads} | {times} | {row.fused_over_unfused:.2f} "
            f"| {row.fused_over_eager:.2f} | {row.peak_fraction:.0%} "
            f"| {row.layers[0]} to {row.layers[1]} "
            f"| {row.computations[0]} to {row.computations[1]} |"
        )
    for row in rows:
        lines += ["", f"## {row.model}, {row.threads} threads: kernels", ""]
        lines += ["| kernel | ms | GFLOP/s | chosen | tried |", "|---|---|---|---|---|"]
        lines += [
            f"| {k['name']} | {k['ms']:.3f} | {k['gflops']:.1f} | `{k['variant']}` "
            f"| {len(k['variants_tried'])} |"
            for k in row.kernels
        ]
    return "\n".join(lines) + "\n"


def _machine() -> str:
    target = canao.Target.host()
    return (
        f"{platform.machine()}, {target.cpu} ({target.vector_unit.name}), "
        f"torch {version('torch')}, transformers {version('transformers')}."
    )


def main() -> None:
    """Runs the benchmark and writes its results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default=",".join(MODELS))
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--tune", default="default", choices=get_args(Tune))
    options = parser.parse_args()
    logging.set_verbosity_error()
    rows: list[Row] = []
    for name in options.models.split(","):
        for threads in options.threads.split(","):
            rows.append(measure(name, int(threads), options.rounds, options.tune))
            print(rows[-1].model, rows[-1].threads, rows[-1].median_ms, flush=True)
    RESULTS.mkdir(exist_ok=True)
    text = json.dumps([asdict(row) for row in rows], indent=1)
    (RESULTS / "fusion.json").write_text(text + "\n", encoding="utf-8")
    (RESULTS / "fusion.md").write_text(markdown(rows, options.tune), encoding="utf-8")


if __name__ == "__main__":
    main()
