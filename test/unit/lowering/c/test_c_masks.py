"""The dialect `canao_vector` as C, against numpy."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unit.lowering.c_support import Array, compile_c, program

LANES = 8
RNG = np.random.default_rng(5)
DTYPES: dict[str, Any] = {"f32": np.float32, "f64": np.float64, "i64": np.int64, "i1": np.bool_}
PREDICATES: dict[str, Callable[[Array, Array], Array]] = {
    "eq": np.equal,
    "ne": np.not_equal,
    "lt": np.less,
    "le": np.less_equal,
    "gt": np.greater,
    "ge": np.greater_equal,
}


def data(element: str) -> Array:
    values = RNG.integers(-2, 3, LANES).astype(np.float64)
    if element.startswith("f"):
        values[0], values[1] = np.nan, 0.5
    return values.astype(DTYPES[element])


def run(
    directory: Path, inputs: dict[str, Array], outputs: dict[str, str], body: str
) -> list[Array]:
    """`body` on one vector of every input, each named after its key."""
    names = {n: next(e for e in DTYPES if DTYPES[e] == a.dtype) for n, a in inputs.items()}
    lines = [
        f"%{name} = affine.vector_load %a{n}[0] : memref<{LANES}x{e}>, vector<{LANES}x{e}>"
        for n, (name, e) in enumerate(names.items())
    ]
    lines.append(body)
    lines += [
        f"affine.vector_store %{name}, %o{n}[0] : memref<{LANES}x{e}>, vector<{LANES}x{e}>"
        for n, (name, e) in enumerate(outputs.items())
    ]
    text = program(
        [f"{LANES}x{e}" for e in names.values()],
        [f"{LANES}x{e}" for e in outputs.values()],
        "\n".join(lines),
    )
    results = [np.zeros(LANES, DTYPES[e]) for e in outputs.values()]
    assert compile_c(directory, text, verify=True).run(list(inputs.values()), results) == 0
    return results


@pytest.mark.parametrize("element", DTYPES)
def test_comparisons(tmp_path: Path, element: str) -> None:
    a, b = data(element), data(element)
    b[2:4] = a[2:4]
    body = "\n".join(
        f'%{p} = canao_vector.cmp "{p}" %a, %b : vector<8x{element}> -> vector<8xi1>'
        for p in PREDICATES
    )
    results = run(tmp_path, {"a": a, "b": b}, dict.fromkeys(PREDICATES, "i1"), body)
    for (name, function), result in zip(PREDICATES.items(), results, strict=True):
        np.testing.assert_array_equal(result, function(a, b), err_msg=name)


@pytest.mark.parametrize("element", DTYPES)
def test_selections(tmp_path: Path, element: str) -> None:
    mask, a, b = data("i1"), data(element), data(element)
    body = f"%r = canao_vector.select %m, %a, %b : vector<8xi1>, vector<8x{element}>"
    (result,) = run(tmp_path, {"m": mask, "a": a, "b": b}, {"r": element}, body)
    np.testing.assert_array_equal(result, np.where(mask, a, b))


@pytest.mark.parametrize("source", DTYPES)
def test_conversions(tmp_path: Path, source: str) -> None:
    a = np.nan_to_num(data(source)) if source.startswith("f") else data(source)
    targets = ("f32", "f64", "i64")
    body = "\n".join(
        f"%{t} = canao_vector.convert %a : vector<8x{source}> to vector<8x{t}>" for t in targets
    )
    results = run(tmp_path, {"a": a}, dict(zip(targets, targets, strict=True)), body)
    for target, result in zip(targets, results, strict=True):
        np.testing.assert_array_equal(result, a.astype(DTYPES[target]), err_msg=target)


def test_order_of_single_truth_values(tmp_path: Path) -> None:
    a, b = np.array([0, 0, 1, 1], np.bool_), np.array([0, 1, 0, 1], np.bool_)
    body = """
  affine.for %i = 0 to 4 {
    %x = affine.load %a0[%i] : memref<4xi1>
    %y = affine.load %a1[%i] : memref<4xi1>
    %r = arith.cmpi ult, %x, %y : i1
    affine.store %r, %o0[%i] : memref<4xi1>
  }"""
    result = np.zeros(4, np.bool_)
    text = program(["4xi1", "4xi1"], ["4xi1"], body)
    assert compile_c(tmp_path, text, verify=True).run([a, b], [result]) == 0
    np.testing.assert_array_equal(result, a < b)
