"""Small graphs: their shapes, their dtypes, versions of operators, and what callers see."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import helper
from unit.onnx_files.handmade import (
    Array,
    assert_same,
    dense_model,
    model_of,
    onnxruntime_results,
    saved,
)

import canao

node = helper.make_node


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


def _compile(path: Path, cache: Path, *args: Any, **options: Any) -> canao.CompiledModel:
    return canao.compile(path, *args, tune="off", threads=1, cache_dir=cache, **options)


def _check(model: Any, inputs: Mapping[str, Array], tmp_path: Path, cache: Path) -> None:
    """One compile for these shapes; results as onnxruntime's."""
    path = saved(model, tmp_path)
    compiled = _compile(path, cache, dict(inputs))
    assert_same(compiled(**inputs), onnxruntime_results(path, inputs))
    compiled.close()


def test_inputs_and_results_go_by_the_names_of_the_file(tmp_path: Path, cache: Path) -> None:
    path = saved(dense_model(), tmp_path)
    compiled = canao.compile(str(path), tune="off", threads=1, cache_dir=cache)
    assert [symbol.name for symbol in compiled.convention.symbols] == ["batch"]
    for batch in (1, 3, 32):
        x = np.random.default_rng(batch).standard_normal((batch, 6), np.float32)
        wanted = onnxruntime_results(path, {"x": x})
        assert_same(compiled(x=x), wanted)
        assert_same(compiled(torch.from_numpy(x)), wanted)
    assert compiled.report.fallbacks == 0
    assert [kernel.name for kernel in compiled.report.kernels] == ["linear_gelu_6x20"]
    assert "dense_resource" not in compiled.ir("torch")
    assert 'canao.weight "w" : tensor<6x20xf32>' in compiled.ir("torch")
    compiled.save(tmp_path / "saved")
    compiled.close()
    loaded = canao.load(tmp_path / "saved")
    x = np.ones((2, 6), np.float32)
    assert_same(loaded(x=x), onnxruntime_results(path, {"x": x}))
    with pytest.raises(canao.ShapeMismatchError, match="'y' is not one"):
        loaded(x=x, y=x)
    with pytest.raises(canao.ShapeMismatchError, match="must have dtype float32, got float64"):
        loaded(x=x.astype(np.float64))
    with pytest.raises(canao.ShapeMismatchError, match="must be from 1 to 32"):
        loaded(x=np.ones((33, 6), np.float32))
    loaded.close()


def test_external_data_is_mapped_beside_the_model(tmp_path: Path, cache: Path) -> None:
    path = tmp_path / "model.onnx"
    onnx.save(
        dense_model((4, 6)),
        path,
        save_as_external_data=True,
        location="model.data",
        size_threshold=0,
    )
    assert (tmp_path / "model.data").stat().st_size >= 6 * 20 * 4
    # As caches of hubs have it: the folder holds links to both.
    links = tmp_path / "links"
    links.mkdir()
    for name in ("model.onnx", "model.data"):
        (links / name).symlink_to(tmp_path / name)
    x = np.random.default_rng(1).standard_normal((4, 6), np.float32)
    compiled = _compile(links / "model.onnx", cache)
    assert_same(compiled(x=x), onnxruntime_results(path, {"x": x}))
    compiled.close()


@pytest.mark.parametrize("opset", [13, 14, 15, 16, 17, 18, 19, 20])
def test_versions_of_operators(opset: int, tmp_path: Path, cache: Path) -> None:
    axes = np.array([1], np.int64)
    attribute = opset < 18  # from there on, axes of most reductions are an input
    nodes = [
        node("Softmax", ["x"], ["s"], axis=1),
        node("ReduceSum", ["s", "axes"], ["sum"], keepdims=0),
        node("ReduceMean", ["x"], ["mean"], axes=[1], keepdims=1)
        if attribute
        else node("ReduceMean", ["x", "axes"], ["mean"], keepdims=1),
        node("Sub", ["x", "mean"], ["centred"]),
        node("Unsqueeze", ["sum", "axes"], ["wide"]),
        node("Mul", ["centred", "wide"], ["y"]),
    ]
    shape = (2, 3, 5)
    model = model_of(
        nodes, {"x": ("float32", shape)}, {"y": "float32"}, {"axes": axes}, opset=opset
    )
    x = np.random.default_rng(opset).standard_normal(shape, np.float32)
    _check(model, {"x": x}, tmp_path, cache)


