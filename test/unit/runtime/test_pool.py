"""The emitted thread pool under stress, plainly and under sanitizers."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

import canao
from canao.building.toolchain import Compiler

HERE = Path(__file__).parent
SUPPORT = Path(canao.__file__).parent / "lowering" / "c" / "support"
STRICT = ("-std=gnu11", "-Wall", "-Wextra", "-Werror", "-pthread")


def build(compiler: Compiler, source: Path, program: Path, *flags: str) -> bool:
    command = [*compiler.command, *STRICT, *flags, f"-I{SUPPORT}", str(source), "-o", str(program)]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.parametrize(
    "flags", [(), ("-fsanitize=thread",), ("-fsanitize=address,undefined",)], ids=" ".join
)
def test_pool_keeps_order_and_loses_no_work(
    compiler: Compiler, tmp_path: Path, flags: tuple[str, ...]
) -> None:
    trivial = tmp_path / "trivial.c"
    trivial.write_text("int main(void) { return 0; }\n")
    runs = build(compiler, trivial, tmp_path / "trivial", *flags)
    if not runs or subprocess.run([tmp_path / "trivial"], check=False).returncode:
        assert flags, "the compiler must build a plain program"
        return  # this compiler has no such sanitizer
    program = tmp_path / "stress"
    assert build(compiler, HERE / "pool_stress.c", program, "-O2", "-g", *flags)
    result = subprocess.run([program], capture_output=True, text=True, timeout=120, check=False)
    assert (result.returncode, result.stdout) == (0, "ok\n"), result.stderr


def test_header_alone_has_no_warnings(compiler: Compiler, tmp_path: Path) -> None:
    unit = tmp_path / "unit.c"
    unit.write_text('#include "pool.h"\n')
    assert build(compiler, unit, tmp_path / "unit.o", "-c", "-O2")
