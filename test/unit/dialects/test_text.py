"""What is printed is read back as it was."""

from __future__ import annotations

from io import StringIO
from math import inf, nan

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xdsl.context import Context
from xdsl.dialects.arith import Arith
from xdsl.dialects.arith import ConstantOp as ConstantOfLoops
from xdsl.dialects.builtin import (
    AnyFloat,
    Builtin,
    DenseIntOrFPElementsAttr,
    ModuleOp,
    TensorType,
    VectorType,
    f32,
    f64,
)
from xdsl.dialects.func import Func
from xdsl.parser import Parser
from xdsl.printer import Printer
from xdsl.utils.exceptions import ParseError

from canao.dialects.canao import Canao, ConstantOp
from canao.dialects.canao.source import dense_elements
from canao.dialects.mlir_parser import MlirParser
from canao.lowering.pipeline import lower
from canao.machine.processors import GENERIC

# Whole numbers that MLIR writes as bits, some of them no numbers at all.
AWKWARD = (inf, -inf, nan, 12583039.0, 16777217.0, -8388609.0, 1e300, 1e-40, -0.0, 0.1)


def parse(text: str, parser: type[Parser] = MlirParser) -> ModuleOp:
    context = Context()
    for dialect in (Arith, Builtin, Func, Canao):
        context.load_dialect(dialect)
    return parser(context, text).parse_module()


def generic(module: ModuleOp) -> str:
    text = StringIO()
    Printer(text, print_generic_format=True).print_op(module)
    return text.getvalue()


def numbers(width: int) -> st.SearchStrategy[float]:
    fitting = [v for v in AWKWARD if width == 64 or not abs(v) > 3e38 or abs(v) == inf]
    return st.sampled_from(fitting) | st.floats(width=width)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(("dtype", "width"), [(np.float32, 32), (np.float64, 64)])
@settings(deadline=None)
@given(data=st.data())
def test_constants(dtype: type[np.floating], width: int, data: st.DataObject) -> None:
    drawn = data.draw(st.lists(numbers(width), min_size=1, max_size=5))
    with np.errstate(over="ignore"):
        array = np.array(drawn, dtype)
    module = ModuleOp([ConstantOp.from_array(array)])
    zeros = np.signbit(array[array == 0])
    # xDSL's generic form has one number for zeros of both signs
    both_signs = zeros.any() and not zeros.all()
    for text in (str(module), *(() if both_signs else (generic(module),))):
        (again,) = parse(text).ops
        assert isinstance(again, ConstantOp)
        assert again.array().tobytes() == array.tobytes() or np.isnan(array).any()
        np.testing.assert_array_equal(again.array(), array)


@pytest.mark.parametrize(("element", "width"), [(f32, 32), (f64, 64)])
@settings(deadline=None)
@given(data=st.data())
def test_constants_of_loops(element: AnyFloat, width: int, data: st.DataObject) -> None:
    drawn = data.draw(st.lists(numbers(width), min_size=1, max_size=5))
    for type_ in (VectorType(element, [len(drawn)]), TensorType(element, [len(drawn), 1])):
        value = dense_elements(type_, drawn)
        module = ModuleOp([ConstantOfLoops(value)])
        for text in (str(module), generic(module)):
            (again,) = parse(text).ops
            assert isinstance(again, ConstantOfLoops)
            assert isinstance(again.value, DenseIntOrFPElementsAttr)
            np.testing.assert_array_equal(again.value.get_values(), value.get_values())


def test_bits_are_refused_where_they_would_be_integers() -> None:
    text = "%c = canao.constant dense<0xFF800000> : tensor<f32>"
    with pytest.raises(ParseError, match="write the bytes of floats in quotes"):
        parse(text, Parser)


def test_weights_of_a_program() -> None:
    text = """
func.func @main(%x: tensor<2x3xf32>) -> tensor<2x2xf32> {
  %w = canao.weight "w" : tensor<3x2xf32>
  %c = canao.constant dense<"0x7F00404B000080FF"> : tensor<2xf32>
  %v = canao.add %w, %c : (tensor<3x2xf32>, tensor<2xf32>) -> tensor<3x2xf32>
  %y = canao.matmul %x, %v : (tensor<2x3xf32>, tensor<3x2xf32>) -> tensor<2x2xf32>
  func.return %y : tensor<2x2xf32>
}"""
    program = lower(parse(text), target_unit=GENERIC, threads=1)
    constants = [op for op in parse(program.prepare).walk() if isinstance(op, ConstantOp)]
    assert [c.array().tolist() for c in constants] == [[12583039.0, -inf]]
