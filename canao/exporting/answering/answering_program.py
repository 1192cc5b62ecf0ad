"""Writing a model as a C program that answers questions: a text and a question in, spans out."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from canao.errors import UnsupportedModelError
from canao.exporting.answering.tokenizer_file import (
    NAME,
    digest_of,
    read_word_pieces,
    tokenizer_bytes,
    write_tokenizer,
)
from canao.exporting.c_program import export_program
from canao.exporting.header import check_name, exporting_text, guarded, renamed
from canao.exporting.interface import SYSTEM, main_text
from canao.exporting.tables import from_files
from canao.files import replace_text
from canao.lowering.c.comments import comment
from canao.machine.target import Target
from canao.program import Program
from canao.runtime.module import Array

_ARRAYS = {"input_ids": "ids", "attention_mask": "mask", "token_type_ids": "types"}
"""Inputs that a program knows, and what its windows call them."""
_SIZES = {"sequence": "window->count", "batch": "1"}


@dataclass(frozen=True)
class Asking:
    """How questions are asked: what `WindowMaker` and `choose_spans` of `canao.answering` do."""

    tokenizer: str
    """The text of `tokenizer.json`."""
    window: int
    """Tokens that the model reads at once."""
    stride: int
    """Tokens of the text that windows share."""
    longest: int
    """Tokens of an answer at most."""
    threshold: float
    """By how much the logit of no answer must be above the best span's."""
    no_answer: bool
    """Whether a text may have no answer."""
    first: Sequence[tuple[int, int]]
    """Special tokens before the question: their numbers and types."""
    between: Sequence[tuple[int, int]]
    last: Sequence[tuple[int, int]]
    types: tuple[int, int]
    """Of tokens of the question, and of the text."""
    none: int
    """The token that stands for no answer; -1 if the first one of a window does."""
    starts: int
    """The output of the program with logits of starts."""
    ends: int


def export_answering(
    program: Program,
    weights: Sequence[Array],
    directory: Path,
    asking: Asking,
    *,
    threads: int,
    target: Target,
    name: str,
) -> Path:
    """Write the files of `export_program`, with a tokenizer and what chooses spans.

    `answering.h` and `tokenizer.h` say what to call: `{name}_answerer_open` and so on; `main.c`
    answers a question. `UnsupportedModelError` for a tokenizer that the program would not follow.
    """
    check_name(name)
    roles = _roles(program, asking)
    data = tokenizer_bytes(read_word_pieces(asking.tokenizer))
    texts = {
        "tokenizer.h": guarded("TOKENIZER", ["model.h"], ["tokenizer.h"]),
        "tokenizer.c": _unit(
            "reads tokenizer.bin, and cuts texts into tokens",
            ["errno.h", "stdio.h", "stdlib.h", "string.h"],
            "tokenizer.h",
            [
                f"#define CANAO_TOKENIZER_BYTES ((size_t){len(data)}u)",
                f"#define CANAO_TOKENIZER_HASH {', '.join(map(str, digest_of(data)))}",
            ],
            ["checksum", "tokenizer_file", "characters", "normalise", "word_pieces"],
        ),
        "answering.h": guarded("ANSWERER", ["model.h"], ["answering.h"]),
        "answering.c": _unit(
            "reads texts through windows, and chooses spans",
            ["math.h", "stdlib.h", "string.h"],
            "answering.h",
            ['#include "tokenizer.h"', "", *roles],
            ["windows", "spans"],
        ),
        "main.c": main_text("ask_main.c"),
    }
    export_program(
        program, weights, directory, threads=threads, target=target, name=name, asks=True
    )
    write_tokenizer(directory / NAME, data)
    for file, text in texts.items():
        replace_text(directory / file, renamed(text, name))
    return directory


def _unit(
    about: str, system: Sequence[str], own: str, lines: Sequence[str], parts: Sequence[str]
) -> str:
    """A file of C: what it includes, lines of its own, and files of support."""
    return "\n".join(
        [
            *comment([f"Made by canao: {about}."]).splitlines(),
            SYSTEM,
            *(f"#include <{name}>" for name in system),
            "",
            f'#include "{own}"',
            *lines,
            "",
            *(exporting_text(f"{part}.c") for part in parts),
        ]
    )


def _roles(program: Program, asking: Asking) -> list[str]:
    """What inputs, outputs and sizes are, special tokens and limits, as lines of C."""
    arrays = [_array(spec.name, spec.dtype) for spec in from_files(program)]
    outputs = ["NULL"] * len(program.outputs)
    outputs[asking.starts], outputs[asking.ends] = "window->starts", "window->ends"
    if "NULL" in outputs or any(spec.dtype != "float32" for spec in program.outputs):
        raise UnsupportedModelError(
            f"the model has {len(outputs)} outputs; give one with logits of starts and of ends, "
            "in float32, and no others"
        )
    tables = {"first": asking.first, "between": asking.between, "last": asking.last}
    numbers: Mapping[str, object] = {
        "WINDOW": asking.window,
        "STRIDE": asking.stride,
        "LONGEST": asking.longest,
        "NO_ANSWER": int(asking.no_answer),
        "THRESHOLD": _double(asking.threshold),
        "NONE_TOKEN": asking.none,
        "QUESTION_TYPE": asking.types[0],
        "TEXT_TYPE": asking.types[1],
        **{name.upper(): len(rows) for name, rows in tables.items()},
        "ASKED_INPUTS": ", ".join(arrays),
        "ASKED_OUTPUTS": ", ".join(outputs),
        "ASKED_SIZES": ", ".join(_sizes(program, asking.window)),
    }
    return [
        *(f"#define CANAO_{name} {value}" for name, value in numbers.items()),
        "",
        "/* Tokens around question and text. */",
        "typedef struct {",
        "  int64_t id, type;",
        "} canao_special;",
        *(_special(name, rows) for name, rows in tables.items()),
    ]


def _array(name: str, dtype: str) -> str:
    if name not in _ARRAYS or dtype != "int64":
        raise UnsupportedModelError(
            f"the model takes {name} in {dtype}; programs that answer questions give "
            f"{', '.join(_ARRAYS)} in int64"
        )
    return f"window->{_ARRAYS[name]}"


def _sizes(program: Program, window: int) -> list[str]:
    """What each size is in a run, as C."""
    ranges = {symbol.name: symbol for symbol in program.symbols}
    batch = ranges.get("batch")
    fits = set(ranges) <= set(_SIZES) and "sequence" in ranges
    if not fits or ranges["sequence"].high < window or (batch and batch.low > 1):
        raise UnsupportedModelError(
            f"the model does not take windows of 1 to {window} tokens one by one; compile it with "
            "dynamic_shapes='auto'"
        )
    return [_SIZES[symbol.name] for symbol in program.symbols]


def _special(name: str, rows: Sequence[tuple[int, int]]) -> str:
    items = "".join(f"{{{number}, {kind}}}, " for number, kind in rows)
    return f"static const canao_special canao_{name}[] = {{{items}{{0, 0}}}};"


def _double(value: float) -> str:
    if math.isnan(value):
        raise UnsupportedModelError("the threshold of no answer is no number; give one")
    if math.isinf(value):
        return "HUGE_VAL" if value > 0 else "(-HUGE_VAL)"
    return f"({value!r})"
