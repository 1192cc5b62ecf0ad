"""Exported programs compiled on this machine, for this one or another."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

from canao.building.cache import Cache, digest
from canao.building.library import explain_refusal, run_compiler
from canao.building.toolchain import Compiler
from canao.errors import InputFileError, ToolchainError
from canao.machine.target import Target

PROGRAM = "model"
"""The name of an exported program."""
MAKEFILE, METADATA = "Makefile", "metadata.json"
_DATA = (".bin", ".md")
"""What a program is not made of."""


def build_here(
    directory: Path, compiler: Compiler, target: Target, cache: Cache, *, static: bool
) -> Path:
    """The program of an exported directory, made by its Makefile; from the cache if it is there.

    A static one needs no library of the device that runs it.
    """
    sources = source_files(directory)
    words = make_words(compiler, target, static=static)
    parts = (part for path in sources for part in (path.name, path.read_bytes()))
    key = digest("exported program", *words, compiler.version, *parts)
    with cache.lock(key):
        found = cache.find(key)
        if found is not None:
            return found.file(PROGRAM)
        with cache.scratch() as room:
            for path in sources:
                shutil.copyfile(path, room / path.name)
            result = run_compiler(list(words), room)
            if result.returncode or not (room / PROGRAM).exists():
                raise ToolchainError(explain_refusal(compiler, words[2:], result, room))
            made = cache.store(key, {PROGRAM: room / PROGRAM}, {"target": target.triple})
    return made.file(PROGRAM)


def make_words(compiler: Compiler, target: Target, *, static: bool) -> tuple[str, ...]:
    """What makes the program in an exported directory."""
    flags = (flag for flag in compiler.flags(target) if flag != "-fPIC")
    return (
        "make",
        PROGRAM,
        f"CC={shlex.join(compiler.command)}",
        f"CFLAGS={shlex.join(flags)}",
        f"LDFLAGS={'-static -s' if static else '-s'}",
    )


def source_files(directory: Path) -> list[Path]:
    """What the program of an exported directory is made of."""
    if not (directory / MAKEFILE).is_file() or not (directory / METADATA).is_file():
        raise InputFileError(
            f"{directory} holds no exported program ({MAKEFILE}, {METADATA}); make one by "
            "canao export"
        )
    return sorted(p for p in directory.iterdir() if p.is_file() and p.suffix not in _DATA)


def data_files(directory: Path) -> list[Path]:
    """What the program of an exported directory reads: its weights."""
    return sorted(directory.glob("*.bin"))
