"""Products as seven of half the size: proofs, where the law holds, and what it makes of layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from unit.expressions import Shape, Tensor, build, names_of_ops
from unit.strategies import Graph
from xdsl.context import Context
from xdsl.dialects import func
from xdsl.ir import Block, SSAValue

from canao.dialects import canao
from canao.dialects.canao.types import shape_of
from canao.interpreters.canao import evaluate
from canao.machine.processors import vector_unit
from canao.transforms.law_uses import Use
from canao.transforms.lp_fusion import LPFusionPass
from canao.transforms.lp_fusion.laws.apply import Constants
from canao.transforms.lp_fusion.laws.fast.product_time import ProductTimes
from canao.transforms.lp_fusion.laws.fast.strassen_winograd import MultiplyByStrassenWinograd

AVX512 = vector_unit({"avx512f"})
ALWAYS = MultiplyByStrassenWinograd(lambda *_: True)
BERT = [(768, 768), (768, 2304), (768, 3072), (3072, 768)]


def main_block(graph: Graph) -> Block:
    return next(f for f in graph.module.ops if isinstance(f, func.FuncOp)).body.block


def split(graph: Graph) -> int:
    """How many products of a graph the law changes."""
    block = main_block(graph)
    products = ALWAYS.split(block, Constants(block))
    graph.module.verify()
    return len(products)


def fused(
    function: Callable[..., Any], shapes: Sequence[Shape], fast: bool = True
) -> tuple[LPFusionPass, list[canao.LayerOp]]:
    """The layers of a function of an input and weights on a machine with AVX-512."""
    graph = build(function, shapes, constants=range(1, len(shapes)))
    fusion = LPFusionPass(fast=fast, features=("avx512f",))
    fusion.apply(Context(), graph.module)
    graph.module.verify()
    return fusion, [op for op in main_block(graph).ops if isinstance(op, canao.LayerOp)]


def ops_of(layer: canao.LayerOp, kind: type[Any]) -> list[Any]:
    return [op for op in layer.body.block.ops if isinstance(op, kind)]


# ------------------------------------------------------------------ proofs


def test_holds_for_any_ring():
    """The quarters are symbols that do not commute: matrices of any size."""
    graph = build(lambda x, w: x @ w, ((2, 2), (2, 2)), constants=(1,))
    expected = symbolic(graph)
    assert split(graph) == 1
    assert names_of_ops(graph).count("matmul") == 7
    for a, b in zip(symbolic(graph).flat, expected.flat, strict=True):
        assert sympy.expand(a - b) == 0


def symbolic(graph: Graph) -> Any:
    """The result of a graph of two 2x2 matrices, with symbols for their elements."""
    names = iter("abcdefgh")

    def symbols() -> Any:
        return np.array([sympy.Symbol(next(names), commutative=False) for _ in range(4)])

    block = main_block(graph)
    known: dict[SSAValue, Any] = {block.args[0]: symbols().reshape(2, 2)}
    meaning: dict[type[Any], Callable[..., Any]] = {
        canao.AddOp: lambda _, a, b: a + b,
        canao.SubOp: lambda _, a, b: a - b,
        canao.MatmulOp: lambda _, a, b: a @ b,
        canao.ConcatOp: lambda op, *parts: np.concatenate(parts, op.axis.value.data),
        canao.WeightOp: lambda _: symbols().reshape(2, 2),
        canao.SliceOp: cut,
    }
    for op in block.ops:
        if isinstance(op, func.ReturnOp):
            return known[op.operands[0]]
        known[op.results[0]] = meaning[type(op)](op, *(known[v] for v in op.operands))
    raise AssertionError


def cut(op: canao.SliceOp, value: Any) -> Any:
    ranges = zip(op.starts.get_values(), shape_of(op.result), strict=True)
    return value[tuple(slice(start, start + size) for start, size in ranges)]


def test_is_exact_for_whole_numbers():
    graph = build(lambda x, w: x @ w, ((6, 10), (10, 14)), constants=(1,))
    rng = np.random.default_rng(0)
    graph.inputs[0] = rng.integers(-50, 50, (6, 10)).astype(np.float32)
    graph.weights["w1"] = rng.integers(-50, 50, (10, 14)).astype(np.float32)
    assert split(graph) == 1
    (found,) = evaluate(graph.module, graph.inputs, graph.weights)
    np.testing.assert_array_equal(found, graph.inputs[0] @ graph.weights["w1"])


@settings(max_examples=40, deadline=None)
@given(
    leading=st.lists(st.integers(1, 6), min_size=1, max_size=3),
    inner=st.integers(1, 12),
    columns=st.integers(1, 12),
    residual=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_keeps_results_of_even_sizes_and_leaves_odd_ones(
    leading: list[int], inner: int, columns: int, residual: bool, seed: int
):
    shape = (*leading, columns)
    shapes = ((*leading, inner), (inner, columns), (columns,), shape if residual else ())
    graph = build(
        lambda x, w, b, r: ((x @ w + b) * r).apply(canao.GeluOp) - b,
        shapes,
        constants=(1, 2),
        seed=seed,
    )
    expected = evaluate(graph.module, graph.inputs, graph.weights, float64=True)
    even = all(n % 2 == 0 for n in (int(np.prod(leading)), inner, columns))
    assert split(graph) == even
    found = evaluate(graph.module, graph.inputs, graph.weights, float64=True)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-9, atol=1e-9)
    assert names_of_ops(graph).count("gelu") == (4 if even else 1)


# --------------------------------------------------------- side conditions


@pytest.mark.parametrize(
    ("function", "shapes", "constants", "dtype"),
    [
        (lambda x, w: x @ w, ((8, 8), (8, 8)), (), "float32"),
        (lambda x, w: x @ w, ((8, 8), (8, 8)), (0,), "float32"),
        (lambda x, w: x @ w, ((8, 8), (8, 8)), (0, 1), "float32"),
        (lambda x, w: x @ w, ((2, 8, 8), (2, 8, 8)), (1,), "float32"),
        (lambda x, w: x @ w, ((8, 8), (8, 8)), (1,), "int64"),
    ],
    ids=["no weight", "weight on the left", "two weights", "batch of weights", "integers"],
)
def test_leaves(function: Any, shapes: Any, constants: tuple[int, ...], dtype: str):
    graph = build(function, shapes, constants, dtype)
    assert split(graph) == 0
    assert names_of_ops(graph).count("matmul") == 1


def test_elementwise_operations_stay_behind_what_mixes_elements():
    def function(x: Tensor, w: Tensor) -> Tensor:
        return (x @ w + 1.0).apply(canao.SoftmaxOp, 1) * 2.0

    graph = build(function, ((8, 8), (8, 8)), constants=(1,))
    assert split(graph) == 1
    names = names_of_ops(graph)
    assert names[names.index("softmax") - 1] == "concat"
    assert (names.count("softmax"), names.count("mul")) == (1, 1)


def test_a_product_with_other_uses_is_whole():
    graph = build(lambda x, w: (x @ w, (x @ w).T), ((8, 8), (8, 8)), constants=(1,))
    assert split(graph) == 2
    product = build(lambda x, w: two_uses(x @ w), ((8, 8), (8, 8)), constants=(1,))
    assert split(product) == 1
    assert names_of_ops(product).count("tanh") == 1


def two_uses(value: Tensor) -> Tensor:
    return value.apply(canao.TanhOp) + value


def test_an_operand_repeated_along_a_batch_ends_the_chain():
    graph = build(lambda x, w, b: x @ w + b, ((2, 4, 8), (8, 8), (2, 1, 8)), constants=(1,), seed=3)
    expected = evaluate(graph.module, graph.inputs, graph.weights, float64=True)
    assert split(graph) == 1
    found = evaluate(graph.module, graph.inputs, graph.weights, float64=True)
    np.testing.assert_allclose(found[0], expected[0], rtol=1e-12)
    assert names_of_ops(graph)[-1] == "add"


# ------------------------------------------------------------- cost and pass


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(("inner", "columns"), BERT)
def test_pays_for_products_of_bert(inner: int, columns: int, threads: int):
    times = ProductTimes(AVX512, threads)
    assert times.gain(128, inner, columns) > 1.03
    assert times.gain(128, inner, columns) < 8 / 7


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("rows", [2, 8, 32])
@pytest.mark.parametrize(("inner", "columns"), BERT)
def test_does_not_pay_where_memory_binds(rows: int, inner: int, columns: int, threads: int):
    assert ProductTimes(AVX512, threads).gain(rows, inner, columns) < 1


@pytest.mark.parametrize("size", [16, 64, 128])
def test_does_not_pay_for_small_products(size: int):
    assert ProductTimes(AVX512, 1).gain(size, size, size) < 1.03


def test_becomes_a_layer_of_sums_and_one_of_products():
    def function(x: Tensor, w: Tensor, b: Tensor) -> Tensor:
        return (x @ w + b).apply(canao.GeluOp).apply(canao.SoftmaxOp, 2)

    fusion, (sums, products, rows) = fused(function, ((1, 128, 768), (768, 768), (768,)))
    assert len(sums.outs) == 4
    assert not ops_of(sums, canao.MatmulOp)
    assert len(ops_of(products, canao.MatmulOp)) == 7
    assert len(ops_of(products, canao.GeluOp)) == 4
    assert [shape_of(v) for v in products.outs] == [(128, 768)]
    assert ops_of(rows, canao.SoftmaxOp)
    assert fusion.used[Use("multiply-by-strassen-winograd", True)] == 1
    (product,) = fusion.products
    assert (product.rows, product.inner, product.columns) == (128, 768, 768)
    assert product.weights == ("w1",)


def test_is_used_on_request_only():
    fusion, layers = fused(lambda x, w: x @ w, ((128, 768), (768, 768)), fast=False)
    assert not fusion.products
    assert [len(ops_of(layer, canao.MatmulOp)) for layer in layers] == [1]


def test_stays_where_it_does_not_pay():
    fusion, layers = fused(lambda x, w: x @ w, ((8, 768), (768, 768)))
    assert not fusion.products
    assert [len(ops_of(layer, canao.MatmulOp)) for layer in layers] == [1]
