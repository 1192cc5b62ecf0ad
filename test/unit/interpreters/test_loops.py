"""The interpreter of lowered modules: what it computes and what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
from unit.lowering.c_support import Array, parallel, parse, program

from canao.errors import ExecutionError, VerificationError
from canao.interpreters.loops import run_lowered


def run(inputs: list[Array], text: str, *, backwards: bool = False) -> tuple[Array, ...]:
    module = parse(text)
    module.verify()
    return run_lowered(module, inputs, [], backwards=backwards)


def test_loops_with_carried_values() -> None:
    body = """
  %zero = arith.constant 0.0 : f32
  %sum = affine.for %i = 1 to 10 step 2 iter_args(%s = %zero) -> (f32) {
    %x = affine.load %a0[%i] : memref<10xf32>
    %t = arith.addf %s, %x : f32
    affine.yield %t : f32
  }
  affine.store %sum, %o0[0] : memref<1xf32>"""
    a = np.arange(10, dtype=np.float32)
    (result,) = run([a], program(["10xf32"], ["1xf32"], body))
    assert result.tolist() == [a[1::2].sum()]


def test_numbers_have_their_precision() -> None:
    body = """
  %x = affine.load %a0[0] : memref<1xf32>
  %y = affine.load %a0[0] : memref<1xf32>
  %s = arith.mulf %x, %y : f32
  %bits = arith.bitcast %s : f32 to i32
  %big = arith.constant 2147483647 : i32
  %wrapped = arith.addi %bits, %big : i32
  affine.store %s, %o0[0] : memref<1xf32>
  affine.store %wrapped, %o1[0] : memref<1xi32>"""
    a = np.array([1.1], np.float32)
    product, wrapped = run([a], program(["1xf32"], ["1xf32", "1xi32"], body))
    assert product[0] == a[0] * a[0]
    with np.errstate(over="ignore"):
        assert wrapped[0] == product.view(np.int32)[0] + np.int32(2**31 - 1)


def test_branches_and_divisions_of_indices() -> None:
    body = parallel(
        [7],
        """%two = arith.constant 2 : index
      %c = arith.cmpi slt, %p0, %two : index
      %x = affine.load %a0[%p0 floordiv 3, %p0 mod 3] : memref<3x3xf32>
      %r = scf.if %c -> (f32) {
        %n = arith.negf %x : f32
        scf.yield %n : f32
      } else {
        scf.yield %x : f32
      }
      affine.store %r, %o0[%p0] : memref<7xf32>""",
    )
    a = np.arange(9, dtype=np.float32)
    text = program(["3x3xf32"], ["7xf32"], body)
    for backwards in (False, True):
        (result,) = run([a.reshape(3, 3)], text, backwards=backwards)
        assert result.tolist() == [0, -1, 2, 3, 4, 5, 6]


def test_memory_starts_as_nothing() -> None:
    body = parallel(
        [2],
        """%s = memref.alloca() {alignment = 64 : i64} : memref<2xf32>
      %x = affine.load %a0[%p0] : memref<2xf32>
      affine.store %x, %s[%p0] : memref<2xf32>
      %y = affine.load %s[0] : memref<2xf32>
      affine.store %y, %o0[%p0] : memref<2xf32>""",
    )
    (result,) = run([np.ones(2, np.float32)], program(["2xf32"], ["2xf32"], body))
    np.testing.assert_array_equal(result, [1, np.nan])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            "affine.for %i = 0 to 9 {\n%x = affine.load %a0[%i] : memref<8xf32>\n}",
            "'@kernel' touches 1 elements at 8 of argument 0 of @kernel, which has 8",
        ),
        (
            "%x = affine.vector_load %a0[5] : memref<8xf32>, vector<4xf32>",
            "'@kernel' touches 4 elements at 5 of argument 0 of @kernel",
        ),
        (
            "%x = arith.constant 0.0 : f32\n%i = arith.constant -1 : index\n"
            "memref.store %x, %o0[%i] : memref<8xf32>",
            "touches 1 elements at -1 of argument 1 of @kernel",
        ),
        (
            "%s = memref.alloca() {alignment = 64 : i64} : memref<3xf32>\n"
            "%x = affine.load %s[3] : memref<3xf32>",
            "at 3 of a buffer of memref<3xf32> in @kernel",
        ),
    ],
)
def test_accesses_outside(body: str, message: str) -> None:
    with pytest.raises(VerificationError, match=message):
        run([np.zeros(8, np.float32)], program(["8xf32"], ["8xf32"], body))


def test_failed_checks() -> None:
    body = '%no = arith.constant false\ncf.assert %no, "index out of range"'
    with pytest.raises(ExecutionError, match="'@kernel' failed: index out of range"):
        run([np.zeros(1, np.float32)], program(["1xf32"], ["1xf32"], body))


@pytest.mark.parametrize(
    ("text", "inputs", "message"),
    [
        ("func.func @other() {\n func.return\n}", [], "no function '@main'"),
        ("func.func @main() {\n func.return\n}", [], "lacks the attribute 'canao.inputs'"),
        (program(["1xf32"], [], ""), [], "takes 1 inputs and 0 weights, not 0 and 0"),
        (
            program(["1xf32"], [], ""),
            [np.zeros(2, np.float32)],
            r"an argument of @main is memref<1xf32>, given float32\[2\]",
        ),
        (
            program(
                ["1xf32"], [], "%x = affine.load %a0[0] : memref<1xf32>\n%y = math.cbrt %x : f32"
            ),
            [np.zeros(1, np.float32)],
            "op 'math.cbrt' in '@kernel' cannot be interpreted",
        ),
        (
            "func.func @main(%x: memref<1xtf32>) attributes {canao.inputs = 1 : i64, "
            "canao.weights = 0 : i64, canao.outputs = 0 : i64} {\n func.return\n}",
            [np.zeros(1, np.float32)],
            "cannot be interpreted; use a float",
        ),
    ],
)
def test_what_cannot_be_run(text: str, inputs: list[Array], message: str) -> None:
    with pytest.raises(VerificationError, match=message):
        run_lowered(parse(text), inputs, [])
