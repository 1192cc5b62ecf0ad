"""The commands. Heavy modules are imported when a command runs."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from canao.cli.apps.ask import ask
from canao.cli.apps.demo import demo
from canao.cli.apps.write import write
from canao.cli.bench import bench_model
from canao.cli.bench_commands import bench_app
from canao.cli.console import console
from canao.cli.distil import distil
from canao.cli.exporting.export import export
from canao.cli.models import (
    Attention,
    CompileOptions,
    FusionChoice,
    TuneChoice,
    TuneMode,
    is_saved,
    open_model,
)
from canao.cli.options import (
    AnyDevice,
    Attn,
    Batch,
    CacheDir,
    Dtype,
    Dynamic,
    Fusion,
    Json,
    Model,
    Saved,
    Seq,
    TargetOption,
    Threads,
    Tune,
    Verbose,
)
from canao.cli.search import search_command
from canao.cli.training_commands import evaluate, table2, train
from canao.errors import InputFileError

if TYPE_CHECKING:
    from canao.compiled_model import CompiledModel


class CacheAction(StrEnum):
    """What `canao cache` does."""

    show = "show"
    prune = "prune"


app = typer.Typer(
    name="canao",
    help="Compile BERT-like encoders to C or OpenCL; look at, measure and export the result.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(bench_app, name="bench")
app.command(name="search")(search_command)
app.command(name="train")(train)
app.command(name="distil")(distil)
app.command(name="demo")(demo)
app.command(name="eval")(evaluate)
app.command(name="ask")(ask)
app.command(name="write")(write)
app.command(name="export")(export)
bench_app.command(name="model")(bench_model)
bench_app.command(name="table2")(table2)
_out = console()


def _version(wanted: bool) -> None:
    if wanted:
        import canao

        typer.echo(f"canao {canao.__version__}")
        raise typer.Exit


@app.callback()
def canao_command(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Compile BERT-like encoders to C or OpenCL; look at, measure and export the result."""


