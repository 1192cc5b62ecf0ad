"""A GPU: canao through OpenCL beside PyTorch, eager and compiled, in float32 and float16.

    python benchmarks/gpu.py prepare DIR [--models bert-base,distilbert,6x512]
    python benchmarks/gpu.py measure DIR [--rounds 60] [--out FOLDER]

The machine with the GPU needs a PyTorch that drives it, and neither torch-mlir nor the
version of PyTorch that canao pins: `prepare` writes the models as MLIR where those are, and
`measure` compiles that. Weights are random (latency does not depend on them), batch 1,
sequence 128. Every call takes its inputs from the memory of the host and leaves the last
hidden state there; calls are interleaved. Writes `gpu.json` and `gpu.md`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from fusion import MODELS, SEQUENCE
from safetensors.numpy import save_file
from transformers.utils import logging

import canao
from canao.measuring.measure import interleave

RESULTS = Path(__file__).with_name("results")
ALLOWED = {"float32": 1e-4, "float16": 3e-2}
"""Largest difference from PyTorch in float32 on the processor."""
CANAO, UNFUSED, EAGER, COMPILED = "canao", "canao unfused", "PyTorch eager", "torch.compile"


@dataclass(frozen=True)
class Row:
    """One model in one type: milliseconds, medians and minima by name."""

    model: str
    dtype: str
    median_ms: dict[str, float]
    min_ms: dict[str, float]
    error: dict[str, float]
    """Largest difference from PyTorch in float32 on the processor."""
    compile_seconds: float
    device: str
    gflop: float
    peak_gflops: float
    peak_bandwidth: float
    device_ms: float
    """From the start of the first kernel to the end of the last, by events."""
    transfer_ms: float
    weight_bytes: int
    kernels: list[dict[str, Any]]


def inputs_of(seed: int) -> dict[str, torch.Tensor]:
    """Token ids and a mask."""
    torch.manual_seed(seed)
    ids = torch.randint(0, 30000, (1, SEQUENCE))
    return {"input_ids": ids, "attention_mask": torch.ones(1, SEQUENCE, dtype=torch.long)}


def prepare(place: Path, names: list[str]) -> None:
    """Writes each model in the canao dialect."""
    from xdsl.context import Context

    from canao.frontend.torch_import import import_model
    from canao.transforms.convert_torch_to_canao import ConvertTorchToCanaoPass

    place.mkdir(parents=True, exist_ok=True)
    for name in names:
        found = import_model(MODELS[name]().eval(), inputs_of(0))
        ConvertTorchToCanaoPass().apply(Context(), found.module)
        (place / f"{name}.mlir").write_text(str(found.module), encoding="utf-8")
        weights = json.dumps(sorted(found.weights))
        (place / f"{name}.weights.json").write_text(weights, encoding="utf-8")


def measure(name: str, dtype: str, place: Path, device: str, rounds: int) -> Row:
    """Compiles a model for both and times all."""
    torch.manual_seed(0)
    model, inputs = MODELS[name]().eval(), inputs_of(1)
    names = json.loads((place / f"{name}.weights.json").read_text(encoding="utf-8"))
    state = model.state_dict()
    arrays = {key: np.ascontiguousarray(state[key].numpy()) for key in names}
    save_file(arrays, place / f"{name}.safetensors")
    with torch.inference_mode():
        expected = model(**inputs)[0].numpy()
    given = tuple(inputs.values())
    target = canao.Target.opencl(device)
    text = place / f"{name}.mlir"
    compiled = canao.compile(text, given, target=target, dtype=dtype)
    plain = canao.compile(text, given, target=target, dtype=dtype, fusion=False, tune="off")
    calls: dict[str, Callable[[], Any]] = {
        CANAO: lambda: compiled(*given)[0],
        UNFUSED: lambda: plain(*given)[0],
        **pytorch_calls(model.to(device="cuda", dtype=getattr(torch, dtype)), inputs),
    }
    error = {label: _difference(call(), expected) for label, call in calls.items()}
    for label, found in error.items():
        if not found <= ALLOWED[dtype]:
            raise SystemExit(f"{name}, {dtype}: {label} differs by {found}")
    samples = interleave(calls, rounds=rounds, warmup=5, pause_seconds=0.0)
    report = compiled.report
    return Row(
        model=name,
        dtype=dtype,
        median_ms={key: statistics.median(times) for key, times in samples.items()},
        min_ms={key: min(times) for key, times in samples.items()},
        error=error,
        compile_seconds=sum(compiled.compile_seconds.values()),
        device=target.title,
        gflop=report.flops / 1e9,
        peak_gflops=report.peak_gflops,
        peak_bandwidth=report.peak_bandwidth,
        device_ms=sum(k.ms for k in report.kernels),
        transfer_ms=report.transfer_ms or 0.0,
        weight_bytes=sum(a.nbytes for a in arrays.values()) // (1 if dtype == "float32" else 2),
        kernels=[asdict(kernel) for kernel in report.kernels],
    )


def pytorch_calls(
    model: torch.nn.Module, inputs: dict[str, torch.Tensor]
) -> dict[str, Callable[[], Any]]:
    """PyTorch on the same GPU; compiled means with CUDA graphs, its fastest way."""
    fast = torch.compile(model, mode="reduce-overhead")

    def run(what: Callable[..., Any]) -> np.ndarray[Any, Any]:
        with torch.inference_mode():
            on_device = {key: value.cuda() for key, value in inputs.items()}
            return what(**on_device)[0].cpu().numpy()

    return {EAGER: lambda: run(model), COMPILED: lambda: run(fast)}


def _difference(found: Any, expected: np.ndarray[Any, Any]) -> float:
    array = np.asarray(found, dtype=np.float32)
    return float(np.abs(array - expected).max())


def markdown(rows: list[Row]) -> str:
    """The rows as tables."""
    first = rows[0]
    lines = [
        "# On a GPU",
        "",
        f"{first.device}; PyTorch {torch.__version__} on {torch.cuda.get_device_name(0)}. Batch 1, "
        f"sequence {SEQUENCE}, from host to host. Medians (minima) in milliseconds, interleaved. "
        'torch.compile is with `mode="reduce-overhead"` (CUDA graphs); float32 is without TF32. '
        f"Measured at best: {first.peak_gflops / 1e3:.1f} TFLOP/s of float32 multiply-adds outside "
        f"tensor cores, {first.peak_bandwidth:.0f} GB/s.",
        "",
        f"| model | type | {CANAO} | {UNFUSED} | {EAGER} | {COMPILED} | eager / canao "
        "| compiled / canao | unfused / canao | error |",
        "| :-- | :-- | --: | --: | --: | --: | --: | --: | --: | --: |",
    ]
    for row in rows:
        times = [f"{row.median_ms[k]:.2f} ({row.min_ms[k]:.2f})" for k in row.median_ms]
        own = row.median_ms[CANAO]
        ratios = [f"{row.median_ms[k] / own:.2f}" for k in (EAGER, COMPILED, UNFUSED)]
        cells = [row.model, row.dtype, *times, *ratios, f"{row.error[CANAO]:.1e}"]
        lines.append(f"| {' | '.join(cells)} |")
    lines += [
        "",
        "Where the time of canao goes: kernels by the events of the device, which add some 5 us "
        "each; the least that their multiply-adds, and reading all weights once, would take; "
        "copies between host and device.",
        "",
        "| model | type | kernels ms | multiply-adds at peak ms | weights at peak ms | copies ms "
        "| share of peak | compiled in s |",
        "| :-- | :-- | --: | --: | --: | --: | --: | --: |",
    ]
    for row in rows:
        adds, read = 1e3 * row.gflop / row.peak_gflops, row.weight_bytes / row.peak_bandwidth / 1e6
        lines.append(
            f"| {row.model} | {row.dtype} | {row.device_ms:.3f} | {adds:.3f} | {read:.3f} "
            f"| {row.transfer_ms:.3f} | {adds / row.median_ms[CANAO]:.0%} "
            f"| {row.compile_seconds:.0f} |"
        )
    for row in rows:
        lines += ["", f"## {row.model}, {row.dtype}", ""]
        lines += [
            "| kernel | calls | us a call | TFLOP/s | chosen |",
            "| :-- | --: | --: | --: | :-- |",
        ]
        for kernel in row.kernels:
            ops = " ".join(dict.fromkeys(op.removeprefix("canao.") for op in kernel["ops"]))
            each = 1e3 * kernel["ms"] / kernel["calls"]
            lines.append(
                f"| {ops} | {kernel['calls']} | {each:.1f} | {kernel['gflops'] / 1e3:.1f} "
                f"| `{kernel['variant']}` |"
            )
    return "\n".join(lines) + "\n"


def main() -> None:
    """Runs one of the two steps."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("step", choices=("prepare", "measure"))
    parser.add_argument("place", type=Path)
    parser.add_argument("--models", default="bert-base,distilbert,6x512")
    parser.add_argument("--dtypes", default="float32,float16")
    parser.add_argument("--device", default="gpu")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--out", type=Path, default=RESULTS)
    options = parser.parse_args()
    logging.set_verbosity_error()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    names = options.models.split(",")
    if options.step == "prepare":
        prepare(options.place, names)
        return
    rows: list[Row] = []
    options.out.mkdir(parents=True, exist_ok=True)
    for name in names:
        for dtype in options.dtypes.split(","):
            rows.append(measure(name, dtype, options.place, options.device, options.rounds))
            print(name, dtype, rows[-1].median_ms, flush=True)
            text = json.dumps([asdict(row) for row in rows], indent=1)
            (options.out / "gpu.json").write_text(text + "\n", encoding="utf-8")
            (options.out / "gpu.md").write_text(markdown(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
