"""`canao export`: a model as a program that needs nothing of canao, as a page, or as an app."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from canao.cli.console import console
from canao.cli.exporting.android import (
    AndroidDirectory,
    AppRequest,
    Package,
    export_app,
)
from canao.cli.exporting.answerer import open_answerer
from canao.cli.exporting.kinds import check_kind
from canao.cli.models import (
    Attention,
    CompileOptions,
    TuneChoice,
    open_generator,
    open_model,
)
from canao.cli.options import (
    AnyDevice,
    Attn,
    Batch,
    CacheDir,
    Dtype,
    Dynamic,
    Model,
    Seq,
    TargetOption,
    Threads,
    Tune,
)
from canao.cli.progress import shown_progress
from canao.exporting.android.names import USUAL_PACKAGE

_out = console()


def export(
    context: typer.Context,
    model: Model,
    out: Annotated[Path | None, typer.Option(help="Directory to write the C program to.")] = None,
    web: Annotated[
        Path | None,
        typer.Option(
            help="Directory to write a page to: a question answering model that runs in browsers."
        ),
    ] = None,
    android: AndroidDirectory = None,
    package: Package = USUAL_PACKAGE,
    name: Annotated[
        str,
        typer.Option(
            help="What the names of its functions begin with: two models in one program have two. "
            "With --android what people see."
        ),
    ] = "canao",
    decoder: Annotated[
        bool,
        typer.Option(
            "--decoder",
            help="Export a causal model, a folder or a GGUF file, as a program that continues "
            "texts: numbers of tokens in and out.",
        ),
    ] = False,
    answering: Annotated[
        bool,
        typer.Option(
            "--answering",
            help="Export a question answering model, a folder with its tokenizer, as a program "
            "that answers questions about texts.",
        ),
    ] = False,
    max_length: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Tokens of a text at most with --decoder, else of a window that texts are read "
            "through.",
        ),
    ] = None,
    seq: Seq = 128,
    batch: Batch = 1,
    dynamic: Dynamic = False,
    threads: Threads = None,
    attn: Attn = Attention.sdpa,
    target: TargetOption = "c",
    device: AnyDevice = None,
    dtype: Dtype = "float32",
    tune: Tune = TuneChoice.default,
    cache_dir: CacheDir = None,
) -> None:
    """Write a model as a C program that needs nothing of canao, as a page, or as an Android app."""
    check_kind(context)
    options = CompileOptions(
        seq, batch, threads, attn, target, device, dtype, tune, cache_dir, dynamic=dynamic
    )
    if android is not None:
        export_app(AppRequest(model, android, name, package, max_length), options)
        return
    if web is not None:
        path = _write_page(model, options, max_length, web)
        _out.print(f"wrote {path}; serve it: python -m http.server -b 127.0.0.1 -d {path}")
        return
    assert out is not None
    if answering:
        path = open_answerer(model, options, max_length).export(out, name=name)
    elif decoder:
        path = open_generator(model, options, max_length).export(out, name=name)
    else:
        path = open_model(model, options, quiet=False).compiled.export(out, name=name)
    _out.print(f"wrote {path}; build it with: make -C {path}")


def _write_page(path: Path, options: CompileOptions, window: int | None, out: Path) -> Path:
    """Write a question answering model as a page for browsers; its folder."""
    from canao.apps.web.export_page import export_page
    from canao.machine.targets import browser_row

    answerer = open_answerer(path, replace(options, target=browser_row().name), window)
    with shown_progress(f"writing {out}", f"wrote {out}"):
        return export_page(answerer, out)
