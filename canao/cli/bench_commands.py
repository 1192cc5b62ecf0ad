"""`canao bench`: a model alone, canao beside its peers, the paper's Table 1."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markdown import Markdown
from typer.core import TyperGroup

from canao.cli.console import console
from canao.cli.options import (
    Batch,
    Device,
    Json,
    Seq,
)
from canao.cli.progress import shown_progress
from canao.cli.results import write_results

_MOST_THREADS = 1024
_out = console()


class ModelByDefault(TyperGroup):
    """A group whose command `model` is meant where none is named."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command that is meant before its arguments."""
        if args and args[0] not in self.commands and args[0] not in ctx.help_option_names:
            args = ["model", *args]
        return super().parse_args(ctx, args)


bench_app = typer.Typer(
    cls=ModelByDefault,
    no_args_is_help=True,
    help="Measure latency: of a model, beside other runtimes, or for the paper's Table 1.\n\n"
    "`canao bench MODEL` is short for `canao bench model MODEL`.",
)

ThreadCounts = Annotated[str, typer.Option(help="Numbers of threads, separated by commas.")]
Home = Annotated[
    Path | None,
    typer.Option(help="Where environments and models are kept; the user's cache if left out."),
]
Out = Annotated[
    Path | None, typer.Option(help="Directory to write the results to, as Markdown and JSON.")
]


