"""The inner loops of products on 64-bit ARM: their instructions, and a model of their time."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.lowering.c_support import parse
from unit.lowering.schedules.test_row_lanes import attention
from unit.lowering.test_long_products import product

from canao.building.cache import Cache
from canao.building.toolchain import compiler_for
from canao.errors import ToolchainError
from canao.lowering.choose.register_tiles import loads_a_term, register_tile
from canao.lowering.pipeline import lower
from canao.machine.target import Target
from canao.measuring.assembly import InnerLoop, assembly, busiest_loop, inner_loops
from canao.measuring.throughput import cycles_a_trip, share_of_peak

_TARGET = Target("aarch64-linux-musl")
_UNIT = _TARGET.vector_unit
_TERMS = _UNIT.prefetch.terms
_XNNPACK = 60 / 48
"""Instructions a multiply-add of the loop of f32-gemm-6x8-minmax-asm-aarch64-neonfma-ld128."""


def _loops(room: Path, text: str, monkeypatch: pytest.MonkeyPatch) -> list[InnerLoop]:
    monkeypatch.delenv("CC", raising=False)
    program = lower(parse(text), target_unit=_UNIT, threads=1)
    listing = assembly(program.source, compiler_for(_TARGET), _TARGET, Cache(room / "cache"))
    return list(inner_loops(listing, _TARGET.architecture))


@pytest.mark.parametrize(("rows", "columns"), [(128, 768), (128, 512), (16, 384)])
def test_products(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, columns: int) -> None:
    height, width = register_tile(rows, columns, _UNIT)
    vectors = width // _UNIT.lanes_f32
    full = {_TERMS * h * vectors: h for h in (height - 1, height)}
    loops = _loops(tmp_path, product(rows, 768, columns, norm=False), monkeypatch)
    tiles = [loop for loop in loops if loop.multiply_adds in full]
    assert tiles
    for loop in tiles:
        assert loop.spills == 0, loop
        # clang loads two vectors of columns by one instruction.
        most = _TERMS * loads_a_term(full[loop.multiply_adds], width, _UNIT)
        assert loop.loads <= most, loop
        assert loop.instructions / loop.multiply_adds <= _XNNPACK, loop
        for processor in ("cortex-a76", "cortex-a78", "apple-m1"):
            assert share_of_peak(loop.text, loop.multiply_adds, processor) >= 0.9


def test_multiply_adds_are_by_lane(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loops = _loops(tmp_path, product(128, 768, 512, norm=False), monkeypatch)
    busiest = max(loops, key=lambda loop: loop.multiply_adds)
    by_lane = [line for line in busiest.text.splitlines() if "fmla" in line and ".s[" in line]
    assert len(by_lane) == busiest.multiply_adds
    assert {line[-2] for line in by_lane} == set("0123")


def test_attention_stays_in_registers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loops = _loops(tmp_path, attention(1, 2, 128, 32), monkeypatch)
    busy = [loop for loop in loops if loop.multiply_adds >= 12]
    assert len(busy) >= 2
    assert not [loop for loop in busy if loop.spills]


LISTING = """
f:
\tstp\tx29, x30, [sp, #-16]!
.LBB0_1:                                // =>This Inner Loop Header: Depth=1
\tldp\tq0, q1, [x1]
\tldr\tq2, [x0, #16]
\tprfm\tpldl1keep, [x1, #64]
\tfmla\tv16.4s, v0.4s, v2.s[0]
\tfmla\tv17.4s, v1.4s, v2.s[3]
\tstr\tq17, [sp, #32]                   // 16-byte Spill
\tldr\tx9, [sp, #8]
\tsubs\tx2, x2, #1
\tb.ne\t.LBB0_1
"""


def test_instructions_are_counted() -> None:
    found = busiest_loop(LISTING, "aarch64")
    assert found == InnerLoop(instructions=9, multiply_adds=2, loads=2, spills=1)
    assert found is not None
    assert found.text.splitlines()[-1] == "\tb.ne\t.LBB0_1"


def test_the_model_sees_what_costs_time() -> None:
    chain = "\n".join(["\tfmla\tv0.4s, v1.4s, v2.s[0]"] * 8)
    assert share_of_peak(chain, 8, "cortex-a76") < 0.5
    with pytest.raises(ToolchainError, match="does not read the loop"):
        cycles_a_trip("\tno such instruction", "cortex-a76")
