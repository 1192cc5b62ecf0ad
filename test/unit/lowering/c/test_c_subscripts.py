from __future__ import annotations

import random
from pathlib import Path

import numpy as np
from unit.lowering.c_support import compile_c, program
from xdsl.ir.affine import AffineExpr, AffineMap

from canao.lowering.c.subscripts import Bounds, Linear, Subscripts

D0, D1 = AffineExpr.dimension(0), AffineExpr.dimension(1)


def text_of(expression: AffineExpr, bounds: Bounds) -> str:
    places = Subscripts(dict(bounds), lambda kind, a, divisor: f"{kind}({a}, {divisor})")
    operands = [Linear({"i": 1}, 0), Linear({"j": 1}, 0)]
    (value,) = places.results(AffineMap(2, 0, (expression,)), operands)
    return str(value)


def test_what_is_known_of_variables_simplifies() -> None:
    bounds: Bounds = {"i": (0, 15), "j": (0, 7)}
    assert text_of(D0 * 384 + D1 + 768, bounds) == "i * 384 + j + 768"
    assert text_of((D0 * 8 + D1) // 8, bounds) == "i"
    assert text_of((D0 * 8 + D1) % 8, bounds) == "j"
    assert text_of((D0 * 8 + D1) // 16, bounds) == "((i * 8 + j) / 16)"
    assert text_of((D0 * 8 + D1).ceil_div(8), bounds) == "i + ((j + 7) / 8)"
    assert text_of(D0 // 16, bounds) == "0"
    assert text_of(D0 - D0, bounds) == "0"
    assert text_of(D1 - D0 - 1, bounds) == "j - i - 1"
    assert text_of(-D0 - 1, bounds) == "-i - 1"


def test_divisions_of_what_may_be_negative_round_down() -> None:
    assert text_of(D0 // 4, {}) == "floordiv(i, 4)"
    assert text_of((D0 + 9) % 4, {}) == "mod(i + 1, 4)"
    assert text_of((D0 - 3) % 4, {"i": (0, None)}) == "((i + 1) % 4)"
    assert text_of((D0 - D1) % 4, {"i": (0, None), "j": (0, 3)}) == "mod(i - j, 4)"


def _expression(rng: random.Random, depth: int) -> AffineExpr:
    if depth == 0:
        return rng.choice([D0, D1, AffineExpr.constant(rng.randint(-20, 20))])
    kind = rng.randrange(5)
    left = _expression(rng, depth - 1)
    if kind == 0:
        return left + _expression(rng, depth - 1)
    if kind == 1:
        return left * rng.randint(-6, 6)
    divisor = AffineExpr.constant(rng.randint(1, 9))
    return [left % divisor, left // divisor, left.ceil_div(divisor)][kind - 2]


def _value(expression: AffineExpr, dims: list[int]) -> int:
    return expression.eval(dims, [])


def test_compiled_expressions_have_the_value_of_the_map(tmp_path: Path) -> None:
    rng = random.Random(5)
    expressions = [_expression(rng, rng.randint(1, 4)) for _ in range(80)]
    count = len(expressions)
    body = "affine.for %i = -7 to 12 {\naffine.for %j = 0 to 11 {\n"
    for n, expression in enumerate(expressions):
        body += (
            f"%x{n} = affine.apply affine_map<(d0, d1) -> ({expression})> (%i, %j)\n"
            f"%y{n} = arith.index_cast %x{n} : index to i64\n"
            f"affine.store %y{n}, %o0[%i + 7, %j, {n}] : memref<19x11x{count}xi64>\n"
        )
    out = np.zeros((19, 11, count), np.int64)
    compile_c(tmp_path, program([], [f"19x11x{count}xi64"], body + "}\n}")).run([], [out])
    for (i, j, n), value in np.ndenumerate(out):
        assert value == _value(expressions[n], [i - 7, j]), str(expressions[n])
