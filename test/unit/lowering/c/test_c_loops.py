from __future__ import annotations

import ctypes
import errno
import re
from pathlib import Path

import numpy as np
import pytest
from unit.lowering.c_support import Array, compile_c, parallel, program

RNG = np.random.default_rng(7)


def floats(*shape: int) -> Array:
    return RNG.standard_normal(shape).astype(np.float32)


def tiled_matmul(m: int, k: int, n: int, rows: int, vectors: int) -> str:
    """C = A B with B packed in panels; tiles of `rows` by 16 * `vectors` in registers."""
    width = 16 * vectors
    vec = "vector<16xf32>"
    cells = [(r, c) for r in range(rows) for c in range(vectors)]
    types = ", ".join(vec for _ in cells)
    start = ", ".join(f"%c{r}_{c} = %z" for r, c in cells)
    lines = [
        f"%b{c} = affine.vector_load %a1[%p0 * {k * width} + %k * {width} + {16 * c}]"
        f" : memref<{k * n}xf32>, {vec}"
        for c in range(vectors)
    ]
    for r in range(rows):
        lines.append(f"%s{r} = affine.load %a0[%p1 * {rows} + {r}, %k] : memref<{m}x{k}xf32>")
        lines.append(f"%t{r} = vector.broadcast %s{r} : f32 to {vec}")
        lines += [f"%n{r}_{c} = vector.fma %t{r}, %b{c}, %c{r}_{c} : {vec}" for c in range(vectors)]
    ends = ", ".join(f"%n{r}_{c}" for r, c in cells)
    stores = [
        f"affine.vector_store %r#{i}, %o0[%p1 * {rows} + {r}, %p0 * {width} + {16 * c}]"
        f" : memref<{m}x{n}xf32>, {vec}"
        for i, (r, c) in enumerate(cells)
    ]
    body = "\n".join(
        [
            f"%z = arith.constant dense<0.0> : {vec}",
            f"%r:{len(cells)} = affine.for %k = 0 to {k} iter_args({start}) -> ({types}) {{",
            *lines,
            f"affine.yield {ends} : {types}",
            "}",
            *stores,
        ]
    )
    tiles = parallel([n // width, m // rows], body)
    return program([f"{m}x{k}xf32", f"{k * n}xf32"], [f"{m}x{n}xf32"], tiles)


@pytest.mark.parametrize("threads", [1, 2])
def test_register_tiles_in_a_parallel_loop(tmp_path: Path, threads: int) -> None:
    m, k, n, rows, vectors = 18, 40, 144, 9, 3
    compiled = compile_c(tmp_path, tiled_matmul(m, k, n, rows, vectors), threads=2)
    a, b, out = floats(m, k), floats(k, n), floats(m, n)
    packed = np.ascontiguousarray(b.reshape(k, -1, 16 * vectors).transpose(1, 0, 2))
    for _ in range(20):
        out.fill(np.nan)
        assert compiled.run([a, packed], [out], threads=threads) == 0
        np.testing.assert_allclose(out, a @ b, rtol=1e-4, atol=1e-4)


def test_accumulators_are_updated_in_place(tmp_path: Path) -> None:
    source = compile_c(tmp_path, tiled_matmul(9, 8, 48, 9, 3)).unit.source
    products = [line.strip() for line in source.splitlines() if re.search(r" \* [tv]\d+ \+ ", line)]
    assert len(products) == 27
    assert all(re.fullmatch(r"(t\d+) = t\d+ \* [tv]\d+ \+ \1;", line) for line in products)


def test_loop_carried_values_swap(tmp_path: Path) -> None:
    body = """
  %x = arith.constant 1.0 : f32
  %y = arith.constant 2.0 : f32
  %w = arith.constant 4.0 : f32
  %r:3 = affine.for %i = 0 to 5 iter_args(%a = %x, %b = %y, %c = %w) -> (f32, f32, f32) {
    affine.yield %b, %c, %a : f32, f32, f32
  }
  affine.store %r#0, %o0[0] : memref<3xf32>
  affine.store %r#1, %o0[1] : memref<3xf32>
  affine.store %r#2, %o0[2] : memref<3xf32>"""
    out = np.zeros(3, np.float32)
    compile_c(tmp_path, program([], ["3xf32"], body)).run([], [out])
    assert out.tolist() == [4.0, 1.0, 2.0]


def test_values_read_after_their_update_keep_what_they_were(tmp_path: Path) -> None:
    # Fibonacci: the old value is read after the new one is computed
    body = """
  %x = arith.constant 0 : i64
  %y = arith.constant 1 : i64
  %r:2 = affine.for %i = 0 to 40 iter_args(%a = %x, %b = %y) -> (i64, i64) {
    %n = arith.addi %a, %b : i64
    affine.store %a, %o0[%i] : memref<40xi64>
    affine.yield %b, %n : i64, i64
  }"""
    out = np.zeros(40, np.int64)
    compile_c(tmp_path, program([], ["40xi64"], body)).run([], [out])
    assert out[39] == 63245986
    assert (out[2:] == out[1:-1] + out[:-2]).all()


def test_nested_reductions_share_one_accumulator(tmp_path: Path) -> None:
    body = """
  %z = arith.constant 0.0 : f64
  %r = affine.for %i = 0 to 6 iter_args(%a = %z) -> (f64) {
    %s = affine.for %j = affine_map<(d0) -> (d0)>(%i) to 10 step 2 iter_args(%b = %a) -> (f64) {
      %x = affine.load %a0[%i, %j] : memref<6x10xf64>
      %n = arith.addf %b, %x : f64
      affine.yield %n : f64
    }
    affine.yield %s : f64
  }
  affine.store %r, %o0[] : memref<f64>"""
    a, out = RNG.standard_normal((6, 10)), np.zeros((), np.float64)
    compile_c(tmp_path, program(["6x10xf64"], ["f64"], body)).run([a], [out])
    assert np.isclose(out, sum(a[i, j] for i in range(6) for j in range(i, 10, 2)))


def test_bounds_are_the_least_of_several(tmp_path: Path) -> None:
    body = """
  affine.for %i = 0 to 23 step 8 {
    %e = affine.min affine_map<(d0) -> (d0 + 8, 23)> (%i)
    affine.for %j = affine_map<(d0) -> (d0)>(%i) to min affine_map<(d0) -> (d0 + 8, 23)>(%i) {
      %n = arith.index_cast %e : index to i64
      affine.store %n, %o0[%j] : memref<23xi64>
    }
  }"""
    out = np.zeros(23, np.int64)
    compile_c(tmp_path, program([], ["23xi64"], body)).run([], [out])
    assert out.tolist() == [8] * 8 + [16] * 8 + [23] * 7


def test_scf_loops_and_conditions(tmp_path: Path) -> None:
    body = """
  %zero = arith.constant 0 : index
  %one = arith.constant 1 : index
  %n = arith.constant 20 : index
  %f0 = arith.constant 0.0 : f32
  %r:2 = scf.for %i = %zero to %n step %one iter_args(%p = %f0, %q = %f0) -> (f32, f32) {
    %x = memref.load %a0[%i] : memref<20xf32>
    %c = arith.cmpf ogt, %x, %f0 : f32
    %s:2 = scf.if %c -> (f32, f32) {
      %t = arith.addf %p, %x : f32
      scf.yield %t, %q : f32, f32
    } else {
      %t = arith.addf %q, %x : f32
      scf.yield %p, %t : f32, f32
    }
    scf.if %c {
      memref.store %x, %o1[%i] : memref<20xf32>
    }
    scf.yield %s#0, %s#1 : f32, f32
  }
  affine.store %r#0, %o0[0] : memref<2xf32>
  affine.store %r#1, %o0[1] : memref<2xf32>"""
    a, sums, kept = floats(20), np.zeros(2, np.float32), np.zeros(20, np.float32)
    compile_c(tmp_path, program(["20xf32"], ["2xf32", "20xf32"], body)).run([a], [sums, kept])
    np.testing.assert_allclose(sums, [a[a > 0].sum(), a[a <= 0].sum()], rtol=1e-5)
    assert (kept == np.where(a > 0, a, 0)).all()


@pytest.mark.parametrize("threads", [1, 2])
def test_each_thread_has_its_scratch(tmp_path: Path, threads: int) -> None:
    # each task reverses a row through scratch memory
    body = parallel(
        [64],
        """
  %s = memref.alloca() : memref<33xf32>
  %u = memref.alloca() : memref<1xf32>
  affine.for %i = 0 to 33 {
    %x = affine.load %a0[%p0, %i] : memref<64x33xf32>
    affine.store %x, %s[32 - %i] : memref<33xf32>
    affine.store %x, %u[0] : memref<1xf32>
  }
  affine.for %i = 0 to 33 {
    %x = affine.load %s[%i] : memref<33xf32>
    affine.store %x, %o0[%p0, %i] : memref<64x33xf32>
  }""",
    )
    compiled = compile_c(tmp_path, program(["64x33xf32"], ["64x33xf32"], body), threads=2)
    assert compiled.unit.scratch_bytes == 192 + 64
    assert compiled.unit.arena_bytes == 2 * 256
    a, out = floats(64, 33), floats(64, 33)
    for _ in range(10):
        compiled.run([a], [out], threads=threads)
        assert (out == a[:, ::-1]).all()


def test_parallel_loops_with_offsets_and_steps(tmp_path: Path) -> None:
    text = program([], ["8x9xi64"], parallel([1, 1], "PLACE"))
    text = text.replace("() -> (0, 0)", "() -> (2, 1)").replace("() -> (1, 1)", "() -> (7, 9)")
    text = text.replace("[1 : i64, 1 : i64]", "[2 : i64, 3 : i64]")
    text = text.replace(
        "PLACE",
        """%one = arith.constant 1 : i64
      affine.store %one, %o0[%p0, %p1] : memref<8x9xi64>""",
    )
    out, expected = np.zeros((8, 9), np.int64), np.zeros((8, 9), np.int64)
    expected[2:7:2, 1:9:3] = 1
    compile_c(tmp_path, text).run([], [out])
    assert (out == expected).all()


def test_assertions_report_a_message_and_go_on(tmp_path: Path) -> None:
    body = parallel(
        [16],
        """
  %x = affine.load %a0[%p0] : memref<16xi64>
  %zero = arith.constant 0 : i64
  %ok = arith.cmpi sge, %x, %zero : i64
  cf.assert %ok, "index \\"x\\" is negative??/"
  %n = arith.constant 9 : i64
  %small = arith.cmpi slt, %x, %n : i64
  cf.assert %small, "index is too large"
  affine.store %x, %o0[%p0] : memref<16xi64>""",
    )
    compiled = compile_c(tmp_path, program(["16xi64"], ["16xi64"], body), threads=2)
    out = np.zeros(16, np.int64)
    a = np.arange(16) % 9
    assert compiled.run([a], [out], threads=2) == 0
    assert compiled.message(0) is None
    a[5] = -1
    status = compiled.run([a], [out], threads=2)
    assert compiled.message(status) == 'index "x" is negative??/'
    a[5] = 100
    status = compiled.run([a], [out], threads=2)
    assert compiled.message(status) == "index is too large"
    assert compiled.message(status + 1) is None
    assert (out == a).all()


def test_calls_run_in_order_over_an_arena(tmp_path: Path) -> None:
    row = "memref<1000xf32>"
    text = f"""
func.func @prepare() {{
  func.return
}}
func.func private @"add one/*"(%a: {row}, %b: {row}) attributes {{canao.kernel}} {{
  %one = arith.constant 1.0 : f32
  {
        parallel(
            [1000],
            f'''%x = affine.load %a[%p0] : {row}
    %y = arith.addf %x, %one : f32
    affine.store %y, %b[%p0] : {row}''',
        )
    }
  func.return
}}
func.func private @mul(%a: {row}, %w: {row}, %b: {row}) attributes {{canao.kernel}} {{
  affine.for %i = 0 to 1000 {{
    %x = affine.load %a[%i] : {row}
    %y = affine.load %w[999 - %i] : {row}
    %z = arith.mulf %x, %y : f32
    affine.store %z, %b[%i] : {row}
  }}
  func.return
}}
func.func @main(%in: {row}, %w: {row}, %out: {row}, %arena: memref<8192xi8>)
    attributes {{canao.inputs = 1 : i64, canao.weights = 1 : i64, canao.outputs = 1 : i64}} {{
  %c = arith.constant 4096 : index
  %z = arith.constant 0 : index
  %p = memref.view %arena[%z][] : memref<8192xi8> to {row}
  %q = memref.view %arena[%c][] : memref<8192xi8> to {row}
  func.call @"add one/*"(%in, %p) : ({row}, {row}) -> ()
  func.call @mul(%p, %w, %q) : ({row}, {row}, {row}) -> ()
  func.call @"add one/*"(%q, %q) : ({row}, {row}) -> ()
  func.call @mul(%q, %w, %out) : ({row}, {row}, {row}) -> ()
  func.return
}}"""
    compiled = compile_c(tmp_path, text, threads=2)
    assert compiled.unit.calls == ("add one/*", "mul", "add one/*", "mul")
    assert compiled.unit.arena_bytes == 8192
    a, w, out = floats(1000), floats(1000), floats(1000)
    seconds = np.full(4, -1.0)
    for _ in range(10):
        out.fill(0)
        assert compiled.run([a], [out], weights=[w], threads=2, seconds=seconds) == 0
        np.testing.assert_allclose(out, ((a + 1) * w[::-1] + 1) * w[::-1], rtol=1e-5, atol=1e-6)
    assert (seconds >= 0).all()
    # one call gives "add one" the same buffer twice: its parameters may overlap
    source = compiled.unit.source
    assert re.search(r"add_one___kernel\([^)]*, const float \*m1, float \*m2\)", source)
    assert "mul_kernel(" in source
    assert "float *restrict m1" in source[source.index("mul_kernel(") :]


def test_threads_are_limited(tmp_path: Path) -> None:
    library = compile_c(tmp_path, program([], ["1xf32"], ""), threads=2).library
    handle = ctypes.c_void_p()
    for threads in (0, -1, 3):
        assert library.canao_open(threads, ctypes.byref(handle)) == errno.EINVAL
        assert handle.value is None