@app.command(name="compile")
def compile_command(
    model: Model,
    seq: Seq = 128,
    batch: Batch = 1,
    dynamic: Dynamic = True,
    threads: Threads = None,
    attn: Attn = Attention.sdpa,
    target: TargetOption = "c",
    device: AnyDevice = None,
    dtype: Dtype = "float32",
    fusion: Fusion = FusionChoice.on,
    tune: Tune = TuneChoice.default,
    cache_dir: CacheDir = None,
    out: Annotated[Path | None, typer.Option(help="Directory to save the model in.")] = None,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Compile a model and report its layers, kernels and latency."""
    options = CompileOptions(
        seq, batch, threads, attn, target, device, dtype, tune, cache_dir, fusion, dynamic
    )
    compiled = open_model(model, options, quiet=as_json).compiled
    if out:
        compiled.save(out)
    if as_json:
        typer.echo(compiled.report.to_json())
        return
    _out.print(compiled.report)
    if verbose:
        _out.print(compiled.report.details())
    if out:
        _out.print(f"saved in {out}")


@app.command()
def inspect(
    model: Saved,
    ir: Annotated[str | None, typer.Option(help="Print the module after this stage.")] = None,
    source: Annotated[bool, typer.Option("--source", help="Print the emitted text.")] = False,
    html: Annotated[
        Path | None,
        typer.Option(help="Write a page: layers, laws, kernels with times and emitted text."),
    ] = None,
    graph: Annotated[
        Path | None,
        typer.Option(
            help="Write graphs before and after fusion for Model Explorer, and beside them "
            "the time of each layer and its share."
        ),
    ] = None,
    verbose: Verbose = False,
    as_json: Json = False,
) -> None:
    """Look at a saved model: its report, its IR, its C, or all of that on a page or as graphs."""
    import canao

    if (html or graph) and (ir or source):
        raise typer.BadParameter("--html and --graph write files; --ir and --source print alone")
    if html and html == graph:
        raise typer.BadParameter("--html and --graph name the same file; give each its own")
    compiled = canao.load(model)
    if html or graph:
        written = _write_inspection(compiled, model.resolve().name, html, graph)
        if as_json:
            typer.echo(json.dumps({"written": [str(path) for path in written]}))
            return
        for path in written:
            _out.print(f"wrote {path}", soft_wrap=True)
    elif source:
        typer.echo(compiled.source)
    elif ir:
        typer.echo(compiled.ir(ir))
    elif as_json:
        typer.echo(compiled.report.to_json())
    else:
        _out.print(compiled.report)
        if verbose:
            _out.print(compiled.report.details())


def _write_inspection(
    compiled: CompiledModel, title: str, html: Path | None, graph: Path | None
) -> list[Path]:
    from canao.inspecting.inspection import inspect_model
    from canao.inspecting.model_explorer import write_graph
    from canao.inspecting.page import write_page

    found = inspect_model(compiled, title)
    written: list[Path] = []
    if html:
        write_page(found, html)
        written.append(html)
    return [*written, *write_graph(found, graph)] if graph else written


@app.command()
def devices(cache_dir: CacheDir = None, as_json: Json = False) -> None:
    """Show the processor and the OpenCL devices with their peak rates, and what runs programs."""
    from canao.cli.devices import describe_devices, runners

    rows = describe_devices(cache_dir)
    programs, notes = runners(cache_dir)
    if as_json:
        typer.echo(json.dumps({**rows, "runners": programs, "runner_notes": notes}))
        return
    found, note = rows.pop("opencl"), rows.pop("opencl_note")
    _out.print(_listing(rows))
    for device in found:
        _out.print(f"\nOpenCL device {device.pop('number')}")
        _out.print(_listing(device))
    if note:
        _out.print(f"\nOpenCL: {note}", soft_wrap=True)
    table = Table("--device", "what runs programs there", "measured in", box=None, padding=(0, 1))
    for row in programs:
        table.add_row(row["spec"], row["title"], row["unit"])
    _out.print("")
    _out.print(table)
    for note in notes:
        _out.print(note, soft_wrap=True)


def _listing(rows: Mapping[str, object]) -> Table:
    table = Table.grid(padding=(0, 2))
    for name, value in rows.items():
        table.add_row(name.replace("_", " "), _listed(value))
    return table


def _listed(value: object) -> str:
    """A value in one line; rates by number of threads as a list."""
    if not isinstance(value, Mapping):
        return str(value)
    units = {count: "thread" if count == "1" else "threads" for count in value}
    return ", ".join(f"{rate} ({count} {units[count]})" for count, rate in value.items())


@app.command(name="cache")
def cache_command(
    action: Annotated[CacheAction, typer.Argument(help="What to do.")] = CacheAction.show,
    max_mb: Annotated[
        float | None, typer.Option(min=0, help="Remove entries until this many MiB are left.")
    ] = None,
    max_days: Annotated[
        float | None, typer.Option(min=0, help="Remove what was not used for this many days.")
    ] = None,
    cache_dir: CacheDir = None,
    as_json: Json = False,
) -> None:
    """Show the size of the cache of compiled code, or prune it.

    What was not used for longest goes first; what was used in the last ten minutes and
    the tuning database stay. Without limits `prune` takes those that the cache is kept
    to by itself: 4 GiB, 90 days.
    """
    from canao.building.cache import Cache
    from canao.building.prune import MAX_BYTES, MAX_DAYS, prune, usage

    cache = Cache(cache_dir or os.environ.get("CANAO_CACHE_DIR"))
    if action is CacheAction.show and (max_mb is not None or max_days is not None):
        raise typer.BadParameter("limits belong to `canao cache prune`")
    removed = None
    if action is CacheAction.prune:
        limit = MAX_BYTES if max_mb is None else int(max_mb * 2**20)
        removed = prune(cache, max_bytes=limit, max_days=MAX_DAYS if max_days is None else max_days)
    held = usage(cache)
    if as_json:
        rows = {"directory": str(cache.root), "held": asdict(held)}
        typer.echo(json.dumps({**rows, "removed": asdict(removed)} if removed else rows))
        return
    if removed:
        _out.print(f"removed {removed}")
    _out.print(f"{cache.root}: {held}", soft_wrap=True)


@app.command()
def tune(
    what: Annotated[
        str, typer.Argument(metavar="MODEL|show|export|import|validate", help="What to do.")
    ],
    file: Annotated[
        Path | None, typer.Argument(help="The file that export writes and import reads.")
    ] = None,
    seq: Seq = 128,
    batch: Batch = 1,
    threads: Threads = None,
    attn: Attn = Attention.sdpa,
    target: TargetOption = "c",
    device: AnyDevice = None,
    dtype: Dtype = "float32",
    fusion: Fusion = FusionChoice.on,
    mode: Annotated[TuneMode, typer.Option(help="How many schedules to measure.")] = (
        TuneMode.full
    ),
    repair: Annotated[
        bool, typer.Option("--repair", help="Let validate forget winners that do not hold.")
    ] = False,
    cache_dir: CacheDir = None,
    as_json: Json = False,
) -> None:
    """Measure the schedules of a model's layers, or look after what was measured.

    MODEL is a Hugging Face directory, an .onnx or a .mlir file; the winners serve every
    later compilation. `show` lists the database, `export FILE` and `import
    FILE` carry it elsewhere, `validate` builds and measures the winners again.
    """
    from canao.cli import tune as actions

    if (what in actions.WITH_FILE) != (file is not None):
        takes = "takes a FILE" if what in actions.WITH_FILE else "takes no FILE"
        raise typer.BadParameter(f"{what} {takes}")
    if what in actions.ACTIONS:
        actions.ACTIONS[what](actions.Request(file, cache_dir, repair, as_json, _out, device))
        return
    if is_saved(Path(what)):
        raise InputFileError(
            f"{what} is compiled already; name the model that it was made from to tune it"
        )
    choice = TuneChoice(mode.value)
    options = CompileOptions(
        seq, batch, threads, attn, target, device, dtype, choice, cache_dir, fusion
    )
    compiled = open_model(Path(what), options, quiet=as_json).compiled
    actions.print_kernels(compiled, as_json, _out)
