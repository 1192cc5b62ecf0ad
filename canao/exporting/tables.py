"""What the host of an exported program must know of it, as lines of C.

Lengths that are known when the program runs are expressions over `sizes`, the values of the
program's symbols.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from canao.exporting.weight_file import WeightFile
from canao.extent import terms_of
from canao.lowering.c.literals import c_string
from canao.program import Program, TensorSpec
from canao.task_count import SIZE, Count

_OPERATORS = {"add": "+", "subtract": "-", "multiply": "*", "divide": "/"}
_COMPARISONS = {"min": "<", "max": ">"}


def from_files(program: Program) -> Sequence[TensorSpec]:
    """Inputs that come from files: all but the sizes, which the command line has."""
    return program.inputs[:-1] if program.symbols else program.inputs


def tables_text(program: Program, weights: WeightFile, *, arena_bytes: int) -> list[str]:
    """The numbers that the functions of `model.h` need, as lines of C.

    `arena_bytes` is what the host allocates.
    """
    tensors = (*program.inputs, *program.outputs)
    counts = {
        "CANAO_INPUTS": len(program.inputs),
        "CANAO_INPUT_FILES": len(from_files(program)),
        "CANAO_OUTPUTS": len(program.outputs),
        "CANAO_WEIGHTS": len(program.weights),
        "CANAO_SIZES": len(program.symbols),
        "CANAO_RANK": max([1, *(len(spec.shape) for spec in tensors)]),
        "CANAO_ARENA_BYTES": f"((size_t){arena_bytes}u)",
        "CANAO_WEIGHT_FILE_BYTES": f"((size_t){weights.bytes}u)",
        "CANAO_WEIGHTS_HASH": ", ".join(map(str, weights.program)),
    }
    return [
        *(f"#define {name} {value}" for name, value in counts.items()),
        *_bytes_table("canao_input_bytes", [spec.bytes for spec in program.inputs]),
        *_bytes_table("canao_output_bytes", [spec.bytes for spec in program.outputs]),
        *_bytes_table("canao_weight_offsets", weights.offsets),
        "typedef struct {",
        "  int rank, varies; /* varies: whether its room is larger than some of its arrays */",
        "  size_t element, room[CANAO_RANK]; /* bytes; elements along each dimension */",
        "} canao_tensor;",
        *_tensors("canao_input", program.inputs),
        *_tensors("canao_output", program.outputs),
    ]


def sizes_text(program: Program) -> list[str]:
    """The sizes, and functions that write how long inputs and outputs are along each dimension."""
    return [
        "const canao_model_size canao_model_sizes[CANAO_SIZES + 1] = {",
        *(f"  {{{c_string(s.name)}, {s.low}, {s.high}}}," for s in program.symbols),
        "  {0, 0, 0},",
        "};",
        *_lengths("canao_input", program.inputs, program),
        *_lengths("canao_output", program.outputs, program),
    ]


def _bytes_table(name: str, values: Sequence[int]) -> list[str]:
    items = ", ".join(f"{value}u" for value in values) or "0"
    return [f"static const size_t {name}[] = {{{items}}};"]


def _tensors(prefix: str, specs: Sequence[TensorSpec]) -> list[str]:
    rows: list[str] = []
    for spec in specs:
        room = ", ".join(f"{length}u" for length in spec.shape) or "0"
        element = np.dtype(spec.dtype).itemsize
        rows.append(f"  {{{len(spec.shape)}, {int(bool(spec.lengths))}, {element}u, {{{room}}}}},")
    return [
        f"static const canao_tensor {prefix}_tensors[] = {{",
        *rows,
        "  {0, 0, 1, {0}},",
        "};",
    ]


def _lengths(prefix: str, specs: Sequence[TensorSpec], program: Program) -> list[str]:
    """A function that does so for some tensors."""
    names = [symbol.name for symbol in program.symbols]
    rows = [
        f"  lengths[{n}][{axis}] = (size_t)({_polynomial(length, names)});"
        for n, spec in enumerate(specs)
        for axis, length in enumerate(spec.lengths or spec.shape)
    ]
    return [
        f"static void {prefix}_lengths(const int64_t *sizes, size_t (*lengths)[CANAO_RANK]) {{",
        "  (void)sizes, (void)lengths;",
        *rows,
        "}",
    ]


def _polynomial(extent: int, symbols: Sequence[str]) -> str:
    terms = [
        " * ".join((f"{factor}ll", *(f"sizes[{symbols.index(s.name)}]" for s in monomial)))
        for monomial, factor in terms_of(extent)
    ]
    return " + ".join(terms) or "0"


def groups_text(counts: Sequence[Count]) -> list[str]:
    """A function that writes the work-groups of each step of an OpenCL program."""
    rows = [f"  groups[{n}] = (size_t)({_count(count)});" for n, count in enumerate(counts)]
    used = [name for name in _COMPARISONS if any(f"canao_{name}(" in row for row in rows)]
    return [
        *(
            f"static int64_t canao_{name}(int64_t a, int64_t b) "
            f"{{ return a {_COMPARISONS[name]} b ? a : b; }}"
            for name in used
        ),
        "static void canao_step_groups(const int64_t *sizes, size_t *groups) {",
        "  (void)sizes, (void)groups;",
        *rows,
        "}",
    ]


def _count(count: Count) -> str:
    if isinstance(count, int):
        return f"{count}ll"
    name, *operands = count
    if name == SIZE:
        return f"sizes[{operands[0]}]"
    left, right = map(_count, operands)
    if name in _COMPARISONS:
        return f"canao_{name}({left}, {right})"
    return f"({left} {_OPERATORS[name]} {right})"
