from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from unit.lowering.c_support import Array, compile_c, program

RNG = np.random.default_rng(11)
SPECIAL = [0.0, -0.0, 1.5, -1.5, np.inf, -np.inf, np.nan, 3e7, -2.5, 0.5, 1e-40, 2.0, -3.0]
DTYPES: dict[str, Any] = {
    "f32": np.float32,
    "f64": np.float64,
    "i64": np.int64,
    "i32": np.int32,
    "i1": np.bool_,
}


def elementwise(
    inputs: dict[str, str], outputs: dict[str, str], body: str, size: int, lanes: int
) -> str:
    """`body` on vectors of `lanes`, then on the rest one by one.

    `inputs` and `outputs` map names to elements; in `body`, `T<f32>` is a vector or a scalar.
    """

    def instance(width: int, at: str, suffix: str) -> str:
        def wrap(text: str) -> str:
            for element in DTYPES:
                full = f"vector<{width}x{element}>" if width > 1 else element
                text = text.replace(f"T<{element}>", full)
            return text

        vec = "vector_" if width > 1 else ""
        lines: list[str] = []
        for i, (name, element) in enumerate(inputs.items()):
            tail = f", T<{element}>" if width > 1 else ""
            lines.append(f"%{name} = affine.{vec}load %a{i}[{at}] : memref<{size}x{element}>{tail}")
        lines.append(body)
        for i, (name, element) in enumerate(outputs.items()):
            tail = f", T<{element}>" if width > 1 else ""
            lines.append(f"affine.{vec}store %{name}, %o{i}[{at}] : memref<{size}x{element}>{tail}")
        return wrap("\n".join(lines)) + suffix

    whole = size // lanes
    text = f"affine.for %block = 0 to {whole} {{\n{instance(lanes, f'%block * {lanes}', '')}\n}}\n"
    text += f"affine.for %tail = {whole * lanes} to {size} {{\n{instance(1, '%tail', '')}\n}}\n"
    shape = f"{size}x"
    return program(
        [shape + e for e in inputs.values()], [shape + e for e in outputs.values()], text
    )


def run(
    directory: Path,
    inputs: dict[str, tuple[str, Array]],
    outputs: dict[str, str],
    body: str,
    lanes: int,
) -> dict[str, Array]:
    arrays = [np.ascontiguousarray(a, DTYPES[e]) for e, a in inputs.values()]
    size = len(arrays[0])
    text = elementwise({n: e for n, (e, _) in inputs.items()}, outputs, body, size, lanes)
    results = {name: np.zeros(size, DTYPES[e]) for name, e in outputs.items()}
    assert compile_c(directory, text).run(arrays, list(results.values())) == 0
    return results


def numbers(size: int) -> Array:
    """Random numbers with every special one among them, in vectors and in tails."""
    a = RNG.standard_normal(size)
    a[: len(SPECIAL)] = SPECIAL
    a[-len(SPECIAL) :] = RNG.permutation(SPECIAL)
    return a


@pytest.mark.parametrize(("element", "lanes"), [("f32", 1), ("f32", 16), ("f32", 64), ("f64", 4)])
def test_arithmetic_with_tails(tmp_path: Path, element: str, lanes: int) -> None:
    body = """
  %half = arith.constant dense<0.1> : T<F>
  %p = arith.mulf %x, %half : T<F>
  %q = arith.addf %p, %y : T<F>
  %r = arith.negf %q : T<F>
  %m = arith.maximumf %x, %y : T<F>
  %n = arith.minimumf %x, %y : T<F>
  %l = math.floor %x : T<F>
  %s = math.sqrt %x : T<F>
  %a = math.absf %x : T<F>
  %d = arith.divf %a, %y : T<F>
  %e = math.tanh %x : T<F>""".replace("T<F>", f"T<{element}>")
    x, y = numbers(150), RNG.permutation(numbers(150))
    kind = DTYPES[element]
    x, y = x.astype(kind), y.astype(kind)
    names: dict[str, str] = dict.fromkeys("rmnlsade", element)
    text = elementwise({"x": element, "y": element}, names, body, 150, lanes)
    text = text.replace(f"dense<0.1> : {element}", f"0.1 : {element}")
    got = {name: np.zeros(150, kind) for name in names}
    compile_c(tmp_path, text).run([x, y], list(got.values()))
    with np.errstate(all="ignore"):
        expected = {
            "r": -(x * kind(0.1) + y),
            "m": np.maximum(x, y),
            "n": np.minimum(x, y),
            "l": np.floor(x),
            "s": np.sqrt(x),
            "a": np.abs(x),
            "d": np.abs(x) / y,
            "e": np.tanh(x),
        }
    tolerance = 1e-6 if element == "f32" else 1e-14
    for name, value in expected.items():
        np.testing.assert_allclose(got[name], value, rtol=tolerance, err_msg=name)


