"""Finding a C compiler and the options to call it with."""

from __future__ import annotations

import importlib.util
import os
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from canao.errors import ToolchainError
from canao.machine.target import Target
from canao.machine.targets import TargetRow

_ZIG = "ziglang"
"""The package that has a clang."""
_NDK_HOME = "ANDROID_NDK_HOME"
"""The variable that says where Android's NDK is."""
_NAMES = ("gcc", "clang", "cc", _ZIG)

_FLAGS = (
    "-std=gnu11",
    "-O3",
    "-pipe",
    # Neither option changes a value: they say that nobody reads errno or the
    # floating-point exception flags, which lets loops with sqrt or select vectorise.
    "-fno-math-errno",
    "-fno-trapping-math",
)

_SHARED = ("-fPIC",)
_THREADS = ("-pthread",)

GCC_OPTIONS = ("-fno-tree-coalesce-vars",)
"""Options without which gcc moves the sums of products over the stack.

Where all registers are in use, variables that it makes one leave another without a register.
"""
ZIG_OPTIONS = ("-fno-sanitize=undefined",)
"""Options without which zig's clang has code end where C leaves a value undefined."""


@dataclass(frozen=True)
class Compiler:
    """A C compiler: the words that start it, its kind and its version line."""

    command: tuple[str, ...]
    kind: str
    """gcc, clang, zig, or opencl for that of a driver."""
    version: str

    @property
    def title(self) -> str:
        """What it is, for people."""
        return "clang (zig)" if self.kind == "zig" else self.kind

    def flags(self, target: Target) -> tuple[str, ...]:
        """Options that make fast code for `target` with IEEE arithmetic."""
        if target.device is not None:
            return target.device.options
        row = target.row
        flags = (*_FLAGS, *self._processor(target))
        if row is None or row.shared:
            flags += _SHARED
        if row is None or row.has_threads:
            flags += _THREADS
        if self.kind == "gcc":
            flags += (*GCC_OPTIONS, *target.vector_unit.gcc_options)
        if self.kind == "zig":
            flags += ZIG_OPTIONS
        return flags

    def _processor(self, target: Target) -> tuple[str, ...]:
        """Options that select the processor of a target."""
        if target.row is not None:
            # A command that names a target says itself for which of its processors.
            return () if self.names_target else target.row.flags
        # zig writes processor names with underscores, and has none for plain ARMv8.
        march = target.march.replace("-", "_") if self.kind == "zig" else target.march
        return (f"-march={march}",) if march not in ("", "armv8_a") else ()

    @property
    def names_target(self) -> bool:
        """Whether its command says for which target it makes code."""
        return any(word in ("-target", "--target") for word in self.command)


def compiler_for(target: Target, cc: str | None = None) -> Compiler:
    """The compiler that makes code for a target: the driver's own for an OpenCL device.

    `cc` is taken as it is; without it, what this machine's processors do not run is made by
    Android's NDK, where the variable ANDROID_NDK_HOME tells where it is, or by zig's clang.
    `ToolchainError` where there is none.
    """
    if target.device is not None:
        name, platform = target.device.name, target.device.platform
        return Compiler((name, platform), "opencl", target.device.driver)
    row, host = target.row, Target.host()
    if cc is not None or row is None or target.triple == host.triple:
        return find_compiler(cc)
    return _ndk_compiler(row) or _zig_compiler(row)


def _ndk_compiler(row: TargetRow) -> Compiler | None:
    """The clang of the NDK; None for what is not Android, or where there is no NDK."""
    home = os.environ.get(_NDK_HOME)
    if not row.ndk or not home:
        return None
    found = sorted(Path(home).glob("toolchains/llvm/prebuilt/*/bin/clang"))
    command = (str(found[0]), "--target", row.ndk) if found else ()
    compiler = _ask_version(command) if command else None
    if compiler is None:
        raise ToolchainError(
            f"{_NDK_HOME} is {home}, and there is no clang that works in "
            "toolchains/llvm/prebuilt/*/bin; correct the variable, or unset it to use zig's clang"
        )
    return compiler


def _zig_compiler(row: TargetRow) -> Compiler:
    """The clang of zig, told to make code for a target."""
    found = _working(_ZIG)
    if found is None:
        raise ToolchainError(
            f"making code for {row.name} needs a compiler for it; run: pip install "
            "'canao[cross]', which brings zig's clang, or name another one in CC"
        )
    return replace(found, command=(*found.command, *row.zig))


def find_compiler(cc: str | None = None) -> Compiler:
    """The compiler that `cc` names, or else the first of gcc, clang, cc, zig.

    `cc` may hold options too, as the variable CC does.
    """
    return _find(cc or None)


def all_compilers() -> list[Compiler]:
    """A compiler of each kind that is installed: gcc, and clang or else that of ziglang."""
    found: list[Compiler] = []
    for kinds in (("gcc",), ("clang", _ZIG)):
        working = (_working(kind) for kind in kinds)
        compiler = next((c for c in working if c is not None), None)
        if compiler is not None:
            found.append(compiler)
    return found


def _working(name: str) -> Compiler | None:
    """The compiler of that name, if it is installed and works."""
    if name == _ZIG:
        known = importlib.util.find_spec(_ZIG) is not None
        return _ask_version((sys.executable, "-m", _ZIG, "cc")) if known else None
    path = shutil.which(name)
    return _ask_version((path,)) if path else None


@cache
def _find(cc: str | None) -> Compiler:
    if cc is not None:
        return _named(cc)
    for name in _NAMES:
        compiler = _working(name)
        if compiler:
            return compiler
    raise ToolchainError(
        "no C compiler was found: looked for gcc, clang and cc on PATH and for the Python package "
        "ziglang; install one (`apt install gcc` or `pip install ziglang`), or name one in CC"
    )


def _named(cc: str) -> Compiler:
    words = shlex.split(cc)
    path = shutil.which(words[0]) if words else None
    if path is None:
        raise ToolchainError(
            f"the C compiler {cc!r}, named by CC, was not found; correct CC or unset it"
        )
    compiler = _ask_version((path, *words[1:]))
    if compiler is None:
        raise ToolchainError(
            f"{cc!r}, named by CC, does not answer --version as a C compiler does; correct CC"
        )
    return compiler


def _ask_version(command: tuple[str, ...]) -> Compiler | None:
    """The compiler behind `command`, or None if it does not work."""
    try:
        answer = subprocess.run(
            [*command, "--version"], capture_output=True, text=True, timeout=120, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = answer.stdout.splitlines()
    if answer.returncode or not lines:
        return None
    return Compiler(command, _kind(command, answer.stdout), lines[0])


def _kind(command: tuple[str, ...], version: str) -> str:
    if _ZIG in command or any(word.endswith("zig") for word in command):
        return "zig"
    return "clang" if "clang" in version else "gcc"
