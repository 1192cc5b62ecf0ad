"""Compiling C text into a shared library, once."""

from __future__ import annotations

import errno
import os
import secrets
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from canao.errors import ToolchainError
from canao.runtime.cache import Cache, CacheEntry, digest
from canao.runtime.target import Target
from canao.runtime.toolchain import Compiler

_SOURCE = "unit.c"
_SHOWN_LINES = 12


_LIBRARY = "library"
"""Where an entry's metadata has the name of the shared object."""


@dataclass(frozen=True)
class Library:
    """A shared library in the cache."""

    path: Path
    key: str
    """The hash of all that went into it."""
    seconds: float
    """Time that the compiler took; 0.0 when the library was there already."""


def library_key(source: str, compiler: Compiler, target: Target) -> str:
    """The hash of everything that decides the machine code."""
    flags = compiler.flags(target)
    words = (*compiler.command, compiler.version, *flags)
    return digest("library", source, *words, target.triple, target.cpu, *target.features)


def build_library(source: str, compiler: Compiler, target: Target, cache: Cache) -> Library:
    """The library made from `source`; compiled unless the cache has it."""
    key = library_key(source, compiler, target)
    found = cache.find(key)
    if found and _LIBRARY in found.metadata:
        return Library(_library_of(found), key, 0.0)
    with cache.lock(key):
        found = cache.find(key)
        if found and _LIBRARY in found.metadata:
            return Library(_library_of(found), key, 0.0)
        start = time.perf_counter()
        entry = _compile(source, key, compiler, target, cache)
    return Library(_library_of(entry), key, time.perf_counter() - start)


def _library_of(entry: CacheEntry) -> Path:
    name: str = entry.metadata[_LIBRARY]
    return entry.file(name)


def _compile(source: str, key: str, compiler: Compiler, target: Target, cache: Cache) -> CacheEntry:
    flags = compiler.flags(target)
    with cache.scratch() as room:
        # The loader knows libraries by their path and would not look at a file made
        # anew in place of a damaged one: no two builds share a name.
        unit, library = room / _SOURCE, room / f"unit-{secrets.token_hex(8)}.so"
        try:
            unit.write_text(source, encoding="utf-8")
        except OSError as error:
            raise cache.error(error) from error
        command = [*compiler.command, *flags, "-shared", "-o", str(library), str(unit), "-lm"]
        result = _run(command, room)
        if result.returncode or not library.exists():
            if "No space left on device" in result.stderr:
                raise cache.error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
            raise ToolchainError(_explain(compiler, flags, result, room))
        metadata = {
            _LIBRARY: library.name,
            "compiler": list(compiler.command),
            "version": compiler.version,
            "flags": list(flags),
            "triple": target.triple,
            "cpu": target.cpu,
        }
        return cache.store(key, {_SOURCE: unit, library.name: library}, metadata)


def _run(command: list[str], room: Path) -> subprocess.CompletedProcess[str]:
    # Compilers leave intermediate files in TMPDIR: keep those in the cache too.
    environment = {**os.environ, "TMPDIR": str(room), "LC_ALL": "C"}
    try:
        return subprocess.run(
            command,
            cwd=room,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
    except OSError as error:
        raise ToolchainError(
            f"the C compiler {command[0]} could not be started ({error.strerror}); "
            "reinstall it or name another one in CC"
        ) from error


def _explain(
    compiler: Compiler,
    flags: tuple[str, ...],
    result: subprocess.CompletedProcess[str],
    room: Path,
) -> str:
    said = result.stderr.replace(f"{room}{os.sep}", "").splitlines()
    shown = "\n".join(f"  {line}" for line in said[:_SHOWN_LINES])
    return (
        f"{' '.join(compiler.command)} ({compiler.version}) refused the emitted code with status "
        f"{result.returncode}; its options were {' '.join(flags)}; it said:\n{shown}\n"
        "try another compiler by setting CC, or report the source (canao inspect --source)"
    )
