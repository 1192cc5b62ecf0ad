"""`model.h`: the functions that a program calls, and what must be known to call them."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Protocol

import numpy as np

from canao.errors import CanaoError
from canao.exporting.tables import from_files
from canao.extent import is_symbolic
from canao.lowering.c.comments import comment
from canao.lowering.unused_name import unused_name
from canao.program import Program, TensorSpec

USUAL_NAME = "canao"
MODEL = "model"
"""What begins the names of the interface, behind the name of the export."""
_ANSWERING = ("tokenizer", "answerer", "answer")
"""The same for what answers questions."""
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,59}")


class Named(Protocol):
    """An input, an output or a dimension that varies."""

    @property
    def name(self) -> str: ...


def exporting_text(name: str) -> str:
    """The text of a file of `canao/exporting/support`."""
    path = files("canao") / "exporting" / "support" / name
    return path.read_text(encoding="utf-8")


def check_name(name: str) -> None:
    """`CanaoError` for a name that cannot begin names in C."""
    if not _NAME.fullmatch(name):
        raise CanaoError(
            f"the name {name!r} cannot begin the names of functions in C; give one of at most 60 "
            "letters, digits and underscores that begins with a letter"
        )


def renamed(text: str, name: str, kind: str = MODEL) -> str:
    """C text of the interface with the names of this export: `bert_model_open`, `BERT_MODEL_OK`."""
    for usual, own in ((MODEL, kind), *((part, part) for part in _ANSWERING)):
        old, new = f"{USUAL_NAME}_{usual}", f"{name}_{own}"
        text = _word(old).sub(new, text)
        text = _word(old.upper()).sub(new.upper(), text)
    return text


def _word(name: str) -> re.Pattern[str]:
    """A name, or what a longer one begins with up to an underscore."""
    return re.compile(rf"(?<![A-Za-z0-9_]){name}(?![A-Za-z0-9])")


def header_text(about: Sequence[str], declarations: Sequence[str], parts: Sequence[str]) -> str:
    """A header with lines of its own, then files of support, under their usual names."""
    lines = [
        *declarations,
        "",
        "/* What functions say: that they did what they should, or why they did not. */",
        *map(exporting_text, parts),
    ]
    return f"{comment(about)}\n{_guarded('MODEL', [], lines)}"


def guarded(macro: str, own: Sequence[str], parts: Sequence[str]) -> str:
    """A header of files of support, which includes others of the export."""
    return _guarded(macro, own, [*map(exporting_text, parts)])


def _guarded(macro: str, own: Sequence[str], lines: Sequence[str]) -> str:
    """Lines of a header that C and C++ may include twice."""
    return "\n".join(
        [
            f"#ifndef CANAO_{macro}_H",
            f"#define CANAO_{macro}_H",
            "",
            "#include <stddef.h>",
            "#include <stdint.h>",
            "",
            *(line for name in own for line in (f'#include "{name}"', "")),
            "#ifdef __cplusplus",
            'extern "C" {',
            "#endif",
            "",
            *lines,
            "#ifdef __cplusplus",
            "}",
            "#endif",
            "",
            "#endif",
            "",
        ]
    )


def model_header(program: Program, threads: int, about: str) -> str:
    """The header of a model with some inputs and outputs."""
    specs = from_files(program)
    numbers = {
        "INPUTS": len(specs),
        "OUTPUTS": len(program.outputs),
        "SIZES": len(program.symbols),
        "THREADS": min(threads, program.threads),
        "MOST_THREADS": program.threads,
    }
    declarations = [
        *defined(numbers),
        "",
        *_numbered("INPUT", specs),
        *_numbered("OUTPUT", program.outputs),
        *_numbered("SIZE", program.symbols),
        "/* The dimensions that vary, in the order of `sizes`, and how large they may be. */",
        "typedef struct {",
        "  const char *name;",
        "  int64_t low, high;",
        "} canao_model_size;",
        "extern const canao_model_size canao_model_sizes[CANAO_MODEL_SIZES + 1];",
    ]
    return header_text([about, *_described(program)], declarations, ["model.h", "run.h"])


def defined(numbers: Mapping[str, int]) -> list[str]:
    """Macros of the interface."""
    return [f"#define CANAO_MODEL_{name} {value}" for name, value in numbers.items()]


def _described(program: Program) -> list[str]:
    """Inputs, outputs and sizes, one a line."""
    rows = [f"input {n}: {_declared(spec)}" for n, spec in enumerate(from_files(program))]
    rows += [f"output {n}: {_declared(spec)}" for n, spec in enumerate(program.outputs)]
    rows += [f"size {n}: {s.name}, {s.low} to {s.high}" for n, s in enumerate(program.symbols)]
    return ["", *rows]


def _declared(spec: TensorSpec) -> str:
    shape = "".join(f"[{str(n) if is_symbolic(n) else int(n)}]" for n in spec.lengths or spec.shape)
    return f"{np.dtype(spec.dtype).name} {spec.name}{shape}"


def _numbered(kind: str, named: Sequence[Named]) -> list[str]:
    """The numbers of what has names, under these."""
    if not named:
        return []
    used: list[str] = []
    for each in named:
        word = re.sub(r"[^A-Za-z0-9_]", "_", each.name)[:60].upper() or "_"
        used.append(unused_name(word, used))
    rows = (f"  CANAO_MODEL_{kind}_{word} = {n}" for n, word in enumerate(used))
    return ["enum {", ",\n".join(rows), "};", ""]
