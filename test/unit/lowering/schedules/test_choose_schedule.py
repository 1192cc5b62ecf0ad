"""The cost model's register tiles, and the loops that stages can share."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.dialects.builtin import Builtin
from xdsl.dialects.func import Func
from xdsl.parser import Parser

from canao.dialects.canao import Canao, LayerOp
from canao.lowering.choose.register_tiles import register_tile
from canao.lowering.stages.form_stages import form_stages
from canao.lowering.stages.reads import shared_band, stage_reads
from canao.lowering.stages.stage import Stage
from canao.machine.processor import VectorUnit
from canao.machine.processors import GENERIC, vector_unit
from canao.transforms.expand_composites import ExpandCompositesPass

UNITS = (GENERIC, *map(vector_unit, (["avx512f"], ["avx2", "fma"], ["asimd"])))


@given(st.integers(1, 600), st.integers(1, 4096), st.sampled_from(UNITS))
def test_register_tiles_fit(rows: int, columns: int, unit: VectorUnit) -> None:
    height, width = register_tile(rows, columns, unit)
    vectors, rest = divmod(width, unit.lanes_f32)
    assert rest == 0
    assert 1 <= height <= rows
    # the accumulators, the vectors of one row of the right operand, one broadcast
    assert height * vectors + vectors + 1 <= unit.registers
    assert vectors == 1 or width - unit.lanes_f32 < columns


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.name)
def test_large_products_keep_the_multipliers_busy(unit: VectorUnit) -> None:
    height, width = register_tile(128, 768, unit)
    assert height * width // unit.lanes_f32 >= 8


def stages_of(body: str) -> tuple[Stage, ...]:
    context = Context()
    for dialect in (Builtin, Func, Canao):
        context.load_dialect(dialect)
    module = Parser(context, body).parse_module()
    ExpandCompositesPass().apply(context, module)
    (layer,) = (op for op in module.walk() if isinstance(op, LayerOp))
    return form_stages(layer.body.block)


def layer(arguments: str, result: str, body: str) -> str:
    """A function with one layer; `arguments` are pairs of a name and a shape."""
    names = dict(pair.split(":") for pair in arguments.split())
    head = ", ".join(f"%{n}_in: tensor<{s}>" for n, s in names.items())
    passed = ", ".join(f"%{n} = %{n}_in" for n in names)
    types = ", ".join(f"tensor<{s}>" for s in names.values())
    return f"""
func.func @main({head}) -> tensor<{result}> {{
  %r = canao.layer({passed}) : ({types}) -> tensor<{result}> {{
    {body}
    canao.yield %out : tensor<{result}>
  }}
  func.return %r : tensor<{result}>
}}"""


SOFTMAX = layer(
    "x:2x4x8xf32",
    "2x4x8xf32",
    "%out = canao.softmax %x axis 2 : (tensor<2x4x8xf32>) -> tensor<2x4x8xf32>",
)
SOFTMAX_OF_COLUMNS = layer(
    "x:2x4x8xf32",
    "2x4x8xf32",
    "%out = canao.softmax %x axis 1 : (tensor<2x4x8xf32>) -> tensor<2x4x8xf32>",
)
PRODUCT_AND_NORM = layer(
    "x:4x8xf32 w:8x6xf32 s:6xf32",
    "4x6xf32",
    "%y = canao.matmul %x, %w : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>\n"
    "%out = canao.layer_norm %y, %s, %s epsilon 1.0e-05 : f64 : "
    "(tensor<4x6xf32>, tensor<6xf32>, tensor<6xf32>) -> tensor<4x6xf32>",
)
PRODUCT = layer(
    "x:4x8xf32 w:8x6xf32",
    "4x6xf32",
    "%out = canao.matmul %x, %w : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>",
)
ATTENTION = layer(
    "q:2x4x8xf32 k:2x8x4xf32 v:2x4x8xf32",
    "2x4x8xf32",
    "%s = canao.matmul %q, %k : (tensor<2x4x8xf32>, tensor<2x8x4xf32>) -> tensor<2x4x4xf32>\n"
    "%p = canao.softmax %s axis 2 : (tensor<2x4x4xf32>) -> tensor<2x4x4xf32>\n"
    "%out = canao.matmul %p, %v : (tensor<2x4x4xf32>, tensor<2x4x8xf32>) -> tensor<2x4x8xf32>",
)
TWO_PRODUCTS = layer(
    "x:4x4xf32 w:4x4xf32",
    "4x4xf32",
    "%y = canao.matmul %x, %w : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>\n"
    "%t = canao.transpose %y [1, 0] : (tensor<4x4xf32>) -> tensor<4x4xf32>\n"
    "%out = canao.matmul %t, %y : (tensor<4x4xf32>, tensor<4x4xf32>) -> tensor<4x4xf32>",
)


@pytest.mark.parametrize(
    ("text", "band"),
    [
        pytest.param(PRODUCT, 2, id="one stage shares all that is parallel"),
        pytest.param(SOFTMAX, 2, id="rows are independent"),
        pytest.param(SOFTMAX_OF_COLUMNS, 1, id="only batches are, where columns are reduced"),
        pytest.param(PRODUCT_AND_NORM, 1, id="rows of a product and its norm"),
        pytest.param(ATTENTION, 2, id="heads and rows of attention"),
        pytest.param(TWO_PRODUCTS, 0, id="a product of all rows shares none"),
    ],
)
def test_shared_loops(text: str, band: int) -> None:
    assert shared_band(stages_of(text)) == band


def test_reads_of_a_product() -> None:
    (stage,) = stages_of(PRODUCT)
    reads = stage_reads(stage, {stage.target})
    assert [[str(i) for i in read.index] for read in reads] == [["d0", "d2"], ["d2", "d1"]]
