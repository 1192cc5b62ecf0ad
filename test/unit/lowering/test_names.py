"""Kernels, buffers and loops are called by what they are; C stays C whatever a model has."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from xdsl.context import Context
from xdsl.dialects.builtin import StringAttr

from canao.dialects.canao import LayerOp
from canao.frontend.imported import parse_mlir
from canao.lowering.c.comments import comment
from canao.lowering.c.names import Names, readable
from canao.lowering.pipeline import lower
from canao.lowering.stages.words import dimension_names
from canao.lowering.unused_name import unused_name
from canao.machine.opencl_device import POCL, DeviceKind, DeviceModel
from canao.machine.processors import vector_unit
from canao.program import Program
from canao.transforms.lp_fusion import LPFusionPass
from canao.transforms.name_layers import NameLayersPass, layer_name
from canao.transforms.outline_weights import OutlineWeightsPass

LINEAR = """
func.func @main(%x: tensor<8x16xf32>) -> tensor<8x32xf32> {{
  %w = canao.weight "{weight}" : tensor<16x32xf32>
  %b = canao.weight "{bias}" : tensor<32xf32>
  %p = canao.matmul %x, %w : (tensor<8x16xf32>, tensor<16x32xf32>) -> tensor<8x32xf32>
  %s = canao.add %p, %b : (tensor<8x32xf32>, tensor<32xf32>) -> tensor<8x32xf32>
  %y = canao.gelu %s approximate "none" : (tensor<8x32xf32>) -> tensor<8x32xf32>
  func.return %y : tensor<8x32xf32>
}}
"""
ATTENTION = """
func.func @main(%q: tensor<1x2x8x4xf32>, %k: tensor<1x2x4x8xf32>, %v: tensor<1x2x8x4xf32>, %m: tensor<1x1x1x8xf32>) -> tensor<1x2x8x4xf32> {
  %s = canao.matmul %q, %k : (tensor<1x2x8x4xf32>, tensor<1x2x4x8xf32>) -> tensor<1x2x8x8xf32>
  %a = canao.add %s, %m : (tensor<1x2x8x8xf32>, tensor<1x1x1x8xf32>) -> tensor<1x2x8x8xf32>
  %p = canao.softmax %a axis 3 : (tensor<1x2x8x8xf32>) -> tensor<1x2x8x8xf32>
  %o = canao.matmul %p, %v : (tensor<1x2x8x8xf32>, tensor<1x2x8x4xf32>) -> tensor<1x2x8x4xf32>
  func.return %o : tensor<1x2x8x4xf32>
}
"""  # noqa: E501
EMBEDDING = """
func.func @main(%i: tensor<4xi64>) -> tensor<4x8xf32> {
  %t = canao.weight "e.table" : tensor<9x8xf32>
  %a = canao.weight "e.scale" : tensor<8xf32>
  %b = canao.weight "e.shift" : tensor<8xf32>
  %g = canao.gather %t at %i : (tensor<9x8xf32>, tensor<4xi64>) -> tensor<4x8xf32>
  %n = canao.layer_norm %g, %a, %b epsilon 1.0e-05 : f64 : (tensor<4x8xf32>, tensor<8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  func.return %n : tensor<4x8xf32>
}
"""  # noqa: E501
ENCODER = """
func.func @main(%x: tensor<8x16xf32>) -> tensor<8x16xf32> {
  %w = canao.weight "encoder.layer.0.dense.weight" : tensor<16x16xf32>
  %b = canao.weight "encoder.layer.0.dense.bias" : tensor<16xf32>
  %p = canao.matmul %x, %w : (tensor<8x16xf32>, tensor<16x16xf32>) -> tensor<8x16xf32>
  %s = canao.add %p, %b : (tensor<8x16xf32>, tensor<16xf32>) -> tensor<8x16xf32>
  %v = canao.weight "encoder.layer.1.dense.weight" : tensor<16x16xf32>
  %q = canao.matmul %s, %v : (tensor<8x16xf32>, tensor<16x16xf32>) -> tensor<8x16xf32>
  %r = canao.softmax %q axis 1 : (tensor<8x16xf32>) -> tensor<8x16xf32>
  func.return %r : tensor<8x16xf32>
}
"""


def unary(op: str, shape: str = "4x8") -> str:
    tensor = f"tensor<{shape}xf32>"
    return f"""
func.func @main(%x: {tensor}) -> {tensor} {{
  %y = {op} : ({tensor}) -> {tensor}
  func.return %y : {tensor}
}}
"""


def program(text: str, *, fusion: bool = True, device: DeviceModel | None = None) -> Program:
    unit = vector_unit(("avx2", "fma"))
    return lower(parse_mlir(text), target_unit=unit, threads=1, fusion=fusion, device=device)


def names(text: str) -> list[str]:
    return [kernel.name for kernel in program(text).kernels]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (LINEAR.format(weight="w", bias="b"), "linear_gelu_16x32"),
        (ATTENTION, "attention_2x4"),
        (EMBEDDING, "embedding_layer_norm_8"),
        (unary("canao.softmax %x axis 1"), "softmax_8"),
        (unary("canao.softmax %x axis 0"), "softmax_4"),
        (unary("canao.tanh %x"), "elementwise_tanh_4x8"),
        (unary("canao.neg %x", "1x1"), "elementwise_neg_1"),
    ],
)
def test_kernels_are_named_by_what_they_compute(text: str, expected: str) -> None:
    assert names(text) == [expected]
    source = program(text).source
    assert f"CANAO_KERNEL void {expected}(" in source
    assert f"/* {expected}: " in source


def test_names_are_the_same_each_time_and_unlike_each_other() -> None:
    text = """
func.func @main(%x: tensor<4x8xf32>, %z: tensor<4x8xi1>) -> (tensor<4x8xf32>, tensor<4x8xi1>) {
  %y = canao.not %z : (tensor<4x8xi1>) -> tensor<4x8xi1>
  %u = canao.neg %x : (tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %u, %y : tensor<4x8xf32>, tensor<4x8xi1>
}
"""
    assert names(text) == names(text)
    same = text.replace("canao.not %z", "canao.neg %z").replace("xi1", "xi64")
    assert sorted(names(same)) == ["elementwise_neg_4x8", "elementwise_neg_4x8_2"]


def test_equal_layers_share_a_kernel_whatever_their_values_are_called() -> None:
    text = """
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %first = canao.softmax %x axis 1 : (tensor<4x8xf32>) -> tensor<4x8xf32>
  %other = canao.softmax %first axis 1 : (tensor<4x8xf32>) -> tensor<4x8xf32>
  func.return %other : tensor<4x8xf32>
}
"""
    found = program(text, fusion=False)
    assert [kernel.name for kernel in found.kernels] == ["softmax_8"]
    assert found.calls == (0, 0)


def test_a_name_that_a_file_gives_is_cleaned() -> None:
    module = parse_mlir(LINEAR.format(weight="w", bias="b"))
    for each in (LPFusionPass(), OutlineWeightsPass(), NameLayersPass()):
        each.apply(Context(), module)
    (layer,) = [op for op in module.walk() if isinstance(op, LayerOp)]
    for given, expected in (
        ("*/ int main() { return 1; } /*", "int_main_return_1"),
        ("9 lives", "layer_9_lives_1"),
        ("", "layer_1"),
        ("a" * 100, f"{'a' * 60}_1"),
    ):
        layer.attributes["canao.name"] = StringAttr(given)
        assert layer_name(layer) == expected


def test_buffers_and_loops_are_called_by_their_roles() -> None:
    source = program(LINEAR.format(weight="block.0.dense.weight", bias="block.0.dense.bias")).source
    head = re.search(r"CANAO_KERNEL void linear_gelu_16x32\((.*)\) \{", source)
    assert head is not None
    assert [p.split("*restrict ")[1] for p in head[1].split(", ")[2:]] == [
        "input",
        "packed_weight",
        "bias",
        "output",
    ]
    assert re.search(r"for \(long term(_tile)? = 0;", source)
    assert "sum0_1 = " in source
    assert "/* block.0.dense */" in source


@pytest.mark.parametrize("kind", DeviceKind)
@pytest.mark.parametrize(
    "text", [LINEAR.format(weight="a.b.w", bias="a.b.v"), ATTENTION, EMBEDDING, ENCODER]
)
def test_opencl_has_the_names_of_c(text: str, kind: DeviceKind) -> None:
    """Of kernels, in the report too, and of the blocks of the model."""
    in_c = program(text, fusion=False)
    in_opencl = program(text, fusion=False, device=replace(POCL, kind=kind))
    reported = [kernel.name for kernel in in_c.kernels]
    assert re.findall(r"^CANAO_KERNEL void (\w+)\(", in_c.source, re.MULTILINE) == reported
    assert re.findall(r"^void (\w+)\(", in_opencl.source, re.MULTILINE) == reported
    assert [kernel.name for kernel in in_opencl.kernels] == reported
    assert in_opencl.launches is not None
    steps = in_opencl.launches.steps
    assert [step.kernel for step in steps] == [reported[n] for n in in_c.calls]
    commented = re.findall(r"/\* (.*) \*/\nstatic void canao_step_", in_c.source)
    assert [step.block for step in steps if step.block] == commented
    restored = Program.from_json(in_opencl.to_json())
    assert restored == in_opencl


def test_names_of_weights_cannot_leave_their_comment() -> None:
    weight = "block*/ int evil(void);/*\\\\.?" + "?/.w"
    source = program(LINEAR.format(weight=weight, bias=weight + "2")).source
    code = re.sub(r"/\*.*?\*/", "", source, flags=re.DOTALL)
    assert "evil" in source
    assert "evil" not in code
    assert "??/" not in source


def test_comments() -> None:
    assert comment(["a */ b", "/* c \\", "d\ne\x1b"]) == "/* a * / b\n * / * c _\n * d_e_ */"
    assert comment(["*/*/"]) == "/* * / * / */"


def test_only_words_of_lowering_reach_c() -> None:
    assert readable("sum0.1") == "sum0_1"
    assert readable("row_tile") == "row_tile"
    for hint in ("errno", "main", "row_evil", "sum-1", "int", "arg0", None, "rows"):
        assert readable(hint) is None


def test_names_are_unlike_those_of_enclosing_blocks() -> None:
    used = Names()
    assert [used.word("row"), used.word("row"), used.letter("t")] == ["row", "row_2", "t1"]
    used.open()
    assert [used.word("row"), used.letter("t"), used.word("column")] == ["row_3", "t2", "column"]
    used.close()
    assert [used.letter("t"), used.word("column"), used.word("task")] == ["t2", "column", "task_2"]
    # A word with numbers may be what another word with a number would be.
    assert [used.word("sum0_2"), used.word("sum0"), used.word("sum0")] == [
        "sum0_2",
        "sum0",
        "sum0_3",
    ]
    assert unused_name("a", {"a", "a_2"}) == "a_3"


def test_dimensions() -> None:
    assert dimension_names(1, 0) == ("element",)
    assert dimension_names(2, 1) == ("row", "column", "term")
    assert dimension_names(3, 0) == ("batch", "row", "column")
    assert dimension_names(4, 2) == ("batch", "head", "row", "column", "term", "term")
    assert dimension_names(5, 0) == ("outer", "batch", "head", "row", "column")
