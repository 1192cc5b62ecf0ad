"""`canao bench MODEL`: how long a model takes, beside PyTorch or kernel by kernel."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from canao.cli.console import console
from canao.cli.models import (
    Attention,
    CompileOptions,
    Opened,
    TargetChoice,
    TuneChoice,
    is_saved,
    open_model,
)
from canao.cli.options import (
    AnyDevice,
    Attn,
    Batch,
    CacheDir,
    Dtype,
    Json,
    Model,
    Runs,
    Seq,
    TargetOption,
    Threads,
    Tune,
    Warmup,
)

if TYPE_CHECKING:
    from canao.measuring.measure import Latency

_out = console()
_SIZES = {"batch": "batch", "seq": "sequence"}
"""Options that give sizes, and the dimensions that `canao compile` lets vary."""


@dataclass(frozen=True)
class SideBySide:
    """Latencies of the same model in interleaved runs."""

    latencies: Mapping[str, Latency]
    speedup: float | None
    """Median of PyTorch over median of canao; None without a PyTorch model."""
    error: float | None
    """Largest absolute difference between the results."""


def measure_side_by_side(opened: Opened, *, runs: int, warmup: int) -> SideBySide:
    """Measure a compiled model and, if there is one, the model it was made from."""
    import torch

    from canao.cli.devices import largest_difference
    from canao.measuring.measure import Latency, interleave

    compiled, original, inputs = opened.compiled, opened.original, opened.inputs
    if original is None or inputs is None:
        return SideBySide({"canao": compiled.measure(runs, warmup)}, None, None)
    before = torch.get_num_threads()
    torch.set_num_threads(compiled.threads)
    try:
        with torch.inference_mode():
            error = largest_difference(original(**inputs), compiled(**inputs))
            calls: dict[str, Callable[[], object]] = {
                "canao": lambda: compiled(**inputs),
                "PyTorch eager": lambda: original(**inputs),
            }
            samples = interleave(calls, rounds=runs, warmup=warmup, pause_seconds=0.02)
    finally:
        torch.set_num_threads(before)
    latencies = {
        name: Latency.of(times, compiled.threads, compiled.dtype, compiled.cpu_flags)
        for name, times in samples.items()
    }
    speedup = latencies["PyTorch eager"].median / latencies["canao"].median
    return SideBySide(latencies, speedup, error)


def bench_model(
    context: typer.Context,
    model: Model,
    seq: Seq = 128,
    batch: Batch = 1,
    threads: Threads = None,
    attn: Attn = Attention.sdpa,
    target: TargetOption = "c",
    device: AnyDevice = None,
    dtype: Dtype = "float32",
    tune: Tune = TuneChoice.default,
    cache_dir: CacheDir = None,
    runs: Runs = 100,
    warmup: Warmup = 10,
    profile: Annotated[
        bool,
        typer.Option(
            "--profile",
            help="Show the time of each kernel inside the running model, not the model beside "
            "PyTorch. --batch and --seq size the inputs of a saved model whose shapes vary.",
        ),
    ] = False,
    cores: Annotated[
        str, typer.Option(help="Cores of a device to keep on: all, big, little, or such as 0,4-7.")
    ] = "all",
    there: Annotated[
        bool, typer.Option("--there", help="Build by the compiler of the device, not here.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Measure a model, if it is a Hugging Face model against PyTorch eager in interleaved runs.

    With --device ssh:..., adb:..., qemu:... or local the exported program is measured on that
    device, and its results are compared with PyTorch's.
    """
    from canao.devices.specs import names_device

    if device is not None and target != TargetChoice.opencl and names_device(device):
        from canao.cli.devices import bench_on_device
        from canao.devices.measure_programs import Request

        if profile:
            raise typer.BadParameter("--profile is of a model that runs here; leave --device out")
        chosen = CompileOptions(seq, batch, threads, attn, target, None, dtype, tune, cache_dir)
        request = Request(runs=runs, warmup=warmup, cores=cores)
        bench_on_device(model, chosen, device, request, there=there, as_json=as_json)
        return
    if there or cores != "all":
        raise typer.BadParameter("--there and --cores belong to a --device that runs programs")
    options = CompileOptions(seq, batch, threads, attn, target, device, dtype, tune, cache_dir)
    opened = open_model(model, options, quiet=as_json)
    if profile:
        sizes = _sizes_asked(context) if is_saved(model) else {}
        found = opened.compiled.profile(sizes=sizes, runs=runs, warmup=warmup)
        if as_json:
            typer.echo(found.to_json())
        else:
            _out.print(found)
        return
    result = measure_side_by_side(opened, runs=runs, warmup=warmup)
    if as_json:
        rows = {name: asdict(latency) for name, latency in result.latencies.items()}
        typer.echo(
            json.dumps({"latency_ms": rows, "speedup": result.speedup, "error": result.error})
        )
        return
    table = Table("", "median ms", "min", "p90", "p99", box=None)
    for name, latency in result.latencies.items():
        times = (latency.median, latency.min, latency.p90, latency.p99)
        table.add_row(name, *(f"{ms:.3f}" for ms in times))
    _out.print(table)
    first = next(iter(result.latencies.values()))
    flags = " ".join(first.cpu_flags)
    _out.print(f"{first.threads} threads, {first.dtype}, {runs} interleaved runs, {flags}")
    if result.speedup is not None:
        _out.print(f"canao is {result.speedup:.2f} times as fast as PyTorch eager")
        _out.print(f"largest difference between the results: {result.error:.2e}")


def _sizes_asked(context: typer.Context) -> dict[str, int]:
    """The sizes that stand on the command line, by the names of dimensions."""
    return {
        name: context.params[option]
        for option, name in _SIZES.items()
        if (source := context.get_parameter_source(option)) and source.name == "COMMANDLINE"
    }