COMPARISONS: dict[int, Callable[[Array, Array], Array]] = {
    1: lambda a, b: a == b,
    2: lambda a, b: a > b,
    3: lambda a, b: a >= b,
    4: lambda a, b: a < b,
    5: lambda a, b: a <= b,
    6: lambda a, b: (a < b) | (a > b),
    7: lambda a, b: ~(np.isnan(a) | np.isnan(b)),
    8: lambda a, b: ~((a < b) | (a > b)),
    9: lambda a, b: ~(a <= b),
    10: lambda a, b: ~(a < b),
    11: lambda a, b: ~(a >= b),
    12: lambda a, b: ~(a > b),
    13: lambda a, b: a != b,
    14: lambda a, b: np.isnan(a) | np.isnan(b),
}


@pytest.mark.parametrize("element", ["f32", "f64"])
def test_masks_and_truth_values_in_memory(tmp_path: Path, element: str) -> None:
    f = f"T<{element}>"
    lines: list[str] = []
    for i in COMPARISONS:
        lines.append(
            f'%c{i} = "arith.cmpf"(%x, %y) <{{predicate = {i} : i64}}> : ({f}, {f}) -> T<i1>'
        )
    lines += [
        f'%s = "arith.select"(%c4, %x, %y) : (T<i1>, {f}, {f}) -> {f}',
        '%t = "arith.select"(%b, %c4, %c1) : (T<i1>, T<i1>, T<i1>) -> T<i1>',
        "%and = arith.andi %b, %c4 : T<i1>",
        "%not = arith.xori %b, %c7 : T<i1>",
        '%wide = "arith.extui"(%b) : (T<i1>) -> T<i64>',
        '%sign = "arith.extsi"(%b) : (T<i1>) -> T<i32>',
        f'%number = "arith.uitofp"(%b) : (T<i1>) -> {f}',
        '%low = "arith.trunci"(%wide) : (T<i64>) -> T<i1>',
    ]
    x, y = numbers(107), RNG.permutation(numbers(107))
    x[:30] = y[:30]
    b = RNG.random(107) < 0.5
    outputs = {f"c{i}": "i1" for i in COMPARISONS}
    outputs |= {"s": element, "t": "i1", "and": "i1", "not": "i1", "wide": "i64", "low": "i1"}
    outputs |= {"sign": "i32", "number": element}
    got = run(
        tmp_path,
        {"x": (element, x), "y": (element, y), "b": ("i1", b)},
        outputs,
        "\n".join(lines),
        16 if element == "f32" else 8,
    )
    x, y = x.astype(DTYPES[element]), y.astype(DTYPES[element])
    with np.errstate(invalid="ignore"):
        expected = {f"c{i}": compare(x, y) for i, compare in COMPARISONS.items()}
    ordered = expected["c7"]
    expected |= {
        "s": np.where(x < y, x, y),
        "t": np.where(b, x < y, x == y),
        "and": b & (x < y),
        "not": b ^ ordered,
        "wide": b.astype(np.int64),
        "sign": -b.astype(np.int32),
        "number": b.astype(x.dtype),
        "low": b,
    }
    for name, value in expected.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)
        if got[name].dtype == np.bool_:
            assert set(got[name].view(np.uint8)) <= {0, 1}


