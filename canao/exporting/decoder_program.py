"""Writing a decoder as a C program that continues texts: tokens in, tokens out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from canao.exporting.c_program import kernels_text, write_build
from canao.exporting.features import asked_text
from canao.exporting.header import (
    USUAL_NAME,
    check_name,
    defined,
    exporting_text,
    header_text,
    renamed,
)
from canao.exporting.interface import from_c, main_text, model_text
from canao.exporting.metadata import metadata_text
from canao.exporting.tables import tables_text
from canao.exporting.weight_file import NAME, write_weights
from canao.files import replace_text
from canao.machine.target import Target
from canao.program import Program
from canao.runtime.module import Array

_KIND = "decoder"
"""What begins the names of the interface, behind the name of the export."""
_INPUTS = {
    "CANAO_IDS": "input_ids",
    "CANAO_POSITIONS": "position_ids",
    "CANAO_LAST": "last",
    "CANAO_MASK": "mask",
}
_SIZES = {"CANAO_SEQUENCE": "sequence", "CANAO_PAST": "past"}


@dataclass(frozen=True)
class DecoderStep:
    """Which parts of a compiled step are what."""

    layers: int
    """How many tables of keys there are, called `keys.0` and so on, and as many of values."""
    results: tuple[int, ...]
    """The outputs that hold the logits, then the new keys of each layer, then the new values."""
    longest: int
    """Tokens of a text at most."""
    chunk: int
    """Tokens of a run at most."""
    ends: tuple[int, ...]
    """Tokens that end a text."""


def export_decoder(
    program: Program,
    weights: Sequence[Array],
    directory: Path,
    step: DecoderStep,
    *,
    threads: int,
    target: Target,
    name: str = USUAL_NAME,
) -> Path:
    """Write the files of `export_program`, for a step with keys and values of earlier tokens.

    Functions are called `{name}_decoder_open` and so on; `main.c` continues a text.
    """
    check_name(name)
    written = write_weights(directory / NAME, program, weights)
    vocabulary = program.outputs[step.results[0]].shape[0]
    numbers = {
        "VOCABULARY": vocabulary,
        "LONGEST": step.longest,
        "THREADS": min(threads, program.threads),
        "MOST_THREADS": program.threads,
        "END_COUNT": len(step.ends),
    }
    tables = [
        *tables_text(program, written, arena_bytes=program.arena_bytes),
        *_roles(program, step),
    ]
    texts = {
        "model.h": header_text(
            ["A decoder compiled by canao: tokens in, the chances of the next one out."],
            [*defined(numbers), f"#define CANAO_MODEL_ENDS {', '.join(map(str, step.ends)) or 0}"],
            ["model.h", "decoder.h"],
        ),
        "model.c": model_text(
            tables,
            processor=[*asked_text(), exporting_text("processor.c")],
            kernels=from_c(),
            parts=["decoder.c", "pick.c"],
        ),
        "kernels.c": kernels_text(program),
        "main.c": main_text("decoder_main.c"),
    }
    for file, text in texts.items():
        replace_text(directory / file, renamed(text, name, _KIND))
    about = {
        "vocabulary": vocabulary,
        "longest": step.longest,
        "layers": step.layers,
        "end_tokens": list(step.ends),
    }
    more = {"decoder": about}
    replace_text(directory / "metadata.json", metadata_text(program, written, threads, more))
    write_build(directory, target, f"{name}_{_KIND}", {}, readme="README.decoder.in")
    return directory


def _roles(program: Program, step: DecoderStep) -> list[str]:
    """The numbers of inputs, outputs and sizes by what they are, as lines of C."""
    inputs = {spec.name: number for number, spec in enumerate(program.inputs)}
    sizes = {symbol.name: number for number, symbol in enumerate(program.symbols)}
    numbers = {
        "CANAO_LAYERS": step.layers,
        "CANAO_CHUNK": step.chunk,
        "CANAO_LOGITS": step.results[0],
        **{macro: inputs[name] for macro, name in _INPUTS.items()},
        **{macro: sizes[name] for macro, name in _SIZES.items()},
    }
    return [
        *(f"#define {name} {value}" for name, value in numbers.items()),
        "typedef struct {",
        "  int input, output; /* earlier tokens; new ones */",
        "} canao_cached;",
        *_cached("keys", inputs, step.results[1 : 1 + step.layers]),
        *_cached("values", inputs, step.results[1 + step.layers :]),
    ]


def _cached(kind: str, inputs: Mapping[str, int], outputs: Sequence[int]) -> list[str]:
    rows = [f"  {{{inputs[f'{kind}.{n}']}, {output}}}," for n, output in enumerate(outputs)]
    return [f"static const canao_cached canao_{kind}[CANAO_LAYERS] = {{", *rows, "};"]
