"""Finding compilers and choosing their options."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from canao.errors import ToolchainError
from canao.building import toolchain
from canao.lowering.choose.register_tiles import register_tile
from canao.machine.processor import CpuModel
from canao.machine.processors import GENERIC, LEVELS, Row, vector_unit
from canao.machine.target import Target, available_cores
from canao.building.toolchain import Compiler, find_compiler


@pytest.fixture(autouse=True)
def forget() -> Iterator[None]:
    yield
    toolchain._find.cache_clear()  # pyright: ignore[reportPrivateUsage]


def test_no_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    toolchain._find.cache_clear()  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolchainError, match=r"gcc, clang and cc.*pip install ziglang"):
        find_compiler()


def test_cc_names_nothing() -> None:
    with pytest.raises(ToolchainError, match=r"'no-such-cc'.*not found; correct CC"):
        find_compiler("no-such-cc")


def test_cc_names_no_compiler() -> None:
    with pytest.raises(ToolchainError, match="does not answer --version"):
        find_compiler("false")


def test_cc_with_options(tmp_path: Path) -> None:
    script = tmp_path / "fake.py"
    script.write_text("print('clang version 99')\n")
    found = find_compiler(f"{sys.executable} {script}")
    assert found.command == (sys.executable, str(script))
    assert (found.kind, found.version) == ("clang", "clang version 99")


def test_flags_keep_ieee_arithmetic(compiler: Compiler, host: Target) -> None:
    flags = compiler.flags(host)
    assert "-march=native" in flags
    assert not {"-ffast-math", "-Ofast", "-funsafe-math-optimizations"} & set(flags)


def test_flags_by_kind_and_processor() -> None:
    arm = Target("aarch64-linux-gnu", ("asimd",))
    x86 = Target("x86_64-linux-gnu", ("avx2", "fma", "sse2"))
    gcc, zig = Compiler(("gcc",), "gcc", "12"), Compiler(("zig",), "zig", "0")
    assert "-fno-schedule-insns" in gcc.flags(arm)
    assert "-fno-schedule-insns" not in gcc.flags(x86)
    assert "-fno-tree-coalesce-vars" in gcc.flags(x86)
    assert "-fno-tree-coalesce-vars" not in zig.flags(x86)
    assert "-march=x86-64-v3" in gcc.flags(x86)
    assert "-march=x86_64_v3" in zig.flags(x86)
    assert not any(flag.startswith("-march") for flag in zig.flags(arm))


@pytest.mark.parametrize(
    ("features", "name", "lanes", "registers"),
    [
        ({"sse2", "avx2", "fma", "avx512f"}, "avx512", 16, 32),
        ({"sse2", "avx2", "fma"}, "avx2", 8, 16),
        ({"sse2", "avx2"}, "sse", 4, 16),
        ({"asimd"}, "neon", 4, 32),
        (set[str](), GENERIC.name, 4, 16),
    ],
)
def test_vector_units(features: set[str], name: str, lanes: int, registers: int) -> None:
    unit = vector_unit(features)
    assert (unit.name, unit.lanes_f32, unit.registers) == (name, lanes, registers)
    assert unit.bytes == 4 * lanes


def test_what_is_asked_for_by_name_has_its_row() -> None:
    assert list(LEVELS) == ["sse", "avx2", "avx512"]
    for name, features in LEVELS.items():
        assert vector_unit(features).name == name


def test_a_row_of_a_design_is_for_that_design_only() -> None:
    row = Row(GENERIC, frozenset({"sse2"}), design=("Maker", 7), models=(range(16, 32),))
    mine = CpuModel("Maker", 7, 20)
    assert row.fits(frozenset({"sse2", "avx2"}), mine)
    assert not row.fits(frozenset({"avx2"}), mine)
    for other in (None, replace(mine, vendor="Other"), replace(mine, family=6)):
        assert not row.fits(frozenset({"sse2"}), other)
    assert not row.fits(frozenset({"sse2"}), replace(mine, model=32))
    assert replace(row, models=()).fits(frozenset({"sse2"}), replace(mine, model=32))


@pytest.mark.parametrize(
    ("family", "model", "name"),
    [
        (0x1A, 0x02, "zen5"),
        (0x1A, 0x11, "zen5"),
        (0x1A, 0x44, "zen5"),
        (0x1A, 0x24, "avx512"),
        (0x19, 0x11, "avx512"),
    ],
)
def test_zen_5_is_known_by_its_family(family: int, model: int, name: str) -> None:
    design = CpuModel("AuthenticAMD", family, model)
    features = tuple(sorted(LEVELS["avx512"]))
    target = Target("x86_64-linux-gnu", features, "EPYC", design=design)
    assert target.vector_unit.name == name
    assert target.march == "x86-64-v4"
    # Where arithmetic takes half the time, the tile with fewer loads wins.
    wide = register_tile(128, 768, target.vector_unit)
    assert wide == ((5, 80) if name == "zen5" else (9, 48))
    narrow = Target("x86_64-linux-gnu", tuple(sorted(LEVELS["avx2"])), "EPYC", design=design)
    assert narrow.vector_unit.name == "avx2"


def test_host(host: Target) -> None:
    assert host == Target.host()
    assert host.runs_on(host)
    assert not Target(host.triple, (*host.features, "no_such_feature")).runs_on(host)
    assert available_cores() >= 1
