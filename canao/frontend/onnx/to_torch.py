"""ONNX graphs in the torch dialect, by torch-mlir's importer and its passes."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from torch_mlir import ir as torch_mlir_ir
from torch_mlir import passmanager as torch_mlir_passes
from torch_mlir.dialects import torch as torch_dialect

from canao.errors import UnsupportedModelError, UnsupportedOpError
from canao.frontend.onnx.lookups import index_by_columns
from canao.frontend.onnx.read_file import first_line
from canao.transforms.convert_torch_to_canao.table import CONVERSIONS

# The bindings come without types.
ir: Any = torch_mlir_ir
passes: Any = torch_mlir_passes

ENTRY = "main"

_ONNX = "onnx."
_UNNAMED = "the graph"
_LOCATION = re.compile(r'"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(rb"\\([0-9A-F]{2})")
_REFUSED = re.compile(r'name = "onnx\.(\w+)"')


def torch_module(path: Path, proto: Any) -> Any:
    """A typed model in the torch dialect, operators without a conversion taken apart.

    `UnsupportedOpError` names the operator and the node of one that torch-mlir has no way to write.
    """
    from torch_mlir.extras import onnx_importer

    proto.graph.name = ENTRY
    context = ir.Context()
    torch_dialect.register_dialect(context)
    info = onnx_importer.ModelInfo(proto)
    module = info.create_module(context=context).operation
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            importer = onnx_importer.NodeImporter.define_function(
                info.main_graph, module, context_cache=_types()(context)
            )
            importer.import_all()
    except onnx_importer.OnnxImportError as error:
        raise UnsupportedModelError(
            f"torch-mlir cannot import {path}: {first_line(error)}; export it another way"
        ) from error
    index_by_columns(module)
    _run(path, module, "func.func(convert-torch-onnx-to-torch)")
    for op in _operations(module):
        if op.name == "torch.operator":
            name = ir.StringAttr(op.attributes["name"]).value
            raise UnsupportedOpError(name.removeprefix(_ONNX), place_of_op(op))
    legal = ",".join(sorted(name.removeprefix("torch.") for name in CONVERSIONS))
    _run(path, module, f"torch-onnx-to-torch-backend-pipeline{{backend-legal-ops={legal}}}")
    return module


def _run(path: Path, module: Any, names: str) -> None:
    try:
        with module.context:
            passes.PassManager.parse(f"builtin.module({names})").run(module)
    except ir.MLIRError as error:
        told = next((each for each in error.error_diagnostics if str(each.message)), error)
        place = _named(getattr(told, "location", None))
        what = first_line(str(told.message))
        refused = _REFUSED.search(what)
        if refused is not None:
            hint = "its operands do not fit, or have shapes or types that torch-mlir does not take"
            raise UnsupportedOpError(refused[1], place, hint) from error
        raise UnsupportedModelError(
            f"torch-mlir cannot bring {path} into the torch dialect: {place}: {what}; export it "
            "another way, or for fixed shapes"
        ) from error


def _operations(module: Any) -> Iterator[Any]:
    """The operations of a module, inner ones too."""
    for region in module.regions:
        for block in region.blocks:
            for each in block.operations:
                yield each.operation
                yield from _operations(each.operation)


def place_of_op(op: Any) -> str:
    """Which node of the ONNX graph an operation comes from."""
    return _named(op.location)


def _named(location: Any) -> str:
    """The name of the first node in a location."""
    found = _LOCATION.search(str(location))
    if found is None:
        return _UNNAMED
    # MLIR writes what is not plain as two hexadecimal digits a byte.
    parts = _ESCAPE.sub(lambda m: bytes.fromhex(m[1].decode()), found[1].encode())
    return parts.replace(b"\\\\", b"\\").decode("utf-8", "replace")


@cache
def _types() -> type[Any]:
    """The importer's types and attributes, where its own would be wrong or too large.

    A tensor without a shape is one of any rank there, and not one of rank 0; constants are
    attributes with values that passes can fold.
    """
    from torch_mlir.extras import onnx_importer

    class Types(onnx_importer.ContextCache):
        __slots__ = ()

        def type_proto_to_type(self, tp: Any) -> Any:
            tensor = getattr(tp, "tensor_type", None)
            if tensor is None or not tensor.elem_type or tensor.HasField("shape"):
                return super().type_proto_to_type(tp)
            element = self.tensor_element_type(tensor.elem_type)
            return ir.Type.parse(f"!torch.vtensor<*,{element}>", context=self._c)

        def tensor_proto_to_attr(self, tp: Any) -> Any:
            from onnx.numpy_helper import to_array

            array = np.ascontiguousarray(to_array(tp)).reshape(tuple(tp.dims))
            element = self.tensor_element_type(tp.data_type)
            if array.dtype.kind == "V" or array.dtype.name in ("bfloat16", "object"):
                raise onnx_importer.OnnxImportError(
                    f"constant '{tp.name}' has elements of type {element}"
                )
            with self._c:
                return ir.DenseElementsAttr.get(array, type=element, shape=array.shape)

    return Types
