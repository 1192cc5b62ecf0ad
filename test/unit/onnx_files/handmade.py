"""ONNX graphs written by hand, and what onnxruntime makes of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
import onnxruntime
from onnx import helper
from onnx.numpy_helper import from_array

Array = npt.NDArray[Any]

_IR_VERSION = 8
"""What onnxruntime and all versions of operators here take."""


def model_of(
    nodes: Sequence[Any],
    inputs: Mapping[str, tuple[str, Sequence[int | str | None]]],
    outputs: Mapping[str, str],
    constants: Mapping[str, Any] | None = None,
    opset: int = 17,
) -> Any:
    """A model; `inputs` have dtype and shape, `outputs` a dtype, `constants` values."""
    graph = helper.make_graph(
        list(nodes),
        "handmade",
        [helper.make_tensor_value_info(n, _kind(d), list(s)) for n, (d, s) in inputs.items()],
        [helper.make_tensor_value_info(n, _kind(d), None) for n, d in outputs.items()],
        [from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=_IR_VERSION)


def _kind(dtype: str) -> int:
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def dense_model(shape: Sequence[int | str | None] = ("batch", 6), opset: int = 17) -> Any:
    """A dense layer with a GELU written out: a file as models have them, but small."""
    random = np.random.default_rng(0)
    node = helper.make_node
    nodes = [
        node("MatMul", ["x", "w"], ["product"], name="/dense/MatMul"),
        node("Add", ["product", "b"], ["sum"], name="/dense/Add"),
        node("Div", ["sum", "root"], ["divided"]),
        node("Erf", ["divided"], ["erf"]),
        node("Add", ["erf", "one"], ["raised"]),
        node("Mul", ["sum", "raised"], ["doubled"]),
        node("Mul", ["doubled", "half"], ["y"]),
    ]
    constants = {
        "w": random.standard_normal((6, 20), np.float32),
        "b": random.standard_normal(20, np.float32),
        "root": np.float32(2**0.5),
        "one": np.float32(1),
        "half": np.float32(0.5),
    }
    return model_of(nodes, {"x": ("float32", shape)}, {"y": "float32"}, constants, opset)


def saved(model: Any, folder: Path, name: str = "model.onnx") -> Path:
    """The path of a model, written to a folder."""
    path = folder / name
    onnx.save(model, path)
    return path


def onnxruntime_results(path: Path, inputs: Mapping[str, Array]) -> dict[str, Array]:
    """The results of a file by their names."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(path), options)
    names = [output.name for output in session.get_outputs()]
    given = {name: np.asarray(value) for name, value in inputs.items()}
    results: Any = session.run(names, given)
    return dict(zip(names, results, strict=True))


def assert_same(found: Mapping[str, Any], wanted: Mapping[str, Array], close: float = 1e-5) -> None:
    """Results of a compiled model have the names, dtypes, shapes and values of onnxruntime's."""
    assert list(found) == list(wanted)
    for name, expected in wanted.items():
        array = found[name].numpy()
        assert (array.shape, array.dtype) == (expected.shape, expected.dtype), name
        np.testing.assert_allclose(array, expected, rtol=close, atol=close, err_msg=name)
