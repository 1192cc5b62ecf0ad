"""The table of targets is the only place that knows them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import typer

from canao.building import toolchain
from canao.building.toolchain import Compiler, compiler_for
from canao.cli.models import check_target
from canao.compiling.options import checked_options
from canao.errors import CanaoError, ToolchainError
from canao.machine import targets
from canao.machine.target import Target
from canao.machine.targets import TARGETS, TargetRow, target_names
from canao.package import ROOT

_EXAMPLE = "aarch64-linux-musl"
"""The target that messages and help name as an example."""


@pytest.fixture
def no_cc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("ANDROID_NDK_HOME", raising=False)


def test_names_are_told_apart() -> None:
    names = target_names()
    assert len(set(names)) == len(names)
    assert {"native", "aarch64", "armv7", "riscv64", "wasm32", "x86_64-v3"} < set(names)


@pytest.mark.parametrize("row", TARGETS, ids=lambda row: row.name)
def test_a_target_is_its_entry(row: TargetRow) -> None:
    target = Target(row.name)
    assert (target.row, target.triple, target.name) == (row, row.triple, row.name)
    assert (target.features, target.vector_unit) == (row.features, row.unit)
    assert list(row.features) == sorted(row.features)
    assert all(Target(alias) == target for alias in row.aliases)
    assert replace(target, cpu="named").row == row


@pytest.mark.usefixtures("no_cc")
@pytest.mark.parametrize("row", TARGETS, ids=lambda row: row.name)
def test_its_compiler_knows_it(row: TargetRow) -> None:
    target = Target(row.name)
    compiler = compiler_for(target)
    if target.triple == Target.host().triple:
        assert set(row.flags) <= set(compiler.flags(target))
        return
    assert compiler.kind == "zig"
    assert compiler.command[-len(row.zig) :] == row.zig
    flags = compiler.flags(target)
    assert not any(flag.startswith("-march") for flag in flags)
    assert ("-pthread" in flags) == row.has_threads
    given = Compiler(("some-gcc",), "gcc", "12").flags(target)
    assert set(row.flags) <= set(given)


def test_native_is_this_machine() -> None:
    assert Target("native") == Target.host()
    assert Target("native").march == "native"


def test_names_that_are_not_there() -> None:
    with pytest.raises(ToolchainError, match=r"no target 'z80'; choose one of native, aarch64"):
        Target("z80")
    with pytest.raises(CanaoError, match="target='z80' is not an option; choose one of 'c', 'ope"):
        checked_options("z80", 1, True, "off", "float32", None)
    with pytest.raises(typer.BadParameter, match="no target 'z80'; choose one of c, opencl, nat"):
        check_target("z80")


@pytest.mark.usefixtures("no_cc")
def test_a_new_target_is_a_new_entry(monkeypatch: pytest.MonkeyPatch) -> None:
    (known,) = (row for row in TARGETS if row.name == _EXAMPLE)
    zig = ("-target", "aarch64-linux-musl", "-mcpu=cortex_a76")
    new = replace(known, name="a76", aliases=("raspberry",), zig=zig, threads=2)
    monkeypatch.setattr(targets, "TARGETS", (*TARGETS, new))
    for name in ("a76", "raspberry"):
        assert check_target(name) == name
        options = checked_options(name, None, True, "default", "float32", None)
        assert options.target.row == new
        assert options.compiler.command[-3:] == zig
        assert options.target.vector_unit == new.unit


def test_no_other_file_knows_a_target() -> None:
    names = {row.name for row in TARGETS} - {_EXAMPLE}
    names |= {word for row in TARGETS for word in (*row.zig, *row.flags) if "=" in word}
    table = Path(targets.__file__)
    texts = {path: path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py") if path != table}
    assert table.parent / "target.py" in texts
    found = {(str(path), name) for path, text in texts.items() for name in names if name in text}
    assert not found


def test_every_entry_is_complete() -> None:
    for row in TARGETS:
        assert row.note
        assert row.threads >= 1
        assert row.pointer_bytes == {"armv7": 4, "wasm32": 4}.get(row.triple.split("-")[0], 8)
        assert not row.ndk or row.name.endswith("android")


@pytest.mark.usefixtures("no_cc")
def test_the_compiler_may_be_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(toolchain, "_working", lambda name: None)
    with pytest.raises(ToolchainError, match=r"pip install 'canao\[cross\]'.*in CC"):
        compiler_for(Target("riscv64"))


def test_android_is_made_by_its_kit_where_there_is_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ANDROID_NDK_HOME", str(tmp_path))
    with pytest.raises(ToolchainError, match=r"ANDROID_NDK_HOME is .*no clang that works"):
        compiler_for(Target("aarch64-linux-android"))
    clang = tmp_path / "toolchains/llvm/prebuilt/linux-x86_64/bin/clang"
    clang.parent.mkdir(parents=True)
    clang.write_text('#!/bin/sh\nshift 2\necho "clang version 18 for Android"\n')
    clang.chmod(0o755)
    target = Target("aarch64-linux-android")
    compiler = compiler_for(target)
    assert compiler.command == (str(clang), "--target", "aarch64-linux-android26")
    assert (compiler.kind, compiler.names_target) == ("clang", True)
    assert not any(flag.startswith("-march") for flag in compiler.flags(target))
    # Other systems have nothing to do with it.
    assert compiler_for(Target("aarch64-linux-musl")).kind == "zig"


def test_targets_that_are_not_in_the_table_must_run_here() -> None:
    with pytest.raises(ToolchainError, match=r"cannot run on this machine.*by its name: native"):
        checked_options(Target("mips-linux-gnu", ()), 1, True, "off", "float32", None)


def test_what_another_machine_would_have_to_do() -> None:
    with pytest.raises(CanaoError, match='tune="full" measures on the device itself'):
        checked_options("riscv64", 1, True, "full", "float32", None)
    with pytest.raises(CanaoError, match="wasm32-wasi has no threads"):
        checked_options("wasm32", 2, True, "off", "float32", None)


def test_the_page_about_targets_has_this_table() -> None:
    page = (ROOT.parent / "docs" / "targets.md").read_text(encoding="utf-8")
    rows = [line.split(" | ") for line in page.splitlines() if line.startswith("| `")]
    found = [(row[0], row[1], row[2], int(row[3]), row[4], row[5]) for row in rows]
    assert found == [
        (
            "| " + ", ".join(f"`{name}`" for name in (row.name, *row.aliases)),
            row.note,
            f"{row.unit.name}: {row.unit.registers} registers of {row.unit.lanes_f32} floats",
            row.threads,
            f"`{' '.join(row.zig)}`",
            f"{' '.join(row.emulator) or 'none'} |",
        )
        for row in TARGETS
    ]
