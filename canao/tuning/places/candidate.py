"""A program of one layer that a device runs: its unit with a `main` that reads files and times."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.resources import files
from pathlib import Path

from canao.building.cache import Cache, digest
from canao.building.library import explain_refusal, run_compiler
from canao.building.toolchain import Compiler
from canao.errors import ToolchainError
from canao.machine.target import Target
from canao.program import Program, TensorSpec
from canao.tuning.arguments import UNWRITTEN, copies_of

_PROGRAM = "candidate"
_TABLES = "/* @tables */"


def build_candidate(
    program: Program, compiler: Compiler, target: Target, cache: Cache, *, static: bool
) -> Path:
    """The program of a layer for a target, from the cache if it is there.

    A static one needs no library of the device that runs it. `ToolchainError` if the compiler
    refuses it.
    """
    texts = {"unit.c": program.source, "main.c": main_text(program)}
    flags = tuple(flag for flag in compiler.flags(target) if flag != "-fPIC")
    ends = ("-static", "-s") if static else ("-s",)
    words = (*compiler.command, *flags, "-o", _PROGRAM, *texts, *ends, "-lm")
    key = digest(_PROGRAM, *words, compiler.version, target.triple, *texts.values())
    with cache.lock(key):
        found = cache.find(key)
        if found is not None:
            return found.file(_PROGRAM)
        with cache.scratch() as room:
            for name, text in texts.items():
                (room / name).write_text(text, encoding="utf-8")
            result = run_compiler(list(words), room)
            if result.returncode or not (room / _PROGRAM).exists():
                raise ToolchainError(explain_refusal(compiler, flags, result, room))
            return cache.store(key, {_PROGRAM: room / _PROGRAM}, {}).file(_PROGRAM)


def main_text(program: Program) -> str:
    """The text of `main`, with the sizes of what the layer reads and writes."""
    kinds = {"input": program.inputs, "weight": program.weights, "output": program.outputs}
    copies = copies_of(sum(spec.bytes for spec in program.weights))
    numbers = {
        "UNWRITTEN": UNWRITTEN,
        "THREADS": program.threads,
        "COPIES": copies,
        **{f"{kind.upper()}S": len(specs) for kind, specs in kinds.items()},
    }
    lines = [
        f"enum {{ {', '.join(f'{name} = {value}' for name, value in numbers.items())} }};",
        f"static const size_t ARENA_BYTES = {program.arena_bytes};",
        *(f"static const size_t {kind}_bytes[] = {_sizes(s)};" for kind, s in kinds.items()),
    ]
    source = files("canao.tuning.places").joinpath("support", "candidate.c").read_text("utf-8")
    return source.replace(_TABLES, "\n".join(lines))


def _sizes(specs: Sequence[TensorSpec]) -> str:
    # C has no arrays without elements.
    return f"{{{', '.join(str(spec.bytes) for spec in specs) or '0'}}}"