@pytest.mark.parametrize("element", ["i32", "i64"])
def test_integers(tmp_path: Path, element: str) -> None:
    t = f"T<{element}>"
    kind = DTYPES[element]
    bits = np.dtype(kind).itemsize * 8
    binary = ["addi", "subi", "muli", "divsi", "remsi", "floordivsi"]
    binary += ["andi", "ori", "xori", "maxsi", "minsi", "maxui"]
    shifts = ["shli", "shrsi", "shrui"]
    lines = [
        f'%{op} = "arith.{op}"(%x, %{"k" if op in shifts else "y"}) : ({t}, {t}) -> {t}'
        for op in (*binary, *shifts)
    ]
    lines += [
        f'%slt = "arith.cmpi"(%x, %y) <{{predicate = 2 : i64}}> : ({t}, {t}) -> T<i1>',
        f'%ult = "arith.cmpi"(%x, %y) <{{predicate = 6 : i64}}> : ({t}, {t}) -> T<i1>',
        f'%f = "arith.sitofp"(%x) : ({t}) -> T<f64>',
        f'%g = "arith.fptosi"(%f) : (T<f64>) -> {t}',
    ]
    x: Array = RNG.integers(-(1 << 20), 1 << 20, 103).astype(kind)
    x[:4] = [np.iinfo(kind).max, np.iinfo(kind).min + 1, 7, -7]
    y: Array = RNG.integers(-9, 9, 103).astype(kind)
    y[y == 0] = 2
    k: Array = RNG.integers(0, bits, 103).astype(kind)
    safe = np.abs(x.astype(np.float64)) < 1 << 50
    outputs: dict[str, str] = dict.fromkeys((*binary, *shifts), element)
    outputs |= {"slt": "i1", "ult": "i1", "f": "f64", "g": element}
    inputs = {"x": (element, x), "y": (element, y), "k": (element, k)}
    got = run(tmp_path, inputs, outputs, "\n".join(lines), 8)
    unsigned: Any = np.dtype(f"u{bits // 8}")
    ux, uy = x.view(unsigned), y.view(unsigned)
    quotient = np.trunc(x.astype(np.longdouble) / y).astype(kind)
    expected: dict[str, Array] = {
        "addi": x + y,
        "subi": x - y,
        "muli": x * y,
        "divsi": quotient,
        "remsi": np.fmod(x, y),
        "floordivsi": x // y,
        "andi": x & y,
        "ori": x | y,
        "xori": x ^ y,
        "maxsi": np.maximum(x, y),
        "minsi": np.minimum(x, y),
        "maxui": np.maximum(ux, uy).view(kind),
        "shli": x << k,
        "shrsi": x >> k,
        "shrui": (ux >> k.view(unsigned)).view(kind),
        "slt": x < y,
        "ult": ux < uy,
        "f": x.astype(np.float64),
    }
    for name, value in expected.items():
        np.testing.assert_array_equal(got[name], value, err_msg=name)
    np.testing.assert_array_equal(got["g"][safe], x[safe])


