"""Products that are summed in blocks, fetched ahead and cut into tasks, against float64."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from unit.lowering.c_support import Array, parse
from unit.lowering.road import UNITS, fuse, interpret, run_compiled

from canao.lowering.pipeline import lower
from canao.machine.processors import vector_unit

# One term, one below and above one, two and four blocks of 256, and primes.
TERMS = (1, 255, 256, 257, 512, 513, 769, 1024)
# One row, one below and above a tile of 9, and a block of 144 rows.
SHAPES = ((1, 97), (8, 48), (10, 47), (143, 49), (145, 33), (289, 16))


def product(rows: int, terms: int, columns: int, *, norm: bool) -> str:
    """A product with a bias, then a layer norm if asked for."""
    out = f"tensor<{rows}x{columns}xf32>"
    tail = (
        f"""
  %g = canao.weight "g" : tensor<{columns}xf32>
  %n = canao.layer_norm %s, %g, %b epsilon 1.0e-5 : f64 :
    ({out}, tensor<{columns}xf32>, tensor<{columns}xf32>) -> {out}
  func.return %n : {out}"""
        if norm
        else f"\n  func.return %s : {out}"
    )
    return f"""
func.func @main(%x: tensor<{rows}x{terms}xf32>) -> {out} {{
  %w = canao.weight "w" : tensor<{terms}x{columns}xf32>
  %b = canao.weight "b" : tensor<{columns}xf32>
  %y = canao.matmul %x, %w : (tensor<{rows}x{terms}xf32>, tensor<{terms}x{columns}xf32>) -> {out}
  %s = canao.add %y, %b : ({out}, tensor<{columns}xf32>) -> {out}{tail}
}}"""


def numbers(*shape: int, seed: int) -> Array:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


CASES = [(terms, "avx512", SHAPES[n % 2 :: 2]) for n, terms in enumerate(TERMS)]
CASES.append((769, "sse", SHAPES[1::2]))


@pytest.mark.parametrize(("terms", "unit", "shapes"), CASES)
def test_products_of_all_lengths(
    tmp_path: Path, terms: int, unit: str, shapes: tuple[tuple[int, int], ...]
) -> None:
    for n, (rows, columns) in enumerate(shapes):
        x, w = numbers(rows, terms, seed=n), numbers(terms, columns, seed=terms)
        b = numbers(columns, seed=3)
        program = lower(
            parse(product(rows, terms, columns, norm=False)),
            target_unit=vector_unit(UNITS[unit]),
            threads=1 + n % 2,
        )
        (found,) = run_compiled(tmp_path, program, [x], {"w": w, "b": b})
        expected = x.astype(np.float64) @ w.astype(np.float64) + b
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6 * terms**0.5)


def test_interpreted_loops_of_a_long_product() -> None:
    rows, terms, columns = 10, 769, 17
    x, w = numbers(rows, terms, seed=0), numbers(terms, columns, seed=1)
    b, g = numbers(columns, seed=2), numbers(columns, seed=3)
    module = parse(product(rows, terms, columns, norm=True))
    fuse(module, fusion=True)
    lowered, planned = interpret(module, [x], {"w": w, "b": b, "g": g}, UNITS["avx2"], 2)
    y = x.astype(np.float64) @ w.astype(np.float64) + b
    centred = y - y.mean(1, keepdims=True)
    expected = centred / np.sqrt(centred.var(1, keepdims=True) + 1e-5) * g + b
    for found in (*lowered, *planned):
        np.testing.assert_allclose(found.reshape(rows, columns), expected, rtol=1e-4, atol=1e-4)


def test_rounding_does_not_grow_with_the_terms(tmp_path: Path) -> None:
    """The error of 3072 terms is that of another library's product, not of one long chain."""
    x, w = numbers(16, 3072, seed=0), numbers(3072, 48, seed=1)
    program = lower(
        parse(product(16, 3072, 48, norm=False)),
        target_unit=vector_unit(UNITS["avx512"]),
        threads=1,
    )
    (found,) = run_compiled(tmp_path, program, [x], {"w": w, "b": np.zeros(48, np.float32)})
    expected = x.astype(np.float64) @ w.astype(np.float64)
    other = np.abs(x @ w - expected).mean()
    assert np.abs(found - expected).mean() <= 2 * other
