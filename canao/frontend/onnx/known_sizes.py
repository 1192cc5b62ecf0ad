"""The types of an ONNX model's tensors, as far as numbers tell them.

ONNX's own inference does not follow sizes through every operator, and torch-mlir's importer needs
ranks, and writes better code where it knows sizes. So where something is missing the model is run
at a few sizes of its inputs: what has one size in all runs is taken for a number. That is a guess,
which `symbolic_shapes` proves for every tensor, or refuses.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from canao.errors import InputFileError
from canao.extent import Symbol, at, symbols_in
from canao.frontend.onnx.read_file import OnnxFile, first_line

Shape = tuple[int, ...]

_SIZES = (5, 3, 7, 2, 11, 4, 6)
"""Sizes that models rarely have themselves."""


@dataclass(frozen=True)
class Guess:
    """The type of a tensor as runs showed it."""

    element: int
    """The number that ONNX has for the type of its elements."""
    sizes: tuple[int | None, ...]
    """None where runs differ."""


def typed_model(file: OnnxFile, shapes: Mapping[str, Shape]) -> tuple[Any, bool]:
    """The model, for inputs of some shapes, with the types of its tensors; `file` stays as it is.

    And whether some of them are guessed.
    """
    import onnx

    proto = onnx.ModelProto()
    proto.CopyFrom(file.proto)
    graph = proto.graph
    for value in graph.input:
        if value.name in shapes:
            _write(value.type.tensor_type, shapes[value.name])
    # What the file says of other tensors may hold for other sizes only.
    graph.ClearField("value_info")
    for value in graph.output:
        value.type.tensor_type.ClearField("shape")
    try:
        proto = onnx.shape_inference.infer_shapes(proto, data_prop=True)
    except (onnx.shape_inference.InferenceError, ValueError) as error:
        raise InputFileError(
            f"{file.path}: the shapes of the model do not fit together: {first_line(error)}"
        ) from error
    known = {value.name: value for value in (*proto.graph.value_info, *proto.graph.output)}
    made = [name for node in proto.graph.node for name in node.output if name]
    if all(name in known and _is_whole(known[name].type.tensor_type) for name in made):
        return proto, False
    for name, guess in _guesses(file, shapes).items():
        if name not in known:
            known[name] = proto.graph.value_info.add(name=name)
            known[name].type.tensor_type.elem_type = guess.element
        _write(known[name].type.tensor_type, guess.sizes)
    return proto, True


def _is_whole(tensor: Any) -> bool:
    """Whether a type has a shape of numbers."""
    return tensor.HasField("shape") and all(dim.HasField("dim_value") for dim in tensor.shape.dim)


def _write(tensor: Any, sizes: Sequence[int | None]) -> None:
    """Numbers where sizes are numbers, nothing where they vary."""
    tensor.shape.ClearField("dim")
    tensor.shape.SetInParent()
    for size in sizes:
        dim = tensor.shape.dim.add()
        if size is not None and not symbols_in([size]):
            dim.dim_value = size


def _guesses(file: OnnxFile, shapes: Mapping[str, Shape]) -> dict[str, Guess]:
    """The types of tensors by their names; what the file says for a model that cannot be run."""
    symbols = symbols_in(extent for shape in shapes.values() for extent in shape)
    seen: dict[str, Guess] = {}
    for sizes in _samples(symbols):
        try:
            found = _run(file, {n: tuple(at(e, sizes) for e in s) for n, s in shapes.items()})
        except Exception:  # whatever an operator says: these are guesses
            return _said(file)
        for name, guess in found.items():
            before = seen.get(name, guess)
            if len(before.sizes) != len(guess.sizes):
                return _said(file)
            both = zip(before.sizes, guess.sizes, strict=True)
            seen[name] = Guess(guess.element, tuple(b if b == s else None for b, s in both))
    return seen


def _said(file: OnnxFile) -> dict[str, Guess]:
    """The types that the file itself gives its tensors."""
    graph = file.proto.graph
    kinds = {value.name: value.type.tensor_type for value in (*graph.value_info, *graph.output)}
    return {
        name: Guess(
            kind.elem_type,
            tuple(dim.dim_value if dim.HasField("dim_value") else None for dim in kind.shape.dim),
        )
        for name, kind in kinds.items()
        if kind.elem_type and kind.HasField("shape")
    }


def _samples(symbols: Sequence[Symbol]) -> list[dict[str, int]]:
    """Values of the symbols: those of a first sample, and each symbol changed in turn."""
    chosen = [_two_sizes(symbol, number) for number, symbol in enumerate(symbols)]
    first = {s.name: sizes[0] for s, sizes in zip(symbols, chosen, strict=True)}
    changed = [first | {s.name: sizes[1]} for s, sizes in zip(symbols, chosen, strict=True)]
    return [first, *changed]


def _two_sizes(symbol: Symbol, number: int) -> tuple[int, int]:
    fitting = [size for size in _SIZES if symbol.low <= size <= symbol.high]
    fitting += [size for size in (symbol.low, symbol.high, symbol.low + 1) if size not in fitting]
    start = number % max(1, len(fitting) - 1)
    return fitting[start], fitting[start + 1]


def _run(file: OnnxFile, shapes: Mapping[str, Shape]) -> dict[str, Guess]:
    """The types of all tensors of the graph for inputs of some shapes, all of them ones."""
    from onnx.helper import np_dtype_to_tensor_dtype, tensor_dtype_to_np_dtype
    from onnx.reference import ReferenceEvaluator

    feeds: dict[str, Any] = {
        name: np.ones(shape, tensor_dtype_to_np_dtype(file.type_of(name).elem_type))
        for name, shape in shapes.items()
    }
    feeds |= {name: file.array_of(name) for name in file.weights}
    made = [name for node in file.proto.graph.node for name in node.output if name]
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        runner: Any = ReferenceEvaluator(file.proto, new_ops=[_gather_elements()])
        results = runner.run(made, feeds)
    return {
        name: Guess(np_dtype_to_tensor_dtype(value.dtype), value.shape)
        for name, value in zip(made, results, strict=True)
        if isinstance(value, np.ndarray | np.generic)
    }


@cache
def _gather_elements() -> Any:
    """ONNX's `GatherElements`, whose reference does not run where indices are fewer than data."""
    from onnx.reference.op_run import OpRun

    class GatherElements(OpRun):
        op_domain = ""

        def _run(self, data: Any, indices: Any, axis: int = 0) -> tuple[Any]:
            places: list[Any] = list(np.ogrid[tuple(slice(0, n) for n in indices.shape)])
            places[axis] = indices
            return (data[tuple(places)],)

    return GatherElements
