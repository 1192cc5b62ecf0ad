"""`canao write`: how a text goes on, word by word."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

from canao.cli.apps.plain_text import without_controls
from canao.cli.console import console
from canao.cli.options import Json, Pytorch, Threads
from canao.cli.progress import shown_progress

if TYPE_CHECKING:
    from canao.apps.text_stream import TextStream, WritingTimes

_err = console(stderr=True)


def write(
    prompt: Annotated[str, typer.Argument(help="How the text begins.")],
    model: Annotated[
        str | None,
        typer.Option(help="A causal model of Hugging Face; SmolLM2-135M-Instruct if left out."),
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(min=0, help="Tokens to write at most.")] = 64,
    temperature: Annotated[
        float, typer.Option(min=0, help="0 takes the likeliest token; above it tokens are drawn.")
    ] = 0.0,
    top_k: Annotated[
        int, typer.Option(min=0, help="Draw from so many of the likeliest tokens; 0 is all.")
    ] = 50,
    top_p: Annotated[
        float, typer.Option(min=0, max=1, help="Draw from the likeliest up to this probability.")
    ] = 1.0,
    repetition_penalty: Annotated[
        float, typer.Option(min=0, help="Above 1, tokens that were there are less likely.")
    ] = 1.0,
    stop: Annotated[
        list[str] | None, typer.Option(help="End before this text; may be repeated.")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="The same one draws the same tokens.")
    ] = None,
    pytorch: Pytorch = False,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Write how a text goes on, word by word. Ctrl-C ends it."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from canao.apps import TextGenerator
    from canao.huggingface.pretrained import quiet_transformers

    quiet_transformers()
    with shown_progress("opening the model", "opened the model", quiet=as_json) as told:
        writer = TextGenerator(
            model,
            backend="pytorch" if pytorch else "canao",
            threads=threads,
            progress=told,
        )
    stream = writer.stream(
        prompt,
        max_new_tokens=max_new_tokens,
        temperature=temperature,
        top_k=top_k,
        top_p=top_p,
        repetition_penalty=repetition_penalty,
        stop=stop or (),
        seed=seed,
    )
    _write(stream, None if as_json else prompt)
    if as_json:
        record = {"prompt": prompt, "text": stream.text, **stream.times.to_dict()}
        typer.echo(json.dumps(record))
    else:
        _err.print(Text(_told(stream.times), style="dim"), soft_wrap=True)


def _write(stream: TextStream, prompt: str | None) -> None:
    """Run a stream to its end, or until Ctrl-C, and print it after its prompt, if that is given."""
    quiet = prompt is None
    with stream:
        try:
            _show(prompt or "", quiet)
            for piece in stream:
                _show(piece.text, quiet)
        except KeyboardInterrupt:
            # Whoever writes has seen enough: that is an end like any other.
            stream.close()
    _show("\n", quiet)


def _show(text: str, quiet: bool) -> None:
    if quiet:
        return
    sys.stdout.write(without_controls(text))
    sys.stdout.flush()


def _told(times: WritingTimes) -> str:
    """The times in a line."""
    if times.first_token_ms is None:
        return "no tokens"
    each = "" if times.token_ms is None else f", then {times.token_ms:.1f} ms each"
    tokens = "1 token" if times.tokens == 1 else f"{times.tokens} tokens"
    stopped = "stopped: " if times.ended == "closed" else ""
    return (
        f"{stopped}{tokens}; the first after {times.first_token_ms:.1f} ms{each}; "
        f"{times.words_per_second:.1f} words a second"
    )
