"""A unit cut into parts does what the whole file does."""

from __future__ import annotations

import ctypes
import subprocess
from pathlib import Path

import pytest
from unit.lowering.c_support import CC, parallel, parse, program

from canao.lowering.c.parts import Parts, split
from canao.lowering.c.print_c import print_c

KERNELS = 3
SIZE = 8

_BODY = """
  %x = affine.load %a0[%p0] : memref<8xf32>
  %y = arith.addf %x, %x : f32
  affine.store %y, %o0[%p0] : memref<8xf32>"""


def unit() -> str:
    """A unit of three kernels, each of which doubles its input."""
    base = program([f"{SIZE}xf32"], [f"{SIZE}xf32"], parallel([SIZE], _BODY))
    main = base.index("func.func @main")
    kernel = base[:main]
    names = [f"@kernel{n}" for n in range(KERNELS)]
    kernels = [kernel.replace("@kernel", name) for name in names]
    call = next(line for line in base.splitlines() if "func.call" in line)
    calls = [call.replace("@kernel", name) for name in names]
    text = "".join(kernels) + base[main:].replace(call, "\n".join(calls))
    return print_c(parse(text), 2).source


def parts_of(source: str, count: int) -> Parts:
    parts = split(source, count)
    assert parts is not None
    return parts


def link(directory: Path, texts: list[str]) -> ctypes.CDLL:
    assert CC is not None
    paths = [directory / f"part{n}.c" for n in range(len(texts))]
    for path, text in zip(paths, texts, strict=True):
        path.write_text(text, encoding="utf-8")
    library = directory / f"{len(texts)}.so"
    flags = ("-std=gnu11", "-O1", "-fPIC", "-shared", "-pthread", "-Wall", "-Wextra", "-Werror")
    subprocess.run([CC, *flags, "-o", str(library), *map(str, paths), "-lm"], check=True)
    return ctypes.CDLL(str(library))


@pytest.mark.parametrize("count", [1, 2, 3, 9])
def test_every_kernel_is_in_one_part(count: int) -> None:
    parts = parts_of(unit(), count)
    assert len(parts.others) == min(count, KERNELS)
    heads = "".join(parts.others).count("float *restrict m2) {")
    assert heads == KERNELS
    assert "canao_open" not in "".join(parts.others)


def test_the_runtime_is_the_same_for_all_units() -> None:
    other = program([f"{SIZE}xf32"], [f"{SIZE}xf32"], parallel([2], _BODY))
    assert parts_of(print_c(parse(other), 1).source, 1).runtime == parts_of(unit(), 3).runtime


@pytest.mark.parametrize("count", [1, 2])
def test_parts_run_as_the_whole(count: int, tmp_path: Path) -> None:
    parts = parts_of(unit(), count)
    library = link(tmp_path, [parts.runtime, *parts.others])
    handle = ctypes.c_void_p()
    assert library.canao_open(3, ctypes.byref(handle)) != 0
    assert library.canao_open(2, ctypes.byref(handle)) == 0
    values = (ctypes.c_float * SIZE)(*range(SIZE))
    results = (ctypes.c_float * SIZE)()
    addresses = [(ctypes.c_void_p * 1)(ctypes.addressof(array)) for array in (values, results)]
    inputs, outputs = addresses
    library.canao_close.argtypes = (ctypes.c_void_p,)
    assert library.canao_run(handle, inputs, None, outputs, None) == 0
    assert list(results) == [2.0 * n for n in range(SIZE)]
    library.canao_close(handle)


def test_other_text_is_left_whole() -> None:
    assert split("int f(void) { return 1; }\n", 2) is None