@pytest.mark.parametrize("lanes", [2, 16, 64])
def test_reductions(tmp_path: Path, lanes: int) -> None:
    v = f"vector<{lanes}xf32>"
    kinds = ["add", "mul", "maximumf", "minimumf"]
    body = f"%x = affine.vector_load %a0[0] : memref<{lanes}xf32>, {v}\n"
    body += f"%i = affine.vector_load %a1[0] : memref<{lanes}xi64>, vector<{lanes}xi64>\n"
    body += f"%b = affine.vector_load %a2[0] : memref<{lanes}xi1>, vector<{lanes}xi1>\n"
    for n, kind in enumerate(kinds):
        body += f"%r{n} = vector.reduction <{kind}>, %x : {v} into f32\n"
        body += f"affine.store %r{n}, %o0[{n}] : memref<5xf32>\n"
    body += f"%acc = vector.reduction <add>, %x, %r1 : {v} into f32\n"
    body += "affine.store %acc, %o0[4] : memref<5xf32>\n"
    for n, kind in enumerate(["add", "maxsi", "minsi"]):
        body += f"%q{n} = vector.reduction <{kind}>, %i : vector<{lanes}xi64> into i64\n"
        body += f"affine.store %q{n}, %o1[{n}] : memref<3xi64>\n"
    for n, kind in enumerate(["and", "or"]):
        body += f"%l{n} = vector.reduction <{kind}>, %b : vector<{lanes}xi1> into i1\n"
        body += f"affine.store %l{n}, %o2[{n}] : memref<2xi1>\n"
    text = program(
        [f"{lanes}xf32", f"{lanes}xi64", f"{lanes}xi1"], ["5xf32", "3xi64", "2xi1"], body
    )
    compiled = compile_c(tmp_path, text)
    x = RNG.standard_normal(lanes).astype(np.float32)
    i = RNG.integers(-99, 99, lanes)
    out, ints, bits = np.zeros(5, np.float32), np.zeros(3, np.int64), np.zeros(2, np.bool_)
    for b in (np.ones(lanes, bool), np.zeros(lanes, bool), np.arange(lanes) == lanes - 1):
        compiled.run([x, i, b], [out, ints, bits])
        expected = [x.sum(), x.prod(), x.max(), x.min(), x.sum() + x.prod()]
        np.testing.assert_allclose(out, expected, rtol=1e-4, atol=1e-6)
        assert ints.tolist() == [i.sum(), i.max(), i.min()]
        assert bits.tolist() == [b.all(), b.any()]
    x[lanes // 2] = np.nan
    compiled.run([x, i, np.ones(lanes, bool)], [out, ints, bits])
    assert np.isnan(out[2:4]).all()


def test_lanes_are_moved(tmp_path: Path) -> None:
    body = """
  %x = affine.vector_load %a0[0] : memref<4xf32>, vector<4xf32>
  %y = affine.vector_load %a0[2] : memref<4xf32>, vector<2xf32>
  %one = affine.vector_load %a0[1] : memref<4xf32>, vector<1xf32>
  %e = vector.extract %x[2] : f32 from vector<4xf32>
  %i = vector.insert %e, %x[0] : f32 into vector<4xf32>
  affine.vector_store %i, %o0[0] : memref<16xf32>, vector<4xf32>
  %s = vector.shuffle %x, %i [7, 0, 5, 2] : vector<4xf32>, vector<4xf32>
  affine.vector_store %s, %o0[4] : memref<16xf32>, vector<4xf32>
  %j = vector.shuffle %y, %one [2, 1, 0, 2] : vector<2xf32>, vector<1xf32>
  affine.vector_store %j, %o0[8] : memref<16xf32>, vector<4xf32>
  %b = vector.broadcast %one : vector<1xf32> to vector<4xf32>
  %c = arith.constant dense<[1.0, 0.1, 0.25, -0.0]> : vector<4xf32>
  %f = vector.fma %b, %c, %b : vector<4xf32>
  affine.vector_store %f, %o0[12] : memref<16xf32>, vector<4xf32>
  %bits = arith.bitcast %x : vector<4xf32> to vector<4xi32>
  %pairs = vector.bitcast %bits : vector<4xi32> to vector<2xi64>
  affine.vector_store %pairs, %o1[0] : memref<3xi64>, vector<2xi64>
  %narrow = arith.bitcast %e : f32 to i32
  %wide = arith.extsi %narrow : i32 to i64
  affine.store %wide, %o1[2] : memref<3xi64>
  %t = arith.constant true
  %m = vector.broadcast %t : i1 to vector<4xi1>
  affine.vector_store %m, %o2[0] : memref<5xi1>, vector<4xi1>
  %k = vector.extract %m[3] : i1 from vector<4xi1>
  affine.store %k, %o2[4] : memref<5xi1>"""
    x = np.array([1.5, 2.0, -3.25, 4.0], np.float32)
    out, bits, flags = np.zeros(16, np.float32), np.zeros(3, np.int64), np.zeros(5, np.bool_)
    text = program(["4xf32"], ["16xf32", "3xi64", "5xi1"], body)
    compile_c(tmp_path, text).run([x], [out, bits, flags])
    i = np.array([-3.25, 2.0, -3.25, 4.0])
    np.testing.assert_array_equal(out[:8], [*i, i[3], x[0], i[1], x[2]])
    np.testing.assert_array_equal(out[8:12], [2.0, 4.0, -3.25, 2.0])
    np.testing.assert_allclose(out[12:], [4.0, 2.2, 2.5, 2.0], rtol=1e-6)
    assert bits[:2].tolist() == x.view(np.int64).tolist()
    assert bits[2] == x[2:3].view(np.int32)[0]
    assert flags.view(np.uint8).tolist() == [1] * 5


def test_helper_functions_are_called(tmp_path: Path) -> None:
    functions = """
func.func private @"twice-f32x16"(%x: vector<16xf32>) -> vector<16xf32> {
  %y = arith.addf %x, %x : vector<16xf32>
  func.return %y : vector<16xf32>
}
func.func private @four_times(%x: vector<16xf32>) -> vector<16xf32> {
  %y = func.call @"twice-f32x16"(%x) : (vector<16xf32>) -> vector<16xf32>
  %z = func.call @"twice-f32x16"(%y) : (vector<16xf32>) -> vector<16xf32>
  func.return %z : vector<16xf32>
}
func.func private @unused(%x: f32) -> f32 {
  %y = arith.negf %x : f32
  func.return %y : f32
}"""
    body = """
  affine.for %i = 0 to 2 {
    %x = affine.vector_load %a0[%i * 16] : memref<32xf32>, vector<16xf32>
    %y = func.call @four_times(%x) : (vector<16xf32>) -> vector<16xf32>
    affine.vector_store %y, %o0[%i * 16] : memref<32xf32>, vector<16xf32>
  }"""
    compiled = compile_c(tmp_path, program(["32xf32"], ["32xf32"], body, functions))
    assert "unused(" not in compiled.unit.source
    x, out = RNG.standard_normal(32).astype(np.float32), np.zeros(32, np.float32)
    compiled.run([x], [out])
    assert (out == 4 * x).all()


@pytest.mark.parametrize("element", ["f32", "f64"])
def test_constants_are_exact(tmp_path: Path, element: str) -> None:
    kind = np.float32 if element == "f32" else np.float64
    values = np.array(
        [0.1, -0.0, 1e-45, 3.4e38, np.pi, -1.0, 16777217, 1 / 3, -np.inf, np.inf, np.nan], kind
    )
    size = len(values)
    unsigned = np.uint32 if element == "f32" else np.uint64
    digits = 2 * values.itemsize
    body = "".join(
        f"%c{i} = arith.constant 0x{bits:0{digits}x} : {element}\n"
        f"affine.store %c{i}, %o0[{i}] : memref<{size}x{element}>\n"
        for i, bits in enumerate(values.view(unsigned))
    )
    integers = [0, -1, 2**31, -(2**31), 2**63 - 1, -(2**63)]
    body += "".join(
        f"%i{i} = arith.constant {n} : i64\naffine.store %i{i}, %o1[{i}] : memref<6xi64>\n"
        for i, n in enumerate(integers)
    )
    out, ints = np.zeros(size, kind), np.zeros(6, np.int64)
    compile_c(tmp_path, program([], [f"{size}x{element}", "6xi64"], body)).run([], [out, ints])
    finite = ~np.isnan(values)
    assert (out.view(unsigned) == values.view(unsigned))[finite].all()
    assert np.isnan(out[~finite]).all()
    assert ints.tolist() == integers