@bench_app.command()
def setup(
    environments: Annotated[
        list[str] | None, typer.Argument(metavar="[ENVIRONMENT]...", help="All if none is named.")
    ] = None,
    home: Home = None,
    pip_options: Annotated[
        str, typer.Option(help="Options of pip install, for instance an index of CPU builds.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Install the virtual environments of peers: several GB, skipping those that are there."""
    from canao.peers.catalogue import ENVIRONMENTS, environment_names
    from canao.peers.environment import Environment, default_home

    chosen = environment_names(environments) if environments else list(ENVIRONMENTS)
    place = home or default_home()
    made: dict[str, bool] = {}
    with shown_progress(
        "installing environments", "installed environments", quiet=as_json
    ) as progress:
        for number, name in enumerate(chosen, start=1):
            progress(f"installing {name} ({number} of {len(chosen)})")
            made[name] = Environment(name, place).install(shlex.split(pip_options))
    if as_json:
        typer.echo(json.dumps({"home": str(place), "installed": made}))
        return
    for name, new in made.items():
        state = "installed" if new else "was installed already"
        _out.print(f"{name} {state} in {Environment(name, place).directory}", soft_wrap=True)


@bench_app.command()
def peers(
    models: Annotated[str, typer.Option(help="Models, separated by commas.")] = "all",
    peers: Annotated[str, typer.Option(help="Peers, separated by commas.")] = "all",
    threads: ThreadCounts = "1,2",
    sequence: Seq = 128,
    batch: Batch = 1,
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each peer.")] = 25,
    pin: Annotated[
        bool, typer.Option("--pin", help="Let a process use only as many cores as threads.")
    ] = False,
    out: Out = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Measure canao and other runtimes side by side: same weights, same inputs, same rounds.

    Install the others with `canao bench setup` first. With --out the results
    are written to peers.md, peers.json and peers.png.
    """
    from canao.peers.catalogue import DEFAULT_PEERS, find_peers
    from canao.peers.compare import Plan, compare
    from canao.peers.environment import default_home
    from canao.peers.models import MODELS, find_model
    from canao.peers.table import comparison_markdown

    plan = Plan(
        models=[find_model(name).name for name in _names(models, MODELS)],
        peers=find_peers(_names(peers, DEFAULT_PEERS)),
        threads=_thread_counts(threads),
        sequence=sequence,
        batch=batch,
        rounds=rounds,
        pin=pin,
    )
    if out:
        from canao.peers.chart import check_charts

        check_charts()
    with shown_progress("measuring peers", "measured peers", quiet=as_json) as progress:
        comparison = compare(plan, home or default_home(), progress)
    text = comparison_markdown(comparison)
    if out:
        from canao.peers.chart import write_chart

        _write(out, "peers", text, comparison.to_dict())
        write_chart(comparison, out / "peers.png")
    _show(text, comparison.to_dict(), as_json)
    if not comparison.has_times():
        raise typer.Exit(1)


@bench_app.command()
def shapes(
    models: Annotated[str, typer.Option(help="Models, separated by commas.")] = "minilm",
    peers: Annotated[
        str, typer.Option(help="Peers, separated by commas.")
    ] = "canao,canao-any-length,litert,openvino,onnxruntime",
    threads: ThreadCounts = "1,2",
    shapes: Annotated[
        str, typer.Option(help="Batch and sequence of each, as 1x16, separated by commas.")
    ] = "1x1,1x16,1x64,1x256,1x512,8x128",
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each peer.")] = 10,
    out: Out = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Measure canao and other runtimes with short and long sequences, and with batches.

    With --out the results are written to shapes.md and shapes.json.
    """
    from canao.peers.catalogue import DEFAULT_PEERS, find_peers
    from canao.peers.compare import Plan
    from canao.peers.environment import default_home
    from canao.peers.models import MODELS, find_model
    from canao.peers.shapes import measure_shapes

    plan = Plan(
        models=[find_model(name).name for name in _names(models, MODELS)],
        peers=find_peers(_names(peers, DEFAULT_PEERS)),
        threads=_thread_counts(threads),
        rounds=rounds,
    )
    wanted = [_shape(text) for text in shapes.split(",")]
    with shown_progress("measuring shapes", "measured shapes", quiet=as_json) as progress:
        result = measure_shapes(plan, wanted, home or default_home(), progress)
    if out:
        _write(out, "shapes", result.to_markdown(), result.to_dict())
    _show(result.to_markdown(), result.to_dict(), as_json)
    if not result.has_times():
        raise typer.Exit(1)


@bench_app.command()
def lengths(
    models: Annotated[str, typer.Option(help="Models, separated by commas.")] = "minilm",
    threads: ThreadCounts = "1,2",
    lengths: Annotated[
        str, typer.Option(help="Lengths, separated by commas.")
    ] = "1,3,8,17,32,57,100,128,200,384,512",
    rounds: Annotated[int, typer.Option(min=1, help="Turns of each peer.")] = 10,
    out: Out = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Measure one model for every length beside one for each, and beside other runtimes.

    With --out the results are written to dynamic.md and dynamic.json.
    """
    from canao.peers.catalogue import find_peers
    from canao.peers.compare import Plan
    from canao.peers.environment import default_home
    from canao.peers.lengths import PEERS, measure_lengths
    from canao.peers.models import MODELS, find_model

    plan = Plan(
        models=[find_model(name).name for name in _names(models, MODELS)],
        peers=find_peers(PEERS),
        threads=_thread_counts(threads),
        rounds=rounds,
    )
    wanted = [_length(text) for text in lengths.split(",")]
    with shown_progress("measuring lengths", "measured lengths", quiet=as_json) as progress:
        result = measure_lengths(plan, wanted, home or default_home(), progress)
    if out:
        _write(out, "dynamic", result.to_markdown(), result.to_dict())
    _show(result.to_markdown(), result.to_dict(), as_json)
    if not result.has_times():
        raise typer.Exit(1)


@bench_app.command()
def kernels(
    models: Annotated[str, typer.Option(help="Models, separated by commas.")] = "all",
    threads: Annotated[int, typer.Option(min=1, help="Number of threads.")] = 1,
    sequence: Seq = 128,
    rounds: Annotated[int, typer.Option(min=1, help="Samples of each.")] = 25,
    vectors: Annotated[
        str | None, typer.Option(help="Registers to use: sse, avx2 or avx512; the widest if none.")
    ] = None,
    out: Out = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Measure every distinct layer with products alone, and count its inner loop's instructions.

    By gcc, and by clang or the one in ziglang. With --out the results are written to kernels.md
    and kernels.json.
    """
    from canao.peers.environment import default_home
    from canao.peers.kernels import measure_kernels
    from canao.peers.models import MODELS, find_model

    chosen = [find_model(name).name for name in _names(models, MODELS)]
    with shown_progress("measuring kernels", "measured kernels", quiet=as_json) as progress:
        result = measure_kernels(
            chosen,
            home or default_home(),
            progress,
            sequence=sequence,
            threads=threads,
            rounds=rounds,
            vectors=vectors,
        )
    if out:
        _write(out, "kernels", result.to_markdown(), result.to_dict())
    _show(result.to_markdown(), result.to_dict(), as_json)
    if not result.has_times():
        raise typer.Exit(1)


@bench_app.command()
def table1(
    threads: ThreadCounts = "1,2",
    runs: Annotated[int, typer.Option(min=1, help="Runs of each.")] = 100,
    device: Device = None,
    out: Out = None,
    home: Home = None,
    as_json: Json = False,
) -> None:
    """Measure the paper's Table 1: LiteRT, and canao with and without fusion.

    The columns of the GPU are measured on an OpenCL device, the first if none is named.
    With --out the results are written to table1.md and table1.json.
    """
    from canao.peers.environment import default_home
    from canao.peers.table1 import measure_table1

    counts = _thread_counts(threads)
    with shown_progress("measuring Table 1", "measured Table 1", quiet=as_json) as progress:
        result = measure_table1(
            home or default_home(),
            threads=counts,
            runs=runs,
            device=device,
            progress=progress,
        )
    if out:
        _write(out, "table1", result.to_markdown(), result.to_dict())
    _show(result.to_markdown(), result.to_dict(), as_json)
    if not result.comparison.has_times():
        raise typer.Exit(1)


def _names(text: str, everything: Iterable[str]) -> list[str]:
    """The names in a list separated by commas; "all" for everything."""
    return list(everything) if text == "all" else [name for name in text.split(",") if name]


def _thread_counts(text: str) -> tuple[int, ...]:
    try:
        counts = tuple(int(part) for part in text.split(","))
    except ValueError:
        counts = ()
    if not counts or not all(1 <= count <= _MOST_THREADS for count in counts):
        raise typer.BadParameter(
            f"'{text}' is not a list of numbers of threads; write for instance 1,2"
        )
    return counts


def _shape(text: str) -> tuple[int, int]:
    """Batch and sequence."""
    parts = text.split("x")
    if len(parts) == 2 and all(part.isdecimal() and int(part) > 0 for part in parts):
        return int(parts[0]), int(parts[1])
    raise typer.BadParameter(f"'{text}' is not a batch and a sequence; write for instance 1x16")


def _length(text: str) -> int:
    if text.isdecimal() and int(text) > 0:
        return int(text)
    raise typer.BadParameter(f"'{text}' is not a length; write for instance 17")


def _write(directory: Path, name: str, text: str, values: dict[str, Any]) -> None:
    """Write Markdown and JSON."""
    write_results(directory, name, {".md": text, ".json": json.dumps(values, indent=1) + "\n"})


def _show(text: str, values: dict[str, Any], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(values))
    else:
        _out.print(Markdown(text))
