"""The architectures that latencies and accuracies are recorded of, and the records."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import Any

from canao.machine.processor import VectorUnit
from canao.nas.controller.initial_designs import shrunk
from canao.nas.space.architecture import Architecture
from canao.nas.space.space import SearchSpace, space_within

RESULTS = Path(__file__).parent / "results"
MINILM = Architecture(384, 12, (1536,) * 6)
AVX512 = VectorUnit("avx512", lanes_f32=16, registers=32, fma=True)
SPACE = space_within(MINILM, AVX512)
"""Part of what is recorded: it does not depend on the machine that reads it."""
SEQUENCE = 128
_SHARES = (0.25, 0.35, 0.45, 0.6, 0.8)


def samples(count: int, space: SearchSpace = SPACE) -> list[Architecture]:
    """The corners of a space, the initial designs of searches with a budget, then random ones.

    The random ones are spread over the numbers of blocks, twice as many have one of the
    two highest: there accuracies differ most. A longer list begins with the shorter ones.
    """
    named = dict.fromkeys((*_corners(space), *_initial_designs(space)))
    return list(islice(chain(named, _random(space)), count))


def _corners(space: SearchSpace) -> list[Architecture]:
    return [
        space.uniform(blocks, hidden, size)
        for blocks in (space.blocks.low, space.blocks.high)
        for hidden in (space.hidden.low, space.hidden.high)
        for size in (space.intermediate.low, space.intermediate.high)
    ]


def _initial_designs(space: SearchSpace) -> list[Architecture]:
    return [found for share in _SHARES for found in shrunk(space, share)]


def _random(space: SearchSpace) -> Iterator[Architecture]:
    generator = random.Random(0)
    while True:
        for blocks in (*space.blocks.values, *space.blocks.values[-2:]):
            hidden = generator.choice(space.hidden.values)
            sizes = tuple(generator.choice(space.intermediate.values) for _ in range(blocks))
            yield Architecture(hidden, space.heads(hidden), sizes)


@dataclass
class Record:
    """Rows of values by architecture in a file of `results`, with what they all have in common."""

    name: str
    common: dict[str, Any] = field(default_factory=dict[str, Any])
    rows: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])

    @classmethod
    def read(cls, name: str) -> Record:
        """What was recorded; nothing if there is no file."""
        path = RESULTS / name
        found = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"rows": []}
        rows = {row["architecture"]: row for row in found.pop("rows")}
        return cls(name, found, rows)

    @classmethod
    def open(cls, name: str, common: dict[str, Any]) -> Record:
        """What was recorded, to go on with: it has to have come about in the same way."""
        found = cls.read(name)
        if found.rows and found.common != common:
            raise SystemExit(
                f"{RESULTS / name} was recorded in another way ({found.common}, not {common}); "
                "move it away to record anew"
            )
        return cls(name, common, found.rows)

    def keep(self, architecture: Architecture, values: Mapping[str, Any]) -> None:
        """Add a row and write the file anew."""
        self.rows[architecture.key] = {"architecture": architecture.key, **values}
        text = json.dumps({**self.common, "rows": list(self.rows.values())}, indent=1)
        partial = RESULTS / f".{self.name}.part"
        partial.write_text(text + "\n", encoding="utf-8")
        partial.replace(RESULTS / self.name)

    @property
    def architectures(self) -> list[Architecture]:
        """Those that are recorded."""
        return [Architecture.from_key(key) for key in self.rows]
