"""What compilers make of inner loops: sums and weights stay in registers.

gcc and clang both compile the loops of products, for AVX2 and for AVX-512. None
moves a vector over the stack, and none loads more than the cost model counts: each
vector of a term's columns once, and a number a row.
"""

from __future__ import annotations

import platform
from dataclasses import replace
from pathlib import Path

import pytest
from unit.lowering.c_support import parse
from unit.lowering.road import UNITS
from unit.lowering.schedules.test_row_lanes import attention
from unit.lowering.test_long_products import product

from canao.building.cache import Cache
from canao.building.toolchain import all_compilers
from canao.lowering.choose.layer_task import LayerTask, choose_by_model
from canao.lowering.choose.register_tiles import is_held, loads_a_term, register_tile
from canao.lowering.pipeline import lower
from canao.lowering.schedules.schedule import Schedule
from canao.machine.processors import vector_unit
from canao.machine.target import Target
from canao.measuring.assembly import InnerLoop, assembly, busiest_loop, inner_loops

pytestmark = pytest.mark.skipif(
    platform.machine() != "x86_64", reason="reads the assembly of x86-64; others have other names"
)

COMPILERS = {compiler.title: compiler for compiler in all_compilers()}
PROCESSORS = ("avx512", "avx2")
TILES = {"avx512": 24, "avx2": 12}
"""Multiply-adds that a full register tile has for each term."""
UNROLLED = 4
"""Terms of a trip through the loop of a product with a large weight."""


def choose_unheld(task: LayerTask) -> tuple[Schedule, tuple[str, ...]]:
    """The usual schedule, but for what it holds in registers."""
    usual = choose_by_model(task)[0]
    stages = tuple(replace(stage, keep=False) for stage in usual.stages)
    return replace(usual, stages=stages), ()


def listing(room: Path, text: str, unit: str, compiler: str, held: bool = True) -> list[InnerLoop]:
    chooser = choose_by_model if held else choose_unheld
    features = UNITS[unit]
    program = lower(parse(text), target_unit=vector_unit(features), threads=1, chooser=chooser)
    target = Target("x86_64-linux-gnu", features)
    return list(
        inner_loops(assembly(program.source, COMPILERS[compiler], target, Cache(room / "cache")))
    )


def busy(loops: list[InnerLoop], unit: str) -> list[InnerLoop]:
    return [loop for loop in loops if loop.multiply_adds >= TILES[unit]]


def test_both_compilers_are_there() -> None:
    assert {"gcc"} < COMPILERS.keys()


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("unit", PROCESSORS)
@pytest.mark.parametrize(("rows", "columns"), [(128, 768), (128, 512), (16, 768), (4, 768)])
def test_products(tmp_path: Path, unit: str, compiler: str, rows: int, columns: int) -> None:
    found = vector_unit(UNITS[unit])
    height, width = register_tile(rows, columns, found)
    # A tile of fewer rows or columns is left over where they cannot be divided evenly.
    loads = {
        UNROLLED * h * v: UNROLLED * loads_a_term(h, v * found.lanes_f32, found)
        for v in range(1, width // found.lanes_f32 + 1)
        for h in (height - 1, height)
    }
    text = product(rows, 768, columns, norm=columns == 768)
    loops = busy(listing(tmp_path, text, unit, compiler), unit)
    tiles = [loop for loop in loops if loop.multiply_adds in loads]
    assert max(loop.multiply_adds for loop in tiles) >= max(loads) * (height - 1) // height
    for loop in tiles:
        assert loop.loads <= loads[loop.multiply_adds], loop
        assert loop.spills == 0, loop


@pytest.mark.parametrize("compiler", COMPILERS)
@pytest.mark.parametrize("unit", PROCESSORS)
@pytest.mark.parametrize("size", [32, 64])
def test_attention(tmp_path: Path, unit: str, compiler: str, size: int) -> None:
    loops = busy(listing(tmp_path, attention(1, 2, 128, size), unit, compiler), unit)
    assert len(loops) >= 2  # the product of the scores and that with the values
    assert not [loop for loop in loops if loop.spills]


def test_what_is_not_held_is_moved_over_the_stack(tmp_path: Path) -> None:
    text = product(128, 768, 768, norm=False)
    (clang,) = (title for title in COMPILERS if title.startswith("clang"))
    held, free = (
        max(listing(tmp_path, text, "avx2", clang, held), key=lambda loop: loop.multiply_adds)
        for held in (True, False)
    )
    assert held.spills == 0 < free.spills


@pytest.mark.parametrize("unit", PROCESSORS)
def test_weights_are_held_where_loads_are_scarce(unit: str) -> None:
    found = vector_unit(UNITS[unit])
    assert is_held(*register_tile(128, 768, found), found)
    assert not is_held(1, found.lanes_f32, replace(found, loads=8, broadcasts=8))


LISTING = """
f:
.L3:
\tvmovups\t(%rax), %ymm1
\tvbroadcastss\t4(%rcx), %ymm3
\tprefetcht0\t64(%rax)
\tvfmadd231ps\t(%rdx,%rax), %ymm1, %ymm2
\tvmovaps\t%ymm2, 64(%rsp)
\tvmovups\t%ymm2, (%rdi)
\tvmovaps\t{slot}, %ymm4
\taddq\t$32, %rax
\tjne\t.L3
"""


def test_loads_and_spills_are_counted() -> None:
    (loop,) = inner_loops(LISTING.format(slot="(%r8)"))
    assert loop == InnerLoop(instructions=9, multiply_adds=1, loads=4, spills=1)
    assert busiest_loop(LISTING.format(slot="(%r8)")) == loop


def test_a_frame_is_part_of_the_stack() -> None:
    text = LISTING.format(slot="-80(%rbp)")
    (data,) = inner_loops(text)
    (frame,) = inner_loops(text.replace("f:\n", "f:\n\tmovq\t%rsp, %rbp\n"))
    assert (data.spills, frame.spills) == (1, 2)


def test_only_loops_without_another_inside_count() -> None:
    text = "f:\n.L1:\n\tvmovups\t(%rax), %ymm1\n.L2:\n\tnop\n\tjne\t.L2\n\tjne\t.L1\n"
    (inner,) = inner_loops(text)
    assert inner.instructions == 2
    assert busiest_loop(text) is None
