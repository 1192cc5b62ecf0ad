"""`canao ask`: the answer to a question in a text file."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from canao.cli.apps.plain_text import one_line
from canao.cli.console import console
from canao.cli.options import Json, Pytorch, Threads
from canao.cli.progress import shown_progress
from canao.errors import InputFileError

if TYPE_CHECKING:
    from canao.apps.answer import Answer, Candidate

_out = console()
_STANDARD_INPUT = "-"
_MOST_BYTES = 4 << 20


def ask(
    file: Annotated[str, typer.Argument(metavar="FILE|-", help="A text file, or standard input.")],
    question: Annotated[str, typer.Argument(help="What the text is to answer.")],
    model: Annotated[
        str | None,
        typer.Option(help="A question answering model of Hugging Face; canao's own if left out."),
    ] = None,
    top: Annotated[int, typer.Option(min=1, max=100, help="Spans to show.")] = 3,
    always: Annotated[
        bool, typer.Option("--always", help="Give the best span even where it is no answer.")
    ] = False,
    window: Annotated[
        int | None, typer.Option(min=8, help="Tokens that the model reads at once.")
    ] = None,
    pytorch: Pytorch = False,
    threads: Threads = None,
    as_json: Json = False,
) -> None:
    """Find the answer to a question in a text file, and where it is."""
    context = read_text(file)
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from canao.apps import QuestionAnswerer
    from canao.huggingface.pretrained import quiet_transformers

    quiet_transformers()
    with shown_progress("opening the model", "opened the model", quiet=as_json) as told:
        answerer = QuestionAnswerer(
            model,
            window=window,
            backend="pytorch" if pytorch else "canao",
            threads=threads,
            progress=told,
        )
    with shown_progress(f"reading {file}", f"read {file}", quiet=as_json) as told:
        answer = answerer.answer(
            question,
            context,
            top=top,
            no_answer=not always,
            progress=lambda part, whole: told("windows", part, whole),
        )
    if as_json:
        typer.echo(json.dumps({"file": file, "question": question, **_record(answer, context)}))
        return
    _print_answer(answer, context)


def read_text(file: str) -> str:
    """A text file in UTF-8 as it is, line ends included; one clear error for others."""
    name = "standard input" if file == _STANDARD_INPUT else file
    try:
        data = _read_bytes(file)
    except OSError as error:
        reason = error.strerror or str(error)
        raise InputFileError(f"{name} cannot be read ({reason}); name a text file") from error
    if len(data) > _MOST_BYTES:
        raise InputFileError(
            f"{name} is larger than {_MOST_BYTES >> 20} MiB; give the part that may have the answer"
        )
    if b"\0" in data:
        raise InputFileError(f"{name} is no text: it has bytes of zero; give a text in UTF-8")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputFileError(
            f"{name} is no text in UTF-8 (byte {error.start}); save it as UTF-8"
        ) from error
    if not text.strip():
        raise InputFileError(f"{name} is empty; give a text that may have the answer")
    return text


def _read_bytes(file: str) -> bytes:
    if file == _STANDARD_INPUT:
        return sys.stdin.buffer.read(_MOST_BYTES + 1)
    with Path(file).open("rb") as opened:
        return opened.read(_MOST_BYTES + 1)


def _record(answer: Answer, context: str) -> dict[str, Any]:
    """The answer with lines and columns."""
    found = answer.to_dict()
    if answer.found:
        found |= _place(answer, context)
    found["others"] = [
        {"answer": other.text, "start": other.start, "end": other.end, "score": other.score}
        | _place(other, context)
        for other in answer.others
    ]
    return found


def _place(found: Answer | Candidate, context: str) -> dict[str, int]:
    from canao.answering.characters import line_and_column

    line, column = line_and_column(context, found.start)
    return {"line": line, "column": column}


def _print_answer(answer: Answer, context: str) -> None:
    times = (
        f"{answer.latency_ms:.1f} ms in the model, {answer.total_ms:.1f} ms in all, "
        f"{answer.windows} {'window' if answer.windows == 1 else 'windows'}"
    )
    if answer.found:
        place = _place(answer, context)
        _out.print(Text(one_line(answer.text), style="bold"), soft_wrap=True)
        _out.print(
            f"line {place['line']}, column {place['column']}; score {answer.score:.3f}; {times}",
            soft_wrap=True,
        )
    else:
        _out.print(Text("no answer", style="bold"))
        _out.print(f"score {answer.score:.3f}; {times}", soft_wrap=True)
    if not answer.others:
        return
    table = Table("score", "line", "column", "other spans", box=None)
    for other in answer.others:
        place = _place(other, context)
        row = (f"{other.score:.3f}", str(place["line"]), str(place["column"]))
        table.add_row(*row, one_line(other.text))
    _out.print(table)
