"""`canao demo`."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import Annotated

import typer

from canao.cli.console import console
from canao.cli.models import TuneChoice
from canao.cli.options import Threads, Tune
from canao.cli.progress import shown_progress
from canao.errors import MissingExtraError

_out = console()


class Part(StrEnum):
    """What the page offers."""

    answer = "answer"
    generate = "generate"


def demo(
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Port on loopback; any that is free for 0.")
    ] = 8000,
    host: Annotated[
        str, typer.Option(help="Name of loopback: 127.0.0.1, localhost or ::1.")
    ] = "127.0.0.1",
    qa_model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="A question answering model of Hugging Face, by folder or name; the one that "
            "comes with canao if left out.",
        ),
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="A causal model of Hugging Face, by folder, name or GGUF file; "
            "SmolLM2-135M-Instruct if left out.",
        ),
    ] = None,
    only: Annotated[
        Part | None, typer.Option(help="Leave the other task and its model out.")
    ] = None,
    threads: Threads = None,
    tune: Tune = TuneChoice.default,
) -> None:
    """Serve a page on this machine: questions answered and text written as you type.

    Compiles both models, which takes longest the first time, and serves until Ctrl-C.
    """
    # Nothing is fetched unless the user allows it.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        from canao.apps.demo.app import create_app
        from canao.apps.demo.serve import Server
        from canao.apps.demo.tasks import Tasks, answering_task, writing_task
        from canao.huggingface.pretrained import quiet_transformers
    except ImportError as error:
        raise MissingExtraError("the demo", "apps") from error
    server = Server(host, port)
    try:
        quiet_transformers()
        answering = writing = None
        if only is not Part.generate:
            with shown_progress("compiling the model that answers", "compiled it") as progress:
                answering = answering_task(
                    qa_model, threads=threads, tune=tune.value, progress=progress
                )
        if only is not Part.answer:
            with shown_progress("compiling the model that writes", "compiled it") as progress:
                writing = writing_task(model, threads=threads, tune=tune.value, progress=progress)

        def ready() -> None:
            _out.print(f"open {server.url} (Ctrl-C ends it)", soft_wrap=True)

        tasks = Tasks(answering, writing)
        server.run(create_app(tasks), ready, tasks.stop)
    finally:
        server.close()
