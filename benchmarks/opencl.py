"""OpenCL beside C, fused and unfused, interleaved in one run.

    python benchmarks/opencl.py [--models bert-base,minilm] [--device cpu] [--rounds 20]

Weights are random (latency does not depend on them), batch 1, sequence 128,
float32. C runs with as many threads as the device has compute units; set
POCL_MAX_PTHREAD_COUNT to give PoCL fewer. Writes `results/opencl.json` and
`results/opencl.md` beside this file: medians, minima and ratios within the run,
what the device was doing, and for each kernel the time by the device's events.
"""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, get_args

import torch
from fusion import MODELS, SEQUENCE, Tune
from transformers.utils import logging

import canao
from canao.measuring.measure import interleave

RESULTS = Path(__file__).with_name("results")
NAMES = ("OpenCL fused", "OpenCL unfused", "C fused", "C unfused")


@dataclass(frozen=True)
class Row:
    """One model: milliseconds, medians and minima by name."""

    model: str
    device: str
    units: int
    median_ms: dict[str, float]
    min_ms: dict[str, float]
    over_c: float
    """OpenCL fused over C fused."""
    fusion_gain: float
    """OpenCL unfused over OpenCL fused."""
    busy: float
    """Time of kernels over wall time, of the fused model on the device."""
    transfer_ms: float
    error: float
    """Largest difference from PyTorch."""
    kernels: dict[str, list[dict[str, Any]]]


def measure(name: str, device: str | None, rounds: int, tune: Tune) -> Row:
    """Compiles a model for both targets and times all."""
    torch.manual_seed(0)
    model = MODELS[name]().eval()
    inputs = {
        "input_ids": torch.randint(0, 30000, (1, SEQUENCE)),
        "attention_mask": torch.ones(1, SEQUENCE, dtype=torch.long),
    }
    target = canao.Target.opencl(device)
    assert target.device is not None
    units = target.device.units
    compiled = {
        "OpenCL fused": canao.compile(model, inputs, target=target, tune=tune),
        "OpenCL unfused": canao.compile(model, inputs, target=target, fusion=False, tune="off"),
        "C fused": canao.compile(model, inputs, threads=units, tune=tune),
        "C unfused": canao.compile(model, inputs, threads=units, fusion=False, tune="off"),
    }
    with torch.inference_mode():
        expected = model(**inputs)[0]
        error = max((c(**inputs)[0] - expected).abs().max().item() for c in compiled.values())
        if error > 1e-4:
            raise SystemExit(f"{name}: outputs differ by {error}")
        calls: dict[str, Callable[[], object]] = {
            label: (lambda c=c: c(**inputs)) for label, c in compiled.items()
        }
        samples = interleave(calls, rounds=rounds, warmup=2, pause_seconds=0.02)
    medians = {key: statistics.median(times) for key, times in samples.items()}
    reports = {label: compiled[label].report for label in NAMES[:3]}
    fused = reports["OpenCL fused"]
    return Row(
        model=name,
        device=target.title,
        units=units,
        median_ms=medians,
        min_ms={key: min(times) for key, times in samples.items()},
        over_c=medians["OpenCL fused"] / medians["C fused"],
        fusion_gain=medians["OpenCL unfused"] / medians["OpenCL fused"],
        busy=fused.gpu_utilization or 0.0,
        transfer_ms=fused.transfer_ms or 0.0,
        error=error,
        kernels={label: [asdict(row) for row in r.kernels] for label, r in reports.items()},
    )


def markdown(rows: list[Row], tune: str) -> str:
    """The rows as tables."""
    host = canao.Target.host()
    lines = [
        "# OpenCL beside C",
        "",
        f'Batch 1, sequence {SEQUENCE}, float32, fused models with `tune="{tune}"`. {host.cpu} '
        f"({host.vector_unit.name}); {rows[0].device}, {rows[0].units} compute units, and as many "
        "threads in C. Medians (minima) in milliseconds, interleaved, 20 ms of rest before each "
        "run; ratios are of medians within the run.",
        "",
        f"| model | {' | '.join(NAMES)} | OpenCL / C | unfused / fused | device busy "
        "| transfers ms | error |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        times = " | ".join(f"{row.median_ms[k]:.1f} ({row.min_ms[k]:.1f})" for k in NAMES)
        lines.append(
            f"| {row.model} | {times} | {row.over_c:.2f} | {row.fusion_gain:.2f} "
            f"| {row.busy:.0%} | {row.transfer_ms:.3f} | {row.error:.1e} |"
        )
    for row in rows:
        for label, kernels in row.kernels.items():
            lines += ["", f"## {row.model}, {label}: kernels", ""]
            lines += [
                "| kernel | ops | calls | ms | GFLOP/s | chosen |",
                "|---|---|---|---|---|---|",
            ]
            lines += [
                f"| {k['name']} | {_short(k['ops'])} | {k['calls']} | {k['ms']:.3f} "
                f"| {k['gflops']:.1f} | `{k['variant']}` |"
                for k in kernels
            ]
    return "\n".join(lines) + "\n"


def _short(ops: list[str]) -> str:
    return " ".join(dict.fromkeys(op.removeprefix("canao.") for op in ops))


def main() -> None:
    """Runs the benchmark and writes its results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", default="bert-base,minilm")
    parser.add_argument("--device", default=None)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--tune", default="default", choices=get_args(Tune))
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    logging.set_verbosity_error()
    rows: list[Row] = []
    for name in options.models.split(","):
        rows.append(measure(name, options.device, options.rounds, options.tune))
        print(rows[-1].model, rows[-1].median_ms, flush=True)
    options.out.mkdir(exist_ok=True)
    text = json.dumps([asdict(row) for row in rows], indent=1)
    (options.out / "opencl.json").write_text(text + "\n", encoding="utf-8")
    (options.out / "opencl.md").write_text(markdown(rows, options.tune), encoding="utf-8")


if __name__ == "__main__":
    main()
