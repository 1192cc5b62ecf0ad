"""Imports ONNX files: onnx and torch-mlir, then xDSL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
import torch
from xdsl.dialects.builtin import FunctionType
from xdsl.dialects.func import FuncOp

from canao.dialects.canao import WeightOp
from canao.dialects.canao.names import ascii_name
from canao.errors import CanaoError, ShapeMismatchError, UndecidedError
from canao.extent import at, symbols_in
from canao.frontend.auto_shapes import DynamicShapes
from canao.frontend.convention import (
    Argument,
    CallConvention,
    InputTensor,
    split_example,
)
from canao.frontend.dtypes import NARROW_FLOATS, Widened, check_dtype
from canao.frontend.imported import ImportedModel, entry_point, keep_computed, parse_mlir
from canao.frontend.onnx.dimensions import example_shapes, input_shapes
from canao.frontend.onnx.known_sizes import typed_model
from canao.frontend.onnx.read_file import OnnxFile, read_onnx
from canao.frontend.onnx.to_torch import ENTRY, torch_module
from canao.frontend.onnx.write_shapes import write_shapes
from canao.frontend.shape_maps import quote_products
from canao.frontend.structure import LEAF, Structure
from canao.frontend.weights import WeightStore
from canao.transforms.convert_torch_to_canao.torch_types import tensor_type

Shape = tuple[int, ...]

_MOST_PRINTED = 4096
"""Elements of a constant in the text; larger ones are weights, which are not in it."""


_FEW = 16
"""The length of inputs that are made up."""


def import_onnx(
    path: Path, example_inputs: object = None, dynamic_shapes: DynamicShapes = None
) -> ImportedModel:
    """Imports the model in an ONNX file.

    `example_inputs` (a tuple in the order of the file, or a dict by names; tensors or arrays) fix
    the dimensions that the file leaves open, unless `dynamic_shapes` lets them vary. Without
    either, those of batch and sequence vary as for `AutoShapes`. Results are a dict by names.
    """
    started = perf_counter()
    file = read_onnx(path)
    shapes = _input_shapes(file, example_inputs, dynamic_shapes)
    dtypes = {name: _dtype(file.type_of(name)) for name in file.inputs}
    inputs = tuple(InputTensor(name, shapes[name], dtypes[name]) for name in file.inputs)
    for leaf in inputs:
        check_dtype(f"input '{leaf.name}'", leaf.dtype)
    if example_inputs is not None:
        args, kwargs = split_example(example_inputs)
        _unbound(file, inputs).flatten(args, kwargs)
    proto, guessed = typed_model(file, shapes)
    read = perf_counter()
    function_inputs = [*shapes.values(), *(tuple(w.shape) for w in file.weights.values())]
    module = torch_module(path, proto)
    try:
        write_shapes(module, ENTRY, function_inputs, guessed)
    except UndecidedError as error:
        raise UndecidedError(
            f"{error}; where the range is too large, give the model's own limits: "
            "canao.AutoShapes(batch=..., sequence=...)"
        ) from error
    text = module.get_asm(
        print_generic_op_form=True,
        large_elements_limit=_MOST_PRINTED,
        large_resource_limit=_MOST_PRINTED,
    )
    parsed = parse_mlir(quote_products(text))
    function = entry_point(parsed, ENTRY)
    store = _write_weights(function, file, len(inputs))
    outputs = {value.name: _dtype(value.type.tensor_type) for value in proto.graph.output}
    for name, dtype in outputs.items():
        check_dtype(f"output '{name}'", dtype)
    results = keep_computed(function, list(outputs.values()))
    convention = CallConvention(
        file.inputs,
        tuple(Argument(name, LEAF) for name in file.inputs),
        inputs,
        Structure("dict", file.outputs, (LEAF,) * len(file.outputs)),
        tuple(results),
        (*store.widened, *_widened(proto, inputs, outputs)),
    )
    examples = None if example_inputs is not None else ((), _short_examples(inputs))
    seconds = read - started, perf_counter() - read
    return ImportedModel(parsed, store, convention, None, *seconds, examples)


def _short_examples(inputs: Sequence[InputTensor]) -> dict[str, torch.Tensor]:
    """Inputs of ones, of a few tokens where sizes vary: what is measured unless others are given.

    The first dimension of inputs, that of batches, is as small as it may be.
    """
    symbols = symbols_in(extent for leaf in inputs for extent in leaf.shape)
    sizes = {symbol.name: min(symbol.high, max(symbol.low, _FEW)) for symbol in symbols}
    for symbol in symbols_in(leaf.shape[0] for leaf in inputs if len(leaf.shape) > 1):
        sizes[symbol.name] = symbol.low
    return {
        leaf.name: _ones([at(extent, sizes) for extent in leaf.shape], leaf.dtype)
        for leaf in inputs
    }


def example_tensors(path: Path, batch: int, sequence: int) -> tuple[dict[str, torch.Tensor], bool]:
    """Inputs of ones for the model in an ONNX file, of a batch and a length where it has them.

    And whether the file leaves any dimension open.
    """
    file = read_onnx(path)
    shapes, varies = example_shapes(file, batch, sequence)
    tensors = {n: _ones(shape, _dtype(file.type_of(n))) for n, shape in shapes.items()}
    return tensors, varies


def _ones(shape: Sequence[int], dtype: str) -> torch.Tensor:
    return torch.ones(tuple(shape), dtype=getattr(torch, dtype))


def _dtype(tensor: Any) -> str:
    """The dtype of a `TypeProto.Tensor`, by the name that PyTorch has for it."""
    from onnx.helper import tensor_dtype_to_np_dtype

    try:
        return np.dtype(tensor_dtype_to_np_dtype(tensor.elem_type)).name
    except (KeyError, TypeError) as error:
        raise CanaoError(
            f"a tensor has the type {tensor.elem_type}, which ONNX does not know"
        ) from error


def _unbound(file: OnnxFile, inputs: Sequence[InputTensor]) -> CallConvention:
    """How arguments are given; what comes back is not known yet."""
    arguments = tuple(Argument(name, LEAF) for name in file.inputs)
    return CallConvention(file.inputs, arguments, tuple(inputs), LEAF, ())


def _input_shapes(
    file: OnnxFile, example_inputs: object, dynamic_shapes: DynamicShapes
) -> dict[str, Shape]:
    """The shape of each input, for the examples and what is asked to vary."""
    if example_inputs is None:
        return input_shapes(file, None, dynamic_shapes)
    args, kwargs = split_example(example_inputs)
    given = dict[str, Any](_unbound(file, ()).bound(args, kwargs))
    for name, value in given.items():
        if getattr(value, "shape", None) is None:
            raise ShapeMismatchError(
                f"input '{name}' must be a tensor or an array, got a {type(value).__name__}"
            )
    example = {name: tuple(map(int, value.shape)) for name, value in given.items()}
    return input_shapes(file, example, dynamic_shapes)


def _write_weights(function: FuncOp, file: OnnxFile, inputs: int) -> WeightStore:
    """References in place of the arguments behind those that callers give."""
    store = WeightStore()
    block = function.body.block
    first = block.first_op
    assert first is not None
    for argument, (name, tensor) in zip(
        list(block.args[inputs:]), file.weights.items(), strict=True
    ):
        if argument.uses.get_length() == 0:
            block.erase_arg(argument)
            continue
        held = tensor_type(argument.type, f"weight '{name}'")
        assert held is not None
        weight = WeightOp(store.add(ascii_name(name), tensor), held)
        block.insert_op_before(weight, first)
        argument.replace_all_uses_with(weight.result)
        block.erase_arg(argument)
    function.function_type = FunctionType.from_lists(
        [argument.type for argument in block.args], list(function.function_type.outputs)
    )
    return store


def _widened(
    proto: Any, inputs: Sequence[InputTensor], outputs: Mapping[str, str]
) -> list[Widened]:
    """The inputs, results and values of narrow floats; of values, where wider ones are narrowed."""
    tensors = [("input", leaf.name, leaf.dtype) for leaf in inputs]
    tensors += [("result", name, dtype) for name, dtype in outputs.items()]
    graph = proto.graph
    types = {v.name: v.type.tensor_type for v in (*graph.value_info, *graph.input, *graph.output)}
    narrow = {name for name, tensor in types.items() if _dtype(tensor) in NARROW_FLOATS}
    for node in graph.node:
        if not narrow.intersection(node.input):
            tensors += [("value", n, _dtype(types[n])) for n in node.output if n in narrow]
    return [Widened(*tensor) for tensor in tensors if tensor[-1] in NARROW_FLOATS]
