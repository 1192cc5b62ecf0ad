"""Random graphs with one and two symbols agree with the oracle: after each pass, and as C."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.lowering.opencl_support import chosen_device, model_of
from unit.symbolic.symbolic_graphs import SymbolicGraph, results, symbolic_graphs
from xdsl.context import Context

import canao
from canao.lowering.choose.layer_task import Chooser, choose_by_model
from canao.lowering.pipeline import lower
from canao.runtime.module import pointers
from canao.runtime.opencl.job import Job
from canao.runtime.opencl.module import OpenCLModule
from canao.runtime.rooms import in_rooms
from canao.runtime.tensor_file import write_tensors
from canao.runtime.weights import prepare_weights
from canao.transforms.canao_simplify import CanaoSimplifyPass
from canao.transforms.collapse_rows import CollapseRowsPass
from canao.transforms.expand_composites import ExpandCompositesPass
from canao.transforms.keep_roundings import KeepRoundingsPass
from canao.transforms.lp_fusion import LPFusionPass

_ROAD = (
    CanaoSimplifyPass(),
    KeepRoundingsPass(),
    LPFusionPass(),
    ExpandCompositesPass(),
    CollapseRowsPass(),
)


def _sizes(graph: SymbolicGraph, inner: int) -> list[dict[str, int]]:
    """The smallest and the largest sizes, and others between them."""
    ranges = [
        sorted({s.low, s.high, s.low + inner % (s.high - s.low + 1), max(s.low, s.high - 1)})
        for s in graph.symbols
    ]
    names = [s.name for s in graph.symbols]
    return [dict(zip(names, values, strict=True)) for values in product(*ranges)]


def _agree(found: object, wanted: np.ndarray, what: object) -> None:
    array = np.asarray(found)
    assert array.shape == wanted.shape, what
    scale = 1 + np.abs(wanted)
    assert np.all(np.abs(array - wanted) <= 2e-4 * scale), what


@settings(max_examples=25, deadline=None)
@given(symbolic_graphs(), st.integers(0, 50))
def test_passes(graph: SymbolicGraph, inner: int) -> None:
    chosen = _sizes(graph, inner)
    module = graph.module.clone()
    given_inputs = [graph.inputs(sizes, seed=1) for sizes in chosen]
    wanted = [graph.expected(i, s) for i, s in zip(given_inputs, chosen, strict=True)]
    for step in _ROAD:
        step.apply(Context(), module)
        module.verify()
        for inputs, sizes, expected in zip(given_inputs, chosen, wanted, strict=True):
            found = results(module, inputs, graph.weights, sizes)
            for a, b in zip(found, expected, strict=True):
                _agree(a, b, (step.name, sizes))


def check_code(
    graph: SymbolicGraph, inner: int, directory: Path, threads: int, vectors: str | None
) -> None:
    """The code in C agrees with the oracle."""
    directory.mkdir(exist_ok=True)
    path = directory / "model.mlir"
    path.write_text(str(graph.module), encoding="utf-8")
    write_tensors(path.with_suffix(".safetensors"), graph.weights)
    target = "c" if vectors is None else canao.Target.host(vectors)
    compiled = canao.compile(path, None, tune="off", threads=threads, target=target)
    for sizes in _sizes(graph, inner):
        inputs = graph.inputs(sizes, seed=2)
        found = compiled(*map(torch.from_numpy, inputs))
        found = found if isinstance(found, tuple) else (found,)
        for a, b in zip(found, graph.expected(inputs, sizes), strict=True):
            _agree(a, b, sizes)
    compiled.close()


def check_device(
    graph: SymbolicGraph, inner: int, target: str, chooser: Chooser = choose_by_model
) -> None:
    """The code in OpenCL C agrees with the oracle."""
    device = model_of(target)
    assert device is not None
    program = lower(
        graph.module.clone(), target_unit=device.unit, threads=2, device=device, chooser=chooser
    )
    module = OpenCLModule(
        Job.of(program, chosen_device()),
        prepare_weights(program, graph.weights),
        source=program.source,
    )
    for sizes in _sizes(graph, inner):
        inputs = graph.inputs(sizes, seed=2)
        rooms = in_rooms(graph.shapes, inputs, sizes)
        results = [np.zeros(spec.shape, spec.dtype) for spec in program.outputs]
        module.run(*(pointers([a.ctypes.data for a in arrays]) for arrays in (rooms, results)))
        for spec, room, expected in zip(
            program.outputs, results, graph.expected(inputs, sizes), strict=True
        ):
            _agree(room[tuple(map(slice, spec.shape_at(sizes)))], expected, sizes)
    module.close()


@settings(max_examples=8, deadline=None)
@given(symbolic_graphs(), st.integers(0, 50), st.sampled_from(["opencl", "groups"]))
def test_device(graph: SymbolicGraph, inner: int, target: str) -> None:
    check_device(graph, inner, target)


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(symbolic_graphs(), st.integers(0, 50), st.sampled_from(["opencl", "groups"]))
def test_device_on_many(graph: SymbolicGraph, inner: int, target: str) -> None:
    check_device(graph, inner, target)


_CODE = (symbolic_graphs(), st.integers(0, 50), st.sampled_from([1, 2]))


@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(*_CODE, st.sampled_from([None, "avx2", "sse"]))
def test_code(
    tmp_path: Path, graph: SymbolicGraph, inner: int, threads: int, vectors: str | None
) -> None:
    check_code(graph, inner, tmp_path, threads, vectors)


@pytest.mark.slow
@settings(
    max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(*_CODE, st.sampled_from([None, "avx2", "sse"]))
def test_code_of_many(
    tmp_path: Path, graph: SymbolicGraph, inner: int, threads: int, vectors: str | None
) -> None:
    check_code(graph, inner, tmp_path, threads, vectors)
