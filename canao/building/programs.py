"""Lowered programs in the cache, in front of all passes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from canao.building.cache import Cache, CacheEntry, digest
from canao.building.texts import TextFiles
from canao.building.toolchain import Compiler
from canao.machine.target import Target
from canao.package import ROOT
from canao.program import Program

_PROGRAM = "program.json"


@dataclass(frozen=True)
class Lowered:
    """A program with the text of the module after each stage."""

    program: Program
    ir: Mapping[str, str]


@cache
def package_digest() -> str:
    """The hash of the package's own code: another canao may lower differently."""
    patterns = ("*.py", "*.h", "*.cl")
    sources = sorted(path for pattern in patterns for path in ROOT.rglob(pattern))
    parts = (part for path in sources for part in (path.relative_to(ROOT).as_posix(), path))
    return digest(*(p.read_bytes() if isinstance(p, Path) else p for p in parts))


def program_key(
    text: str, options: Mapping[str, object], target: Target, compiler: Compiler
) -> str:
    """The hash of everything that decides a program."""
    chosen = json.dumps(dict(options), sort_keys=True)
    features = " ".join(target.features)
    device = "" if target.device_model is None else repr(target.device_model)
    return digest(
        "program", package_digest(), text, chosen, target.triple, target.cpu, features,
        *compiler.command, compiler.version, device,
    )  # fmt: skip


def cached_program(key: str, cache: Cache, lower: Callable[[], Lowered]) -> tuple[Lowered, bool]:
    """The program of a key and whether the cache had it; `lower` makes it otherwise."""
    with cache.lock(key):
        entry = cache.find(key)
        known = _read(entry) if entry else None
        if known:
            return known, True
        made = lower()
        files = {_PROGRAM: made.program.to_json().encode()}
        texts = {f"{stage}.mlir": text.encode() for stage, text in made.ir.items()}
        cache.store(key, {**files, **texts}, {"stages": list(made.ir)})
        return made, False


def _read(entry: CacheEntry) -> Lowered | None:
    """What an entry holds; None if it is of another form."""
    try:
        program = Program.from_json(entry.read_text(_PROGRAM))
        stages: list[str] = entry.metadata["stages"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return Lowered(program, TextFiles({name: entry.file(f"{name}.mlir") for name in stages}))
