"""ONNX files, read and checked, with their weights taken out of the graph."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import ml_dtypes
import numpy as np
import torch

from canao.errors import (
    InputFileError,
    MissingExtraError,
    UnsupportedModelError,
    UnsupportedOpError,
)
from canao.frontend.dtypes import Array, check_dtype
from canao.frontend.onnx.external_data import tensor_array
from canao.frontend.weights import is_small

OPSETS = range(13, 24)
"""Versions of ONNX's operators that are imported."""

_STANDARD = ("", "ai.onnx")


@dataclass(frozen=True)
class OnnxFile:
    """A checked model whose weights are inputs of its graph, behind those that callers give."""

    path: Path
    proto: Any
    """A `ModelProto`. Its nodes have names that tell people where they are."""
    inputs: tuple[str, ...]
    """The names of what callers give, in order."""
    outputs: tuple[str, ...]
    weights: dict[str, torch.Tensor]
    """Values of the other inputs of the graph, in order."""

    def type_of(self, name: str) -> Any:
        """The `TypeProto.Tensor` of an input that callers give."""
        return next(i.type.tensor_type for i in self.proto.graph.input if i.name == name)

    def array_of(self, name: str) -> Array:
        """A weight as numpy has it."""
        weight = self.weights[name]
        if weight.dtype == torch.bfloat16:
            return weight.view(torch.int16).numpy().view(ml_dtypes.bfloat16)
        return weight.numpy()


def read_onnx(path: Path) -> OnnxFile:
    """The model in a file. `InputFileError` for one that is broken or no ONNX file.

    `UnsupportedOpError` names the operator and the node of one that ONNX does not know;
    `MissingExtraError` where the package that reads such files is not installed.
    """
    if find_spec("onnx") is None:
        raise MissingExtraError("reading ONNX files", "onnx")
    proto = _inlined(path, _parsed(path))
    _check_kinds(path, proto)
    _check_operators(path, proto)
    _name_nodes(proto.graph)
    weights = _take_weights(path, proto)
    _check(path, proto)
    given = tuple(i.name for i in proto.graph.input if i.name not in weights)
    outputs = tuple(o.name for o in proto.graph.output)
    return OnnxFile(path, proto, given, outputs, weights)


def _parsed(path: Path) -> Any:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        data = path.read_bytes()
    except OSError as error:
        raise InputFileError(
            f"cannot read '{path}': {error.strerror}; check the path and its permissions"
        ) from error
    try:
        proto = onnx.load_model_from_string(data)
    except DecodeError as error:
        raise InputFileError(
            f"{path} is no ONNX file, or a part of one; write or copy it again"
        ) from error
    if not (proto.ir_version and proto.opset_import and proto.HasField("graph")):
        raise InputFileError(f"{path} is no ONNX file: it holds no graph of operators")
    return proto


def _inlined(path: Path, proto: Any) -> Any:
    """The model without functions of its own: calls are what the functions say."""
    if not proto.functions:
        return proto
    from onnx.inliner import inline_local_functions

    try:
        return inline_local_functions(proto)
    except Exception as error:  # the package has no class of its own for what may go wrong
        raise InputFileError(
            f"{path}: the functions of the model cannot be called ({first_line(error)}); export it "
            "again"
        ) from error


def _check_kinds(path: Path, proto: Any) -> None:
    """An error for what is in the graph and is neither a node nor a dense tensor."""
    graph = proto.graph
    if graph.sparse_initializer:
        raise UnsupportedModelError(f"{path} has sparse weights; store them as dense ones")
    known = {tensor.name for tensor in graph.initializer}
    for what, values in (("input", graph.input), ("output", graph.output)):
        for value in values:
            kind = value.type.WhichOneof("value")
            if kind != "tensor_type" and value.name not in known:
                raise UnsupportedModelError(
                    f"{path}: {what} '{value.name}' is a {kind or 'value without a type'}, and "
                    "must be a tensor; export the model with tensors only"
                )


def _check_operators(path: Path, proto: Any) -> None:
    """An error for a version of the operators, or an operator, that is not known."""
    import onnx

    versions = {each.domain: each.version for each in proto.opset_import}
    version = versions.get("", versions.get("ai.onnx", 0))
    if version not in OPSETS:
        raise InputFileError(
            f"{path} uses version {version} of ONNX's operators, and versions {OPSETS[0]} to "
            f"{OPSETS[-1]} are read; export it for one of these, or convert it with "
            f"onnx.version_converter.convert_version(model, 18)"
        )
    for node in _nodes(proto.graph):
        known = node.domain in _STANDARD and onnx.defs.has(node.op_type, version, "")
        if not known:
            name = ".".join(filter(None, (node.domain, node.op_type)))
            raise UnsupportedOpError(name, place_of(node))


