from __future__ import annotations

import pytest
from unit.lowering.c_support import parallel, parse, program

from canao.errors import VerificationError
from canao.lowering.c.print_c import print_c

REFUSED = {
    "an op without a form in C": (
        "%x = arith.constant 1.0 : f32\n%y = math.cbrt %x : f32",
        "op 'math.cbrt' in function '@kernel'",
    ),
    "a vector of three lanes": (
        "%x = affine.vector_load %a0[0] : memref<64xf32>, vector<3xf32>",
        r"op 'affine.vector_load' in function '@kernel': vector<3xf32> has no form",
    ),
    "a type without a form": (
        "%x = arith.constant 1.0 : f80",
        "type f80 has no form in C",
    ),
    "a number of a type that only memory has": (
        "%x = arith.constant 1.0 : f16",
        "a constant of f16: only memory holds such numbers",
    ),
    "a write to an input": (
        "%x = arith.constant 1.0 : f32\naffine.store %x, %a0[0] : memref<64xf32>",
        r"'@kernel' writes to inputs\[0\], which belongs to the caller",
    ),
    "a nested parallel loop": (
        "affine.for %i = 0 to 2 {\n" + parallel([2], "") + "\n}",
        "only a kernel may have a parallel loop",
    ),
    "work beside a parallel loop": (
        parallel([2], "") + "\naffine.for %i = 0 to 2 {\n}",
        "op 'affine.for' in function '@kernel' is beside a parallel loop",
    ),
    "a comparison that gives fewer lanes": (
        "%x = affine.vector_load %a0[0] : memref<64xf32>, vector<4xf32>\n"
        "%y = arith.cmpf olt, %x, %x : vector<4xf32>",
        "compares 4 lanes and gives i1",
    ),
    "a call of what is not there": (
        "%x = arith.constant 1.0 : f32\n%y = func.call @gone(%x) : (f32) -> f32",
        "'@gone' is called and has no body",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_modules_without_a_form_in_c(case: str) -> None:
    body, message = REFUSED[case]
    with pytest.raises(VerificationError, match=message):
        print_c(parse(program(["64xf32"], ["64xf32"], body)), 1)


def test_helpers_may_not_recur_assert_or_allocate() -> None:
    call = "%x = arith.constant 1.0 : f32\n%y = func.call @f(%x) : (f32) -> f32"
    bodies = {
        "%y = func.call @f(%x) : (f32) -> f32": "'@f' calls itself",
        '%b = arith.constant true\ncf.assert %b, "no"': "an assertion outside a kernel",
        "%b = memref.alloca() : memref<4xf32>": "scratch memory outside a kernel",
    }
    for body, message in bodies.items():
        functions = f"func.func private @f(%x: f32) -> f32 {{\n{body}\nfunc.return %x : f32\n}}"
        with pytest.raises(VerificationError, match=message):
            print_c(parse(program([], ["1xf32"], call, functions)), 1)


def test_main_must_be_lowered() -> None:
    good = program(["4xf32"], ["4xf32"], "")
    refused = {
        good.replace("@main", "@other"): "no function '@main'",
        good.replace("canao.weights = 0 : i64,", ""): "lacks the integer attribute 'canao.weights'",
        good.replace("weights = 0", "weights = 3"): "has 2 arguments, and its attributes count 5",
        good.replace("func.call @kernel", "%c = arith.constant 1.0 : f32\nfunc.call @kernel"): (
            "op 'arith.constant' in function '@main'"
        ),
    }
    for text, message in refused.items():
        with pytest.raises(VerificationError, match=message):
            print_c(parse(text), 1)
    with pytest.raises(VerificationError, match="0 threads"):
        print_c(parse(good), 0)


def test_views_stay_inside_the_arena() -> None:
    text = """
func.func private @k(%a: memref<8xf32>) {
  func.return
}
func.func @main(%arena: memref<64xi8>)
    attributes {canao.inputs = 0 : i64, canao.weights = 0 : i64, canao.outputs = 0 : i64} {
  %c = arith.constant 48 : index
  %v = memref.view %arena[%c][] : memref<64xi8> to memref<8xf32>
  func.call @k(%v) : (memref<8xf32>) -> ()
  func.return
}"""
    with pytest.raises(VerificationError, match="bytes 48 to 80 are outside the arena of 64 bytes"):
        print_c(parse(text), 1)
    assert "c->arena + 32" in print_c(parse(text.replace("constant 48", "constant 32")), 1).source


def test_names_from_the_module_never_reach_c() -> None:
    text = program(["1xf32"], ["1xf32"], "%x = affine.load %a0[0] : memref<1xf32>")
    symbol = '@"*/ int main(){}\\\\\\n#define x"'
    source = print_c(parse(text.replace("@kernel", symbol)), 1).source
    assert "#define x" not in source
    assert "int main" not in source
    assert "kernel___int_main_" in source