def _awkward() -> dict[str, tuple[Any, dict[str, Array]]]:
    """Graphs with shapes that are computed, of ranks 0 to 5, with ties and several results."""
    random = np.random.default_rng(0)
    x = random.standard_normal((2, 3, 4), np.float32)
    computed = [
        node("Shape", ["x"], ["shape"]),
        node("Gather", ["shape", "zero"], ["first"], axis=0),
        node("Unsqueeze", ["first", "zeros"], ["front"]),
        node("Concat", ["front", "rest"], ["wanted"], axis=0),
        node("Reshape", ["x", "wanted"], ["y"]),
    ]
    constants = {
        "zero": np.int64(0),
        "zeros": np.array([0], np.int64),
        "rest": np.array([-1, 2, 1, 1], np.int64),
    }
    given = {"x": ("float32", x.shape)}
    reshaped = model_of(computed, given, {"y": "float32"}, constants)
    passed = [
        node("Identity", ["x"], ["same"]),
        node("Relu", ["x"], ["once"]),
        node("Identity", ["once"], ["twice"]),
        node("ArgMax", ["x"], ["best"], axis=2, keepdims=0),
        node("ReduceMax", ["x"], ["number"], keepdims=0),
    ]
    outputs = {
        "same": "float32",
        "once": "float32",
        "twice": "float32",
        "best": "int64",
        "number": "float32",
    }
    several = model_of(passed, given, outputs)
    sliced = [
        node("Slice", ["x", "starts", "ends", "axes", "steps"], ["part"]),
        node("Transpose", ["part"], ["turned"], perm=[2, 0, 1]),
        node("Expand", ["turned", "wide"], ["y"]),
    ]
    bounds = {
        "starts": np.array([-9, 1], np.int64),
        "ends": np.array([2**62, -1], np.int64),
        "axes": np.array([-2, 2], np.int64),
        "steps": np.array([2, 1], np.int64),
        "wide": np.array([2, 1, 1, 1], np.int64),
    }
    bounded = model_of(sliced, given, {"y": "float32"}, bounds)
    looked_up = [
        node("Gather", ["table", "ids"], ["rows"], axis=1),
        node("Cast", ["ids"], ["floats"], to=onnx.TensorProto.FLOAT),
        node("Mul", ["rows", "floats"], ["y"]),
    ]
    table = random.standard_normal((3, 70), np.float32)
    ids = np.array([[0, -1, 69, -70]], np.int32)
    lookup = model_of(looked_up, {"ids": ("int32", ids.shape)}, {"y": "float32"}, {"table": table})
    return {
        "computed shape": (reshaped, {"x": x}),
        "several results": (several, {"x": x}),
        "slices out of bounds": (bounded, {"x": x}),
        "negative lookups": (lookup, {"ids": ids}),
    }


@pytest.mark.parametrize("name", sorted(_awkward()))
def test_awkward_graphs(name: str, tmp_path: Path, cache: Path) -> None:
    model, inputs = _awkward()[name]
    _check(model, inputs, tmp_path, cache)


def test_half_precision_is_computed_in_float32(tmp_path: Path, cache: Path) -> None:
    nodes = [node("MatMul", ["x", "w"], ["p"]), node("Add", ["p", "b"], ["y"])]
    random = np.random.default_rng(0)
    constants = {
        "w": random.standard_normal((6, 20)).astype(np.float16),
        "b": random.standard_normal(20).astype(np.float16),
    }
    model = model_of(nodes, {"x": ("float16", (3, 6))}, {"y": "float16"}, constants)
    x = random.standard_normal((3, 6)).astype(np.float16)
    path = saved(model, tmp_path)
    compiled = _compile(path, cache)
    assert_same(compiled(x=x), onnxruntime_results(path, {"x": x}), close=4e-3)
    kinds = {(tensor.kind, tensor.name) for tensor in compiled.report.widened}
    assert {("weight", "w"), ("input", "x"), ("result", "y")} <= kinds
    compiled.close()


