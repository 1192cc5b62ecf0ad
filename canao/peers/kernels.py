"""The kernels of the models alone: their rates beside the peak, and their inner loops."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from canao.building.cache import Cache, hash_of_file
from canao.building.library import build_library
from canao.building.toolchain import Compiler, all_compilers
from canao.errors import CanaoError
from canao.lowering.choose.layer_task import LayerTask, choose_by_model
from canao.lowering.stages.row_lanes import is_product
from canao.lowering.stages.stage import Stage
from canao.lowering.standalone import standalone_program
from canao.machine.target import Target
from canao.measuring.assembly import InnerLoop, assembly, busiest_loop
from canao.measuring.peak import peak_gflops, read_bandwidth
from canao.measuring.quiet import QuietProbe
from canao.peers.models import prepare_case
from canao.peers.table import VECTOR_FLAGS, count, markdown_table, number
from canao.program import Program
from canao.tuning.race import Result
from canao.tuning.runner import Entry, RunnerProcess, run_entries

if TYPE_CHECKING:
    from canao.peers.compare import Progress


@dataclass(frozen=True)
class Kernel:
    """A layer with products, as it runs in some models."""

    key: str
    models: tuple[str, ...]
    shapes: str
    """Rows x terms x columns of each of its products, with their number if not 1."""
    product_flops: int
    weight_bytes: int
    program: Program


@dataclass(frozen=True)
class KernelRow:
    """A kernel as one compiler makes it. Times are in milliseconds."""

    models: tuple[str, ...]
    shapes: str
    schedule: str
    compiler: str
    failure: str = ""
    ms: float | None = None
    """Median of the samples taken while the cores ran nothing else; of all where they never did."""
    median_ms: float | None = None
    """Median of all samples."""
    min_ms: float | None = None
    quiet: float = 0.0
    """The part of the samples that is quiet."""
    gflops: float = 0.0
    """The products' operations over `ms`."""
    peak_fraction: float = 0.0
    pace_fraction: float = 0.0
    """The same rate over that of multiply-adds alone in the same rounds."""
    bandwidth_fraction: float = 0.0
    """The weights' bytes over `ms`, as a part of the rate at which memory is read."""
    loop: InnerLoop | None = None
    """The inner loop with the most multiply-adds."""


@dataclass(frozen=True)
class KernelsResult:
    """The rows of a run with what they depend on."""

    rows: tuple[KernelRow, ...]
    sequence: int
    threads: int
    rounds: int
    peak_gflops: float
    bandwidth: float
    """GB/s."""
    cpu: str
    cpu_flags: tuple[str, ...]
    compilers: dict[str, str]

    def to_dict(self) -> dict[str, Any]:
        """All fields, as JSON has them."""
        return asdict(self)

    def has_times(self) -> bool:
        """Whether anything could be measured."""
        return any(row.ms is not None for row in self.rows)

    def to_markdown(self) -> str:
        """A table with a row for each kernel and compiler."""
        flags = " ".join(flag for flag in VECTOR_FLAGS if flag in self.cpu_flags)
        versions = "; ".join(f"{name} is {version}" for name, version in self.compilers.items())
        parts = [
            "# Kernels alone",
            f"Batch 1, sequence {self.sequence}, float32, {count(self.threads, 'thread')}, "
            f'schedules of `tune="off"`. {self.cpu}: {flags}; {versions}. '
            f"Measured peak of multiply-adds: {self.peak_gflops:.1f} GFLOP/s; "
            f"memory is read at {self.bandwidth:.1f} GB/s.\n"
            f"Every kernel was run alone, in {count(self.rounds, 'round')} at least, its builds in "
            "turn, over copies of its weights that drive each other out of the nearer caches. "
            "*ms* is the median of the samples during which the cores ran nothing else (*quiet* is "
            "their part, and where there were too few *ms* counts all). *Of peak* counts the "
            "operations of products alone, *of pace* compares with the rate of multiply-adds alone "
            "in the same rounds, *of bandwidth* counts the weights. The last columns count what "
            "the compiler made of the inner loop with the most multiply-adds: vector instructions "
            "that read memory, multiply-adds, and vectors moved to or from the stack.",
            markdown_table(_HEADINGS, [_cells(row) for row in self.rows]),
        ]
        failures = [f"- {r.shapes}, {r.compiler}: {r.failure}" for r in self.rows if r.failure]
        return "\n\n".join([*parts, *(["\n".join(failures)] if failures else [])]) + "\n"


_HEADINGS = (
    "products",
    "models",
    "schedule",
    "compiler",
    "ms",
    "all ms",
    "min ms",
    "quiet",
    "GFLOP/s",
    "of peak",
    "of pace",
    "of bandwidth",
    "loads",
    "multiply-adds",
    "spills",
)


def _cells(row: KernelRow) -> list[str]:
    loop = row.loop
    return [
        row.shapes,
        " ".join(row.models),
        row.schedule,
        row.compiler,
        number(row.ms, ".3f"),
        number(row.median_ms, ".3f"),
        number(row.min_ms, ".3f"),
        number(row.quiet, ".0%"),
        number(row.gflops, ".1f"),
        number(row.peak_fraction, ".1%"),
        number(row.pace_fraction, ".1%"),
        number(row.bandwidth_fraction, ".0%"),
        *(str(n) for n in ((loop.loads, loop.multiply_adds, loop.spills) if loop else "---")),
    ]


