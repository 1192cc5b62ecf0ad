"""What compilers make of inner loops: sums stay in registers.

A tile of 9 by 48 leaves one register beside its sums, and gcc moves a few of them over the
stack in a loop of 108 multiply-adds. That costs nothing measurable: a loop of 27, one term at a
time, which clang compiles without such moves, takes as long. A sum that were kept on the stack
would be moved for each term.
"""

from __future__ import annotations

import platform
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from unit.lowering.c_support import CC, parse
from unit.lowering.road import UNITS
from unit.lowering.test_long_products import product
from unit.lowering.test_upright import attention

from canao.lowering.pipeline import lower
from canao.lowering.target import vector_unit

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="reads the assembly of x86-64; others have other names"
)

PROCESSORS = {"avx512": "x86-64-v4", "avx2": "x86-64-v3"}
TILES = {"avx512": 24, "avx2": 12}
"""Multiply-adds that the inner loop of a product has at least, for each term."""

FEW = 1 / 8
"""Part of the instructions of a product's loop that may touch the stack."""

# What goes to or comes from the stack, as a whole vector.
SPILL = re.compile(r"%[xyz]mm\d+.*\(%rsp|\(%rsp.*%[xyz]mm\d+")
LABEL = re.compile(r"^(\.L\d+):")
JUMP = re.compile(r"^\tj\w+\t(\.L\d+)")
MULTIPLY_ADD = re.compile(r"^\tvf(n)?m(add|sub)\d+ps")


def assembly(tmp_path: Path, text: str, unit: str) -> list[str]:
    program = lower(parse(text), target_unit=vector_unit(UNITS[unit]), threads=1)
    source = tmp_path / "unit.c"
    source.write_text(program.source, encoding="utf-8")
    assert CC is not None
    flags = ("-std=gnu11", "-O3", f"-march={PROCESSORS[unit]}", "-fno-math-errno", "-fPIC", "-w")
    command = [CC, *flags, "-S", "-o", "-", str(source)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()


def inner_loops(lines: list[str]) -> Iterator[list[str]]:
    """Stretches from a label to a jump back to it without another label between."""
    start, label = 0, ""
    for number, line in enumerate(lines):
        if found := LABEL.match(line):
            start, label = number, found[1]
        elif (jump := JUMP.match(line)) and jump[1] == label:
            yield lines[start:number]


def busy_loops(lines: list[str], unit: str) -> list[list[str]]:
    """The inner loops that are full of multiply-adds."""
    loops = list(inner_loops(lines))
    return [loop for loop in loops if sum(map(bool, map(MULTIPLY_ADD.match, loop))) >= TILES[unit]]


def spills(loop: list[str]) -> list[str]:
    """The instructions of a loop that move a vector to or from the stack."""
    return [line for line in loop if SPILL.search(line)]


@pytest.mark.parametrize("unit", PROCESSORS)
@pytest.mark.parametrize("columns", [768, 512])
def test_products_keep_their_sums_in_registers(tmp_path: Path, unit: str, columns: int) -> None:
    text = product(128, 768, columns, norm=columns == 768)
    loops = busy_loops(assembly(tmp_path, text, unit), unit)
    assert loops
    for loop in loops:
        assert len(spills(loop)) <= FEW * len(loop)


@pytest.mark.parametrize("unit", PROCESSORS)
@pytest.mark.parametrize("size", [32, 64])
def test_attention_does_not_spill(tmp_path: Path, unit: str, size: int) -> None:
    loops = busy_loops(assembly(tmp_path, attention(1, 2, 128, size), unit), unit)
    assert len(loops) >= 2  # the product of the scores and that with the values
    assert not [line for loop in loops for line in spills(loop)]


def test_a_spill_is_found() -> None:
    loop = [
        ".L3:",
        *["\tvfmadd231ps\t(%rax), %zmm1, %zmm2"] * 24,
        "\tvmovaps\t%zmm2, 64(%rsp)",
        "\tjne\t.L3",
    ]
    (found,) = busy_loops(loop, "avx512")
    assert spills(found) == ["\tvmovaps\t%zmm2, 64(%rsp)"]