def _varying_lengths() -> Any:
    """Position numbers cut to the length, and a mask expanded to every pair of places."""
    nodes = [
        node("Shape", ["mask"], ["shape"]),
        node("Gather", ["shape", "one"], ["length"], axis=0),
        node("Unsqueeze", ["length", "zeros"], ["end"]),
        node("Slice", ["positions", "zeros", "end", "ones"], ["cut"]),
        node("Unsqueeze", ["mask", "middle"], ["wide"]),
        node("Gather", ["shape", "zero"], ["count"], axis=0),
        node("Unsqueeze", ["count", "zeros"], ["front"]),
        node("Concat", ["front", "end", "end"], ["square"], axis=0),
        node("Expand", ["wide", "square"], ["pairs"]),
        node("Mul", ["pairs", "cut"], ["y"]),
    ]
    constants = {
        "zero": np.int64(0),
        "one": np.int64(1),
        "zeros": np.array([0], np.int64),
        "ones": np.array([1], np.int64),
        "middle": np.array([1], np.int64),
        "positions": np.arange(16, dtype=np.float32).reshape(1, 16),
    }
    return model_of(nodes, {"mask": ("float32", ("n", "m"))}, {"y": "float32"}, constants)


def test_dimensions_that_vary_through_computed_shapes(tmp_path: Path, cache: Path) -> None:
    path = saved(_varying_lengths(), tmp_path)
    compiled = _compile(path, cache, dynamic_shapes=canao.AutoShapes(batch=4, sequence=16))
    for batch, length in [(1, 1), (2, 5), (4, 16), (1, 16), (4, 1)]:
        mask = np.random.default_rng(length).standard_normal((batch, length), np.float32)
        assert_same(compiled(mask), onnxruntime_results(path, {"mask": mask}))
    compiled.close()


def test_dimensions_named_as_torch_export_takes_them(tmp_path: Path, cache: Path) -> None:
    path = saved(_varying_lengths(), tmp_path)
    dims = {"mask": {1: torch.export.Dim("length", min=2, max=9)}}
    example = (np.ones((3, 4), np.float32),)
    compiled = _compile(path, cache, example, dynamic_shapes=dims)
    (symbol,) = compiled.convention.symbols
    assert (symbol.name, symbol.low, symbol.high) == ("length", 2, 9)
    mask = np.random.default_rng(0).standard_normal((3, 9), np.float32)
    assert_same(compiled(mask), onnxruntime_results(path, {"mask": mask}))
    with pytest.raises(canao.ShapeMismatchError, match=r"must have|is 2"):
        compiled(mask[:2])
    compiled.close()


def test_names_of_dimensions_may_be_anything(tmp_path: Path, cache: Path) -> None:
    """Also what is no name in C, or a word of C."""
    for number, name in enumerate(["float", "2 * n + 1", 'a"; int x[', "in"]):
        path = saved(dense_model((name, 6)), tmp_path, f"{number}.onnx")
        compiled = _compile(path, cache)
        x = np.ones((2, 6), np.float32)
        assert_same(compiled(x=x), onnxruntime_results(path, {"x": x}))
        compiled.close()


@pytest.mark.parametrize("batch_dims", [0, 1])
def test_lookups_by_pairs_of_places(batch_dims: int, tmp_path: Path, cache: Path) -> None:
    """`GatherND` into dimensions that vary; places count from the end where they are below 0."""
    width = 2 - batch_dims
    inputs: dict[str, Any] = {
        "table": ("float32", ("batch", "rows", 3)),
        "places": ("int64", ("batch", 4, width)),
    }
    nodes = [node("GatherND", ["table", "places"], ["y"], batch_dims=batch_dims)]
    path = saved(model_of(nodes, inputs, {"y": "float32"}), tmp_path)
    compiled = _compile(path, cache, dynamic_shapes=canao.AutoShapes(batch=4, sequence=9))
    for batch, rows in [(1, 1), (2, 5), (4, 9)]:
        random = np.random.default_rng(rows)
        sizes = (batch, rows)[batch_dims:]
        places = np.stack([random.integers(-n, n, (batch, 4)) for n in sizes], axis=-1)
        given = {"table": random.standard_normal((batch, rows, 3), np.float32), "places": places}
        assert_same(compiled(**given), onnxruntime_results(path, given))
    compiled.close()
