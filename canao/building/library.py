"""Compiling C text into a shared library, once."""

from __future__ import annotations

import errno
import os
import secrets
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from canao.building.cache import Cache, CacheEntry, digest
from canao.building.toolchain import Compiler
from canao.errors import ToolchainError
from canao.lowering.c.parts import Parts, split
from canao.machine.target import Target

_SOURCE = "unit.c"
_RUNTIME = "runtime.o"
_SHOWN_LINES = 12
_NO_SPACE = "No space left on device"

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


def build_library(
    source: str, compiler: Compiler, target: Target, cache: Cache, *, workers: int = 1
) -> Library:
    """The library made from `source`; compiled unless the cache has it.

    An object file for targets that have no shared libraries.

    `workers` compilers work on it at once, if it is a unit with sections.
    """
    key = library_key(source, compiler, target)
    found = cache.find(key)
    if found and _LIBRARY in found.metadata:
        return Library(_library_of(found), key, 0.0)
    with cache.lock(key):
        found = cache.find(key)
        if found and _LIBRARY in found.metadata:
            return Library(_library_of(found), key, 0.0)
        start = time.perf_counter()
        entry = _Builder(compiler, target, cache).build(source, key, workers)
    return Library(_library_of(entry), key, time.perf_counter() - start)


def _library_of(entry: CacheEntry) -> Path:
    name: str = entry.metadata[_LIBRARY]
    return entry.file(name)


@dataclass(frozen=True)
class _Builder:
    compiler: Compiler
    target: Target
    cache: Cache

    def build(self, source: str, key: str, workers: int) -> CacheEntry:
        """Compiles and links one library and stores it."""
        row = self.target.row
        shared = row is None or row.shared
        parts = split(source, workers) if shared else None
        with self.cache.scratch() as room:
            # The loader knows libraries by their path and would not look at a file made
            # anew in place of a damaged one: no two builds share a name.
            unit, library = room / _SOURCE, room / f"unit-{secrets.token_hex(8)}.so"
            self._write(unit, source)
            inputs = [unit] if parts is None else self._objects(parts, room)
            how, libraries = (["-shared"], ["-lm"]) if shared else (["-c"], [])
            files = map(str, inputs)
            self._call(room, *how, "-o", str(library), *files, *libraries, made=library)
            metadata = {_LIBRARY: library.name, **self._metadata()}
            return self.cache.store(key, {_SOURCE: unit, library.name: library}, metadata)

    def _objects(self, parts: Parts, room: Path) -> list[Path]:
        """The object files of all parts, the runtime's from the cache."""

        def compile_part(number: int) -> Path:
            text, made = room / f"part{number}.c", room / f"part{number}.o"
            self._write(text, parts.others[number])
            self._call(room, "-c", "-o", str(made), str(text), made=made)
            return made

        with ThreadPoolExecutor(len(parts.others)) as pool:
            objects = list(pool.map(compile_part, range(len(parts.others))))
        return [*objects, self._runtime(parts.runtime)]

    def _runtime(self, source: str) -> Path:
        key = digest("runtime", library_key(source, self.compiler, self.target))
        with self.cache.lock(key):
            found = self.cache.find(key)
            if found is not None:
                return found.file(_RUNTIME)
            with self.cache.scratch() as room:
                unit, made = room / _SOURCE, room / _RUNTIME
                self._write(unit, source)
                self._call(room, "-c", "-o", str(made), str(unit), made=made)
                files = {_SOURCE: unit, _RUNTIME: made}
                return self.cache.store(key, files, self._metadata()).file(_RUNTIME)

    def _write(self, path: Path, text: str) -> None:
        try:
            path.write_text(text, encoding="utf-8")
        except OSError as error:
            raise self.cache.error(error) from error

    def _call(self, room: Path, *arguments: str, made: Path) -> None:
        """Runs the compiler; `ToolchainError` unless it leaves what it was to make."""
        flags = self.compiler.flags(self.target)
        result = run_compiler([*self.compiler.command, *flags, *arguments], room)
        if not result.returncode and made.exists():
            return
        if _NO_SPACE in result.stderr:
            raise self.cache.error(OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
        raise ToolchainError(explain_refusal(self.compiler, flags, result, room))

    def _metadata(self) -> dict[str, object]:
        return {
            "compiler": list(self.compiler.command),
            "version": self.compiler.version,
            "flags": list(self.compiler.flags(self.target)),
            "triple": self.target.triple,
            "cpu": self.target.cpu,
        }


def run_compiler(command: list[str], room: Path) -> subprocess.CompletedProcess[str]:
    """How a compiler ended that works in a directory; `ToolchainError` if it cannot start."""
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


def explain_refusal(
    compiler: Compiler,
    flags: tuple[str, ...],
    result: subprocess.CompletedProcess[str],
    room: Path,
) -> str:
    """What a compiler said of C text, and what to do."""
    said = result.stderr.replace(f"{room}{os.sep}", "").splitlines()
    shown = "\n".join(f"  {line}" for line in said[:_SHOWN_LINES])
    return (
        f"{' '.join(compiler.command)} ({compiler.version}) refused the emitted code with status "
        f"{result.returncode}; its options were {' '.join(flags)}; it said:\n{shown}\n"
        "try another compiler by setting CC, or report the source (canao inspect --source)"
    )
