"""What is wrong with a file, or not compiled, is one error that says what and where."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper
from unit.onnx_files.handmade import dense_model, model_of, saved

import canao
from canao.cli import main
from canao.frontend.onnx.onnx_import import import_onnx

node = helper.make_node


def _truncated(folder: Path) -> Path:
    whole = dense_model().SerializeToString()
    path = folder / "model.onnx"
    path.write_bytes(whole[: len(whole) // 2])
    return path


def _text(folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_text("no model at all\n" * 10)
    return path


def _empty(folder: Path) -> Path:
    path = folder / "model.onnx"
    path.write_bytes(b"")
    return path


def _missing(folder: Path) -> Path:
    return folder / "missing.onnx"


def _of_node(*args: Any, opset: int = 17, **attributes: Any) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        nodes = [node(*args, **attributes)]
        model = model_of(nodes, {"x": ("float32", (2, 3))}, {"y": "float32"}, opset=opset)
        return saved(model, folder)

    return make


def _foreign(folder: Path) -> Path:
    model = dense_model()
    model.graph.node[0].domain = "com.microsoft"
    model.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return saved(model, folder)


def _branch(folder: Path) -> Path:
    kinds = [helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, [2, 3])]
    arms = [
        helper.make_graph([node(kind, ["x"], ["z"])], kind, [], kinds) for kind in ("Relu", "Tanh")
    ]
    nodes = [
        node("ReduceMax", ["x"], ["most"], keepdims=0),
        node("Cast", ["most"], ["positive"], to=onnx.TensorProto.BOOL),
        node("If", ["positive"], ["y"], then_branch=arms[0], else_branch=arms[1], name="/choice"),
    ]
    return saved(model_of(nodes, {"x": ("float32", (2, 3))}, {"y": "float32"}), folder)


def _external(location: str, offset: int = 0, extra: int = 0) -> Callable[[Path], Path]:
    """A model whose weight lies in a file that has `extra` bytes more than it takes."""

    def make(folder: Path) -> Path:
        model = dense_model()
        (weight,) = (t for t in model.graph.initializer if t.name == "w")
        size = len(weight.raw_data)
        weight.ClearField("raw_data")
        weight.data_location = onnx.TensorProto.EXTERNAL
        for key, value in (("location", location), ("offset", str(offset)), ("length", str(size))):
            entry = weight.external_data.add()
            entry.key, entry.value = key, value
        (folder / "inner").mkdir()
        path = folder / "inner" / "model.onnx"
        path.write_bytes(model.SerializeToString())
        for place in (folder / "outside.data", folder / "inner" / "beside.data"):
            place.write_bytes(bytes(size + extra))
        (folder / "inner" / "link.data").symlink_to(folder / "outside.data")
        return path

    return make


def _lying_size(folder: Path) -> Path:
    model = dense_model()
    (weight,) = (t for t in model.graph.initializer if t.name == "w")
    weight.dims[0] = 2**40
    return saved(model, folder)


def _huge(folder: Path) -> Path:
    return saved(dense_model((2**45, 6)), folder)


def _values_decide(folder: Path) -> Path:
    nodes = [node("NonZero", ["x"], ["found"], name="/where"), node("Cast", ["found"], ["y"], to=1)]
    return saved(model_of(nodes, {"x": ("float32", (2, 3))}, {"y": "float32"}), folder)


def _does_not_fit(folder: Path) -> Path:
    constants = {"w": np.ones((4, 5), np.float32)}
    nodes = [node("MatMul", ["x", "w"], ["y"], name="/bad")]
    return saved(model_of(nodes, {"x": ("float32", (2, 3))}, {"y": "float32"}, constants), folder)


def _sequence(folder: Path) -> Path:
    nodes = [node("SequenceConstruct", ["x"], ["y"])]
    model = model_of(nodes, {"x": ("float32", (2, 3))}, {"y": "float32"})
    kind = helper.make_tensor_sequence_value_info("y", onnx.TensorProto.FLOAT, [2, 3])
    model.graph.output[0].CopyFrom(kind)
    return saved(model, folder)


def _cycle(folder: Path) -> Path:
    nodes = [node("Add", ["x", "b"], ["a"]), node("Relu", ["a"], ["b"]), node("Relu", ["b"], ["y"])]
    return saved(model_of(nodes, {"x": ("float32", (2, 3))}, {"y": "float32"}), folder)


def _backwards(folder: Path) -> Path:
    constants = {
        name: np.array([number], np.int64)
        for name, number in {"start": -1, "end": -9, "axis": 1, "step": -1}.items()
    }
    nodes = [node("Slice", ["x", *constants], ["y"], name="/turn")]
    return saved(model_of(nodes, {"x": ("float32", (2, 3))}, {"y": "float32"}, constants), folder)


_BROKEN: dict[str, tuple[Callable[[Path], Path], type[canao.CanaoError], str]] = {
    "truncated": (_truncated, canao.InputFileError, "is no ONNX file, or a part of one"),
    "text": (_text, canao.InputFileError, "is no ONNX file"),
    "empty": (_empty, canao.InputFileError, "is no ONNX file"),
    "unknown operator": (
        _of_node("Frobnicate", ["x"], ["y"], name="/layer/odd"),
        canao.UnsupportedOpError,
        "operator 'Frobnicate' at node '/layer/odd' is not supported",
    ),
    "operator without a conversion": (
        _of_node("Det", ["x"], ["y"]),
        canao.CanaoError,
        "Det",
    ),
    "operator of another domain": (
        _foreign,
        canao.UnsupportedOpError,
        "operator 'com.microsoft.MatMul' at node '/dense/MatMul'",
    ),
    "a branch": (_branch, canao.UnsupportedOpError, "operator 'If' at node '/choice'"),
    "old operators": (
        _of_node("Relu", ["x"], ["y"], opset=9),
        canao.InputFileError,
        "version 9 of ONNX's operators, and versions 13 to",
    ),
    "operators of the future": (
        _of_node("Relu", ["x"], ["y"], opset=99),
        canao.InputFileError,
        "version 99 of ONNX's operators",
    ),
    "no external data": (
        _external("gone.data"),
        canao.InputFileError,
        "gone.data, which does not exist",
    ),
    "data above the folder": (
        _external("../outside.data"),
        canao.InputFileError,
        "data must lie in the folder of the model",
    ),
    "data at a link that leads outside": (
        _external("link.data"),
        canao.InputFileError,
        "data must lie in the folder of the model",
    ),
    "data anywhere": (
        _external("/etc/passwd"),
        canao.InputFileError,
        "data must lie in the folder of the model",
    ),
    "too little external data": (
        _external("beside.data", offset=16),
        canao.InputFileError,
        "takes 480 bytes, and .* has 464 for it",
    ),
    "a size that its data does not have": (_lying_size, canao.InputFileError, "tensor 'w'"),
    "sizes beyond memory": (_huge, canao.CanaoError, "larger than this machine's memory"),
    "shapes that values decide": (
        _values_decide,
        canao.CanaoError,
        "/where",
    ),
    "shapes that do not fit": (
        _does_not_fit,
        canao.UnsupportedOpError,
        "operator 'MatMul' at node '/bad'.*its operands do not fit",
    ),
    "a sequence": (_sequence, canao.UnsupportedModelError, "output 'y' is a sequence_type"),
    "a cycle": (_cycle, canao.InputFileError, "breaks a rule of ONNX"),
    "a slice backwards": (_backwards, canao.UnsupportedOpError, "at node '/turn'.*its step is -1"),
}


@pytest.mark.parametrize("name", sorted(_BROKEN))
def test_refused_files(name: str, tmp_path: Path) -> None:
    make, error, message = _BROKEN[name]
    path = make(tmp_path)
    with pytest.raises(error, match=message):
        canao.compile(path, tune="off", threads=1, cache_dir=tmp_path / "cache")


@pytest.mark.parametrize("name", ["missing", "truncated", "unknown operator", "no external data"])
def test_the_command_ends_with_one_error(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = (_missing if name == "missing" else _BROKEN[name][0])(tmp_path)
    monkeypatch.setattr(sys, "argv", ["canao", "compile", str(path), "--tune", "off"])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 1
    told = capsys.readouterr()
    assert "Traceback" not in told.err + told.out
    assert told.err.count("canao: ") == 1


def test_refused_examples_and_dimensions(tmp_path: Path) -> None:
    path = saved(dense_model(("rows", 6)), tmp_path)
    right = torch.ones(2, 6)
    for example, message in [
        ({"z": right}, "'x' is missing"),
        ((right, right), "at most 1 inputs"),
        ({"x": torch.ones(2, 7)}, "is 7 in the example, and 6 in the file"),
        ({"x": torch.ones(6)}, "has 2 dimensions in the file"),
        ({"x": right.double()}, "must have dtype float32, got float64"),
        ({"x": "right"}, "must be a tensor or an array, got a str"),
    ]:
        with pytest.raises(canao.ShapeMismatchError, match=message):
            import_onnx(path, example)
    fixed = saved(dense_model((2, 6)), tmp_path, "fixed.onnx")
    for shapes, message in [
        ("all", "dynamic_shapes='all' is not known"),
        ({"z": {0: torch.export.Dim("n", max=4)}}, "names 'z'"),
        ({"x": {1: torch.export.Dim("n", max=4)}}, "the file fixes it"),
        ({"x": {0: torch.export.Dim("n")}}, "has no limit"),
        ({"x": {0: torch.export.Dim.AUTO}}, "give torch.export.Dim"),
        (7, "dynamic_shapes is a int"),
    ]:
        with pytest.raises(canao.UnsupportedModelError, match=message):
            import_onnx(path, {"x": right}, shapes)
    with pytest.raises(canao.UnsupportedModelError, match="the file fixes both"):
        import_onnx(fixed, None, "auto")


def test_a_dimension_that_is_neither_batch_nor_sequence_needs_a_limit(tmp_path: Path) -> None:
    nodes = [node("Relu", ["x"], ["y"])]
    given = {"x": ("float32", ("batch", "sequence", "channels"))}
    path = saved(model_of(nodes, given, {"y": "float32"}), tmp_path)
    with pytest.raises(canao.UnsupportedModelError, match=r"dimension 2 of input 'x'.*no limit"):
        import_onnx(path)


def test_a_range_too_large_for_the_model_says_so(tmp_path: Path) -> None:
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Slice", ["shape", "one", "two"], ["end"]),
        node("Slice", ["table", "zero", "end", "one"], ["cut"]),
        node("Add", ["x", "cut"], ["y"]),
    ]
    names = ("zero", "one", "two")
    constants: dict[str, Any] = {name: np.array([n], np.int64) for n, name in enumerate(names)}
    constants["table"] = np.ones((1, 128), np.float32)
    given = {"x": ("float32", ("batch", "sequence"))}
    path = saved(model_of(nodes, given, {"y": "float32"}, constants), tmp_path)
    with pytest.raises(canao.CanaoError, match=r"canao\.AutoShapes"):
        canao.compile(path, tune="off", threads=1, cache_dir=tmp_path)
    import_onnx(path, None, canao.AutoShapes(sequence=128))
