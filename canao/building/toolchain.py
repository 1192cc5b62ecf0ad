"""Finding a C compiler and the options to call it with."""

from __future__ import annotations

import importlib.util
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache

from canao.errors import ToolchainError
from canao.machine.target import Target

_ZIG = "ziglang"
"""The package that has a clang."""
_NAMES = ("gcc", "clang", "cc", _ZIG)

_FLAGS = (
    "-std=gnu11",
    "-O3",
    "-fPIC",
    "-pipe",
    "-pthread",
    # Neither option changes a value: they say that nobody reads errno or the
    # floating-point exception flags, which lets loops with sqrt or select vectorise.
    "-fno-math-errno",
    "-fno-trapping-math",
)

GCC_OPTIONS = ("-fno-tree-coalesce-vars",)
"""Options without which gcc moves the sums of products over the stack.

Where all registers are in use, variables that it makes one leave another without a register.
"""


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
        # zig writes processor names with underscores, and has none for plain ARMv8.
        march = target.march.replace("-", "_") if self.kind == "zig" else target.march
        flags = (*_FLAGS, f"-march={march}") if march not in ("", "armv8_a") else _FLAGS
        if self.kind == "gcc":
            flags += (*GCC_OPTIONS, *target.vector_unit.gcc_options)
        if self.kind == "zig":
            flags += ("-fno-sanitize=undefined",)
        return flags


def compiler_for(target: Target, cc: str | None = None) -> Compiler:
    """The compiler that makes code for a target: the driver's own for an OpenCL device."""
    if target.device is None:
        return find_compiler(cc)
    return Compiler((target.device.name, target.device.platform), "opencl", target.device.driver)


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