def _nodes(graph: Any) -> Iterator[Any]:
    """The nodes of a graph and of the graphs inside them."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)


def place_of(node: Any) -> str:
    """Where an operator stands, as messages say it: the name of its node, or of its result."""
    if node.name:
        return f"node '{node.name}'"
    made = next(filter(None, node.output), "")
    return f"the {node.op_type} node that makes '{made}'"


def _name_nodes(graph: Any) -> None:
    for node in _nodes(graph):
        node.name = place_of(node)


def _take_weights(path: Path, proto: Any) -> dict[str, torch.Tensor]:
    """Makes inputs of all tensors of the graph that are too large for its text."""
    graph = proto.graph
    taken: dict[str, torch.Tensor] = {}
    kept: list[Any] = []
    for tensor in graph.initializer:
        _take(path, tensor, tensor.name, taken, kept)
    nodes: list[Any] = []
    for node in graph.node:
        value = _constant_of(node)
        if value is None or not _take(path, value, node.output[0], taken, []):
            nodes.append(node)
    known = {*taken, *(tensor.name for tensor in kept)}
    given = [value for value in graph.input if value.name not in known]
    for field, items in (("initializer", kept), ("node", nodes), ("input", given)):
        graph.ClearField(field)
        getattr(graph, field).extend(items)
    for name, tensor in taken.items():
        graph.input.append(_input_of(name, tensor))
    return taken


def _constant_of(node: Any) -> Any | None:
    """The tensor that a node holds, if it does."""
    if node.op_type != "Constant" or len(node.output) != 1:
        return None
    return next((a.t for a in node.attribute if a.name == "value" and a.HasField("t")), None)


def _take(
    path: Path, tensor: Any, name: str, taken: dict[str, torch.Tensor], kept: list[Any]
) -> bool:
    """Whether a tensor is a weight now; its values, if not, are in the graph, not in a file."""
    from onnx.helper import tensor_dtype_to_np_dtype
    from onnx.numpy_helper import from_array

    try:
        dtype = np.dtype(tensor_dtype_to_np_dtype(tensor.data_type))
    except (KeyError, TypeError) as error:
        raise InputFileError(
            f"{path}: tensor '{name}' has type {tensor.data_type}, which ONNX does not know; "
            "write the file again"
        ) from error
    array = tensor_array(tensor, path)
    if array.size == 0 or is_small(array.dtype.kind not in "iub", array.size):
        if tensor.external_data:
            tensor.CopyFrom(from_array(np.asarray(array), tensor.name))
        kept.append(tensor)
        return False
    check_dtype(f"{path}: weight '{name}'", dtype.name)
    taken[name] = _as_torch(array)
    return True


def _as_torch(array: Array) -> torch.Tensor:
    """A tensor in the memory of an array, or in its own where that may not be written to."""
    array = array if array.flags.writeable else array.copy()
    if array.dtype.name == "bfloat16":
        return torch.from_numpy(array.view(np.int16)).view(torch.bfloat16)
    return torch.from_numpy(array)


def _input_of(name: str, tensor: torch.Tensor) -> Any:
    import onnx
    from onnx.helper import make_tensor_value_info

    names = {"float32": "FLOAT", "float64": "DOUBLE"}
    dtype = str(tensor.dtype).removeprefix("torch.")
    kind = onnx.TensorProto.DataType.Value(names.get(dtype, dtype.upper()))
    return make_tensor_value_info(name, kind, tuple(tensor.shape))


def _check(path: Path, proto: Any) -> None:
    """An error where the graph breaks the rules of ONNX."""
    import onnx

    checked = onnx.ModelProto()
    checked.CopyFrom(proto)
    for value in (*checked.graph.input, *checked.graph.output):
        # Files may leave out what the checker wants; it is known or inferred later.
        value.type.tensor_type.shape.SetInParent()
    try:
        onnx.checker.check_model(checked)
    except (onnx.checker.ValidationError, ValueError) as error:
        raise InputFileError(
            f"{path} breaks a rule of ONNX: {first_line(error)}; export it again"
        ) from error


def first_line(error: object) -> str:
    """The first line of a message, which may repeat the whole model."""
    line = (str(error).strip().splitlines() or [type(error).__name__])[0]
    return line[:300]