def measure_kernels(
    models: Sequence[str],
    home: Path,
    progress: Progress,
    *,
    sequence: int = 128,
    threads: int = 1,
    rounds: int = 25,
    vectors: str | None = None,
) -> KernelsResult:
    """Measure every distinct layer with products of some models, by each compiler found.

    `vectors` are the registers to use, as `Target.host` takes them.
    """
    target, cache = Target.host(vectors), Cache(os.environ.get("CANAO_CACHE_DIR"))
    compilers = all_compilers()
    if not compilers:
        raise CanaoError("no C compiler was found; install gcc or clang, or `canao[cross]`")
    kernels = _kernels(models, home, progress, sequence, threads, target)
    probe = QuietProbe.of(compilers[0], target, cache)
    rows: list[KernelRow] = []
    with RunnerProcess(cache) as process:
        for n, kernel in enumerate(kernels, start=1):
            progress(f"kernel {n} of {len(kernels)}: {kernel.shapes}")
            rows += _measure(kernel, compilers, target, process, probe, rounds)
    # Noise can only lower them, and the cache keeps the highest that were ever seen.
    peak = peak_gflops(compilers[0], target, cache, threads)
    bandwidth = read_bandwidth(compilers[0], target, cache, threads)
    return KernelsResult(
        rows=tuple(
            replace(
                row,
                peak_fraction=row.gflops / peak,
                bandwidth_fraction=row.bandwidth_fraction / bandwidth,
            )
            for row in rows
        ),
        sequence=sequence,
        threads=threads,
        rounds=rounds,
        peak_gflops=peak,
        bandwidth=bandwidth,
        cpu=Target.host().cpu,
        cpu_flags=target.features,
        compilers={compiler.title: compiler.version for compiler in compilers},
    )


def _kernels(
    models: Sequence[str],
    home: Path,
    progress: Progress,
    sequence: int,
    threads: int,
    target: Target,
) -> list[Kernel]:
    """The distinct layers with products of all models, the largest first."""
    found: dict[str, Kernel] = {}
    for name in models:
        progress(f"{name}: layers")
        for kernel in _kernels_of(name, home, sequence, threads, target):
            known = found.get(kernel.key)
            named = (*known.models, name) if known else (name,)
            found[kernel.key] = replace(known or kernel, models=named)
    return sorted(found.values(), key=lambda kernel: -kernel.product_flops)


def _kernels_of(name: str, home: Path, sequence: int, threads: int, target: Target) -> list[Kernel]:
    import torch
    from transformers import AutoModel

    from canao.frontend.torch_import import import_model
    from canao.lowering.pipeline import lower

    case = prepare_case(name, sequence, 1, home)
    model: Any = AutoModel.from_pretrained(
        case.model_directory, attn_implementation="sdpa", local_files_only=True
    )
    ones = torch.ones((1, sequence), dtype=torch.int64)
    imported = import_model(model.eval(), {"input_ids": ones, "attention_mask": ones})
    kernels: list[Kernel] = []

    def take(tasks: Sequence[LayerTask]) -> None:
        """Layers are only there while the model is being lowered."""
        kernels.extend(filter(None, map(_kernel, tasks)))

    lower(imported.module, target_unit=target.vector_unit, threads=threads, prepare_tasks=take)
    return kernels


def _kernel(task: LayerTask) -> Kernel | None:
    """The kernel of a layer under the cost model's schedule; None for one without a product."""
    products = [stage for stage in task.stages if is_product(stage)]
    if not products:
        return None
    program = standalone_program(task, choose_by_model(task)[0])
    return Kernel(
        key=task.key,
        models=(),
        shapes=", ".join(dict.fromkeys(map(_shape, products))),
        product_flops=sum(2 * prod(stage.extents) for stage in products),
        weight_bytes=sum(spec.bytes for spec in program.weights),
        program=program,
    )


def _shape(stage: Stage) -> str:
    """Rows x terms x columns of a product, and how many there are of it."""
    *outer, rows, columns = stage.extents[: stage.parallel]
    terms = prod(stage.extents[stage.parallel :])
    times = prod(outer)
    return f"{rows}x{terms}x{columns}{f' ({times})' if times > 1 else ''}"


def _measure(
    kernel: Kernel,
    compilers: Sequence[Compiler],
    target: Target,
    process: RunnerProcess,
    probe: QuietProbe,
    rounds: int,
) -> Iterator[KernelRow]:
    """The rows of a kernel: all its builds run in turn."""
    program, cache = kernel.program, process.cache
    libraries = [build_library(program.source, c, target, cache).path for c in compilers]
    entries = {path: Entry(hash_of_file(path), program, path) for path in libraries}
    results: dict[str, Result] = {}
    run_entries(
        list(entries.values()),
        process,
        lambda result: results.update({result.name: result}),
        probe=probe,
        rounds=rounds,
        pace=True,
    )
    for compiler, path in zip(compilers, libraries, strict=True):
        loop = busiest_loop(assembly(program.source, compiler, target, cache))
        variant = program.kernels[0].variant
        row = KernelRow(kernel.models, kernel.shapes, variant, compiler.title, loop=loop)
        yield _timed(row, kernel, results[entries[path].name])


def _timed(row: KernelRow, kernel: Kernel, result: Result) -> KernelRow:
    if result.cost is None:
        return replace(row, failure=f"{result.outcome}: {result.reason}")
    gflops = kernel.product_flops / result.cost / 1e6
    return replace(
        row,
        ms=result.cost,
        median_ms=result.median,
        min_ms=result.least,
        quiet=result.quiet,
        gflops=gflops,
        pace_fraction=gflops / result.pace_gflops if result.pace_gflops else 0.0,
        bandwidth_fraction=kernel.weight_bytes / result.cost / 1e6,
    )
