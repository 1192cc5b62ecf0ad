"""Sums are factored to their best form, and nothing that only looks like one is."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from unit.expressions import build, names_of_ops
from unit.strategies import Graph, graphs
from unit.transforms.test_laws import main_block
from unit.transforms.test_simplify import SLOW
from xdsl.dialects.builtin import f32, f64, i64

from canao.dialects import canao
from canao.frontend.imported import parse_mlir
from canao.interpreters.canao import evaluate
from canao.transforms.lp_fusion.laws.apply import Constants, apply_laws, cost_of_block

WIDE, ROW, COLUMN = (4, 8), (8,), (4, 1)


def counts(graph: Graph) -> dict[str, int]:
    return dict(Counter(names_of_ops(graph)))


def check_equal(before: Any, after: Any, rtol: float = 1e-12) -> None:
    for a, b in zip(before, after, strict=True):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol)


W = (WIDE,)
FORMS: dict[str, tuple[Callable[..., Any], tuple[tuple[int, ...], ...], dict[str, int]]] = {
    "paper": (lambda x, f, g, h: (x + f) * g + (x + f) * h, W * 4, {"add": 2, "mul": 1}),
    "paper expanded": (
        lambda x, f, g, h: x * g + f * g + x * h + f * h,
        W * 4,
        {"add": 2, "mul": 1},
    ),
    "paper in any order": (
        lambda x, f, g, h: h * (f + x) + (x + f) * g,
        W * 4,
        {"add": 2, "mul": 1},
    ),
    "three wide": (lambda x, g, h, k: x * g + x * h + k * x, W * 4, {"add": 2, "mul": 1}),
    "four wide": (
        lambda x, g, h, k, m: x * g + h * x + (x * k + m * x),
        W * 5,
        {"add": 3, "mul": 1},
    ),
    "nested": (lambda a, b, c, d: (a * b + a * c) + (a * d), W * 4, {"add": 2, "mul": 1}),
    "nested right": (lambda a, b, c, d: a * d + (c * a + a * b), W * 4, {"add": 2, "mul": 1}),
    "factored in part": (lambda a, b, c, d: a * (b + c) + a * d, W * 4, {"add": 2, "mul": 1}),
    "difference": (lambda x, g, h: x * g - x * h, W * 3, {"sub": 1, "mul": 1}),
    "difference of sums": (
        lambda x, g, h, k: x * g - (x * h + x * k),
        W * 4,
        {"add": 1, "sub": 1, "mul": 1},
    ),
    "negated term": (lambda x, g, h: -(x * g) + x * h, W * 3, {"sub": 1, "mul": 1}),
    "quotients": (lambda x, y, c: x / c + y / c, W * 3, {"add": 1, "div": 1}),
    "quotients by a number": (lambda x, y: x / 3 + y / 3, W * 2, {"add": 1, "div": 1}),
    "three quotients": (
        lambda x, y, z, c: x / c - y / c + z / c,
        W * 4,
        {"add": 1, "sub": 1, "div": 1},
    ),
    "a factor of all quotients": (
        lambda x, g, h, c: x * g / c + x * h / c,
        W * 4,
        {"add": 1, "mul": 1, "div": 1},
    ),
    "two factors": (
        lambda x, y, g, h: x * y * g + y * h * x,
        W * 4,
        {"add": 1, "mul": 2},
    ),
    "pairs": (
        lambda a, b, c, d, e: a * b + b * c + c * d + d * e,
        W * 5,
        {"add": 3, "mul": 2},
    ),
    "like terms": (lambda x: x + x + x, W, {"mul": 1}),
    "like terms with numbers": (lambda x: x * 2 + x * 3, W, {"mul": 1}),
    "itself": (lambda x, g, h: x * g + x * h + x, W * 3, {"add": 2, "mul": 1}),
    "row factor": (lambda x, y, s: x * s + y * s, (WIDE, WIDE, ROW), {"add": 1, "mul": 1}),
    "column factor": (lambda x, y, s: x * s - s * y, (WIDE, WIDE, COLUMN), {"sub": 1, "mul": 1}),
    "broadcast rests": (lambda x, g, h: x * g + x * h, (WIDE, ROW, COLUMN), {"add": 1, "mul": 1}),
    "explicit broadcast": (
        lambda x, g, h: x * g.broadcast(4, 8) + x * h.broadcast(4, 8),
        (WIDE, ROW, ROW),
        {"add": 1, "mul": 1},
    ),
    "sum of scaled": (lambda x, s: (x * s).sum(0), (WIDE, ROW), {"mul": 1, "reduce_sum": 1}),
    "sum of scaled by a number": (lambda x: (x * 3).sum(1), W, {"mul": 1, "reduce_sum": 1}),
    "sum of scaled, broadcast": (
        lambda x, s: (x * s.broadcast(4, 8)).sum(0),
        (WIDE, ROW),
        {"mul": 1, "reduce_sum": 1},
    ),
    "sums of scaled": (
        lambda x, y, s: (x * s).sum(0) + (y * s).sum(0),
        (WIDE, WIDE, ROW),
        {"add": 1, "mul": 1, "reduce_sum": 1},
    ),
    "sum of factored": (
        lambda x, g, s: (x * s + g * s).sum(0),
        (WIDE, WIDE, ROW),
        {"add": 1, "mul": 1, "reduce_sum": 1},
    ),
    "outer product summed": (
        lambda u, v: (u * v).sum(0),
        (COLUMN, (1, 8)),
        {"mul": 1, "reduce_sum": 1},
    ),
    "products of an input": (
        lambda x, v, w: x @ v + x @ w,
        (WIDE, (8, 3), (8, 3)),
        {"add": 1, "matmul": 1},
    ),
    "products of a weight": (
        lambda x, y, w: x @ w - y @ w,
        (WIDE, WIDE, (8, 16)),
        {"sub": 1, "matmul": 1},
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_finds_the_best_form(name: str):
    function, shapes, expected = FORMS[name]
    graph = build(function, shapes)
    before = evaluate(graph.module, graph.inputs, graph.weights, float64=True)
    apply_laws(main_block(graph))
    graph.module.verify()
    found = counts(graph)
    found.pop("broadcast", None)
    assert found == expected
    check_equal(before, evaluate(graph.module, graph.inputs, graph.weights, float64=True))


# What looks like a factoring and is none. Each says why.
STAYS: dict[str, tuple[Callable[..., Any], tuple[tuple[int, ...], ...], str]] = {
    "no common factor": (lambda x, y, g, h: x * g + y * h, W * 4, "float32"),
    "a factor in other roles": (lambda x, g, h: x * g + h / x, W * 3, "float32"),
    "one term": (lambda x, g, h: x * g + h, W * 3, "float32"),
    "maximum of products": (lambda x, g, h: (x * g).max(x * h), W * 3, "float32"),
    "minimum of products": (lambda x, g, h: (x * g).min(x * h), W * 3, "float32"),
    "product of sums": (lambda x, g, h: (x + g) * (x + h), W * 3, "float32"),
    "product of products": (lambda x, g, h: (x * g) * (x * h), W * 3, "float32"),
    "different divisors": (lambda x, g, h: x / g + x / h, W * 3, "float32"),
    "one over": (lambda x, y, g: g / x + g / y, W * 3, "float32"),
    "quotient and term": (lambda x, g: x / g + x, W * 2, "float32"),
    "integer quotients": (lambda x, y, c: x / c + y / c, W * 3, "int64"),
    "integer quotients by a number": (lambda x, y: x / 2 + y / 2, W * 2, "int64"),
    "integer quotient of a product": (lambda x, c: (x * c) / c, W * 2, "int64"),
    "powers of sums": (lambda x, g, h: (x**g) + (x**h), W * 3, "float32"),
    "powers of one exponent": (lambda x, y, g: x**g + y**g, W * 3, "float32"),
    "product of powers": (lambda x, g, h: (x**g) * (x**h), W * 3, "float32"),
    "functions": (
        lambda x, y: x.apply(canao.ExpOp) + y.apply(canao.ExpOp),
        W * 2,
        "float32",
    ),
    "product of exponentials": (
        lambda x, y: x.apply(canao.ExpOp) * y.apply(canao.ExpOp),
        W * 2,
        "float32",
    ),
    "absolute values": (
        lambda x, g, h: (x * g).apply(canao.AbsOp) + (x * h).apply(canao.AbsOp),
        W * 3,
        "float32",
    ),
    "largest of scaled": (lambda x, s: (x * s).largest(0), (WIDE, ROW), "float32"),
    "sum over the factor's axis": (lambda x, s: (x * s).sum(1), (WIDE, ROW), "float32"),
    "sum of squares": (lambda x: (x * x).sum(1), W, "float32"),
    "sums over other axes": (
        lambda x, y: x.sum(1) + y.sum(0),
        W * 2,
        "float32",
    ),
    "sums of other shapes": (
        lambda x, y: x.sum(1) + y.sum(1),
        (WIDE, (4, 16)),
        "float32",
    ),
    "products of other operands": (
        lambda x, y, v, w: x @ v + y @ w,
        (WIDE, WIDE, (8, 3), (8, 3)),
        "float32",
    ),
    "swapped products": (lambda x, w: x @ w + w @ x, ((8, 8), (8, 8)), "float32"),
    "product on the other side": (
        lambda x, v, w: x @ w + v @ x,
        ((8, 8), (8, 8), (8, 8)),
        "float32",
    ),
    "quotient of equals": (lambda x: x / x, W, "float32"),
    "difference of equals": (lambda x: x - x, W, "float32"),
    "difference of equal products": (lambda x, g: x * g - x * g.broadcast(4, 8), W * 2, "float32"),
    "cancelling terms": (lambda x, y: (x + y) - x, W * 2, "float32"),
    "cancelling multiples": (lambda x, g: (x * g + x) - x, W * 2, "float32"),
    "times zero": (lambda x, y: x * 0 + y, W * 2, "float32"),
    "common factor zero": (lambda x, y: x * 0 + y * 0, W * 2, "float32"),
    "rounding on purpose": (lambda x: (x + 12582912.0) - 12582912.0, W, "float32"),
    "masked by infinity": (lambda x, y: x * -np.inf + y * -np.inf, W * 2, "float32"),
    "masked by the lowest number": (
        lambda x, y: x * -3.4e38 + y * -3.4e38,
        W * 2,
        "float32",
    ),
    "wider when factored": (
        lambda a, b, c, x, y: (a * b) * x + (a * c) * y,
        (COLUMN, COLUMN, COLUMN, (1, 8), (1, 8)),
        "float32",
    ),
    "scaled narrow operand": (lambda s, t, x: (s * t) * x, (ROW, ROW, WIDE), "float32"),
    "double rounded by casts": (
        lambda x, g, h: (x * g).cast(f64) + (x * h).cast(f64),
        W * 3,
        "float32",
    ),
    "truncated by casts": (
        lambda x, g, h: (x * g).cast(i64) + (x * h).cast(i64),
        W * 3,
        "float32",
    ),
    "factors of another type": (
        lambda x, g, h: x * g + (x.cast(f64) * h.cast(f64)).cast(f32),
        W * 3,
        "float32",
    ),
    "transposed factor": (lambda x, g, h: x * g + x.T * h, ((8, 8),) * 3, "float32"),
    "reshaped factor": (
        lambda x, g, h: (x * g).reshape(8, 4) + x.reshape(8, 4) * h,
        (WIDE, WIDE, (8, 4)),
        "float32",
    ),
    "other rows": (
        lambda x, g, h: x[0:2] * g + x[2:4] * h,
        (WIDE, (2, 8), (2, 8)),
        "float32",
    ),
    "product used elsewhere": (
        lambda x, g, h: (x * g + x * h, x * g),
        W * 3,
        "float32",
    ),
    "both products used elsewhere": (
        lambda x, g, h: ((p := x * g) + (q := x * h), p, q),
        W * 3,
        "float32",
    ),
    "composites": (
        lambda x, y: x.apply(canao.GeluOp) + y.apply(canao.GeluOp),
        W * 2,
        "float32",
    ),
    "softmax of scaled": (
        lambda x, s: (x * s).apply(canao.SoftmaxOp, 1),
        (WIDE, COLUMN),
        "float32",
    ),
}


@pytest.mark.parametrize("name", STAYS)
def test_look_alikes_stay(name: str):
    function, shapes, dtype = STAYS[name]
    graph = build(function, shapes, dtypes=dtype)
    before = names_of_ops(graph)
    used = apply_laws(main_block(graph))
    assert {use.law for use in used} <= {"share"}
    if not used:
        assert names_of_ops(graph) == before


def test_select_does_not_distribute():
    def function(c: Any, x: Any, g: Any, h: Any) -> Any:
        return c.apply(canao.SelectOp, x * g, x * h)

    graph = build(function, W * 4, dtypes=("bool", "float32", "float32", "float32"))
    assert not apply_laws(main_block(graph))


def test_enough_look_alikes():
    assert len(STAYS) >= 30


INTEGERS: dict[str, tuple[Callable[..., Any], dict[str, int]]] = {
    "sum": (lambda x, g, h: x * g + x * h, {"add": 1, "mul": 1}),
    "difference": (lambda x, g, h: x * g - h * x, {"sub": 1, "mul": 1}),
    "bits": (lambda x, g, h: (x & g) | (h & x), {"and": 1, "or": 1}),
}


@pytest.mark.parametrize("exact", [False, True])
@pytest.mark.parametrize("name", INTEGERS)
def test_rings_of_integers_are_exact(name: str, exact: bool):
    function, expected = INTEGERS[name]
    graph = build(function, W * 3, dtypes="int64")
    before = evaluate(graph.module, graph.inputs, graph.weights)
    used = apply_laws(main_block(graph), exact)
    assert counts(graph) == expected
    assert not any(use.changes_rounding for use in used)
    for a, b in zip(before, evaluate(graph.module, graph.inputs, graph.weights), strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_shared_product_is_used_where_that_is_cheaper():
    def function(x: Any, g: Any, h: Any, k: Any) -> Any:
        p = x * g
        return p + x * h + x * k, p

    graph = build(function, W * 4)
    apply_laws(main_block(graph))
    # x * g is needed anyway; x * (h + k) is added to it.
    assert counts(graph) == {"add": 2, "mul": 2}


@settings(max_examples=150, deadline=None, suppress_health_check=SLOW)
@given(graphs())
def test_random_graphs_keep_their_results(graph: Graph):
    before = evaluate(graph.module, graph.inputs, graph.weights, float64=True)
    cost = cost_of_block(main_block(graph), Constants(main_block(graph)))
    used = apply_laws(main_block(graph))
    graph.module.verify()
    after = evaluate(graph.module, graph.inputs, graph.weights, float64=True)
    check_equal(before, after, rtol=1e-6)
    if used:
        assert cost_of_block(main_block(graph), Constants(main_block(graph))) <= cost
    text = str(graph.module)
    assert not apply_laws(main_block(graph))
    assert str(graph.module) == text


@settings(max_examples=75, deadline=None, suppress_health_check=SLOW)
@given(graphs())
def test_exact_keeps_every_bit_but_of_products(graph: Graph):
    before = evaluate(graph.module, graph.inputs, graph.weights)
    used = apply_laws(main_block(graph), exact=True)
    assert not any(use.changes_rounding for use in used)
    after = evaluate(graph.module, graph.inputs, graph.weights)
    for a, b in zip(before, after, strict=True):
        # numpy adds the terms of a product in an order that depends on its shape.
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5)


def test_exact_reports_no_rounding_where_only_a_broadcast_moves():
    """The quotient is computed for one row in place of two: the same divisions."""
    kind, wide = "tensor<1xf32>", "tensor<2x1xf32>"
    module = parse_mlir(f"""
    func.func @main(%x: {kind}) -> ({wide}, {wide}) {{
      %b = canao.broadcast %x : ({kind}) -> {wide}
      %c = canao.constant dense<2.0> : tensor<f32>
      %q = canao.div %b, %c : ({wide}, tensor<f32>) -> {wide}
      func.return %b, %q : {wide}, {wide}
    }}""")
    graph = Graph(module, [np.array([3.0], np.float32)])
    (wanted_b, wanted_q) = evaluate(module, graph.inputs, {})
    used = apply_laws(main_block(graph), exact=True)
    assert used
    assert not any(use.changes_rounding for use in used)
    found_b, found_q = evaluate(module, graph.inputs, {})
    np.testing.assert_array_equal(found_b, wanted_b)
    np.testing.assert_array_equal(found_q, wanted_q)
