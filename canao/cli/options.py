"""Arguments and options that several commands take."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from canao.cli.models import Attention, FusionChoice, TargetChoice, TuneChoice, check_target
from canao.compiling.options import DTYPES

Model = Annotated[
    Path, typer.Argument(help="A saved model, a Hugging Face directory, an .onnx or a .mlir file.")
]
Saved = Annotated[Path, typer.Argument(help="A model saved by `canao compile --out`.")]
Seq = Annotated[int, typer.Option(min=1, help="Tokens in a sequence.")]
Batch = Annotated[int, typer.Option(min=1, help="Sequences in a batch.")]
Dynamic = Annotated[
    bool,
    typer.Option(
        "--dynamic/--fixed",
        help="Whether batch and sequence may vary from call to call; --batch and --seq are "
        "then what is measured, else the only ones.",
    ),
]
Threads = Annotated[
    int | None, typer.Option(min=1, max=1024, help="Threads; the fastest number if left out.")
]
Attn = Annotated[Attention, typer.Option(help="Form of attention in Hugging Face models.")]
TargetOption = Annotated[
    str,
    typer.Option(
        metavar="c|opencl|NAME",
        callback=check_target,
        help="What code to make: c or opencl for this machine, or C for another one by the name "
        "of its target, such as aarch64-linux-musl.",
    ),
]
TargetKind = Annotated[TargetChoice, typer.Option(help="What code to make.")]
Device = Annotated[
    str | None,
    typer.Option(help="OpenCL device: its number, gpu, cpu, or a part of its name."),
]
AnyDevice = Annotated[
    str | None,
    typer.Option(
        metavar="NAME|SPEC",
        help="OpenCL device: its number, gpu, cpu, or a part of its name; or what runs programs in "
        "C: local, qemu:aarch64, ssh:user@host:22 or adb:SERIAL.",
    ),
]
Dtype = Annotated[
    str,
    typer.Option(
        metavar="|".join(DTYPES),
        help="How weights and intermediate tensors are stored; other than float32 on OpenCL only.",
    ),
]
Fusion = Annotated[FusionChoice, typer.Option(help="Which laws may fuse layers.")]
Tune = Annotated[TuneChoice, typer.Option(help="How many schedules to measure.")]
CacheDir = Annotated[Path | None, typer.Option(help="Where compiled code is kept.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Pytorch = Annotated[bool, typer.Option("--pytorch", help="Run the model by PyTorch, not compiled.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", help="Show operations and schedules of kernels too.")
]
Runs = Annotated[int, typer.Option(min=1, help="Runs to measure.")]
Warmup = Annotated[int, typer.Option(min=0, help="Runs before measuring.")]
