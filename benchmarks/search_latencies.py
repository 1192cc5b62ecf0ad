"""Measure a few dozen architectures with canao: the latencies that `search.py` compares with.

    python benchmarks/search_latencies.py [--count 30] [--cache-dir DIR]

Writes benchmarks/results/search_latencies.json after each architecture; what is
there already is not measured again.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import asdict
from pathlib import Path
from typing import Any

from canao.lowering.target import VectorUnit
from canao.nas.architecture import Architecture
from canao.nas.latency import DeviceLatency
from canao.nas.space import SearchSpace, space_within
from canao.runtime.cache import Cache
from canao.runtime.target import Target

RESULTS = Path(__file__).parent / "results" / "search_latencies.json"
MINILM = Architecture(384, 12, (1536,) * 6)
AVX512 = VectorUnit("avx512", lanes_f32=16, registers=32, fma=True)
SPACE = space_within(MINILM, AVX512)
"""Part of what is recorded: it does not depend on the machine that reads it."""


def sample(space: SearchSpace, count: int) -> list[Architecture]:
    """The corners of the space, then architectures spread evenly over its numbers of blocks."""
    chosen = [
        _uniform(space, blocks, hidden, size)
        for blocks in (space.blocks.low, space.blocks.high)
        for hidden in (space.hidden.low, space.hidden.high)
        for size in (space.intermediate.low, space.intermediate.high)
    ]
    generator = random.Random(0)
    while len(chosen) < count:
        blocks = space.blocks.values[len(chosen) % len(space.blocks.values)]
        hidden = generator.choice(space.hidden.values)
        sizes = tuple(generator.choice(space.intermediate.values) for _ in range(blocks))
        chosen.append(Architecture(hidden, space.heads(hidden), sizes))
    return chosen[:count]


def _uniform(space: SearchSpace, blocks: int, hidden: int, size: int) -> Architecture:
    return Architecture(hidden, space.heads(hidden), (size,) * blocks)


def read() -> dict[str, Any]:
    """What was recorded."""
    if not RESULTS.exists():
        return {}
    return json.loads(RESULTS.read_text(encoding="utf-8"))


def main() -> None:
    """Measure what is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=30)
    parser.add_argument("--cache-dir", type=Path)
    arguments = parser.parse_args()
    meter = DeviceLatency(Cache(arguments.cache_dir), threads=1, time_limit=1800)
    rows = {row["architecture"]["key"]: row for row in read().get("rows", [])}
    for number, architecture in enumerate(sample(SPACE, arguments.count), start=1):
        if architecture.key in rows:
            continue
        execution = asdict(meter.measure(architecture))
        del execution["kernels"]
        sizes = json.loads(architecture.to_json()) | {"key": architecture.key}
        rows[architecture.key] = {"architecture": sizes, **execution}
        values = {
            "cpu": Target.host().cpu,
            "threads": 1,
            "sequence": 128,
            "tune": meter.tune,
            "rows": list(rows.values()),
        }
        partial = RESULTS.with_name(f".{RESULTS.name}.part")
        partial.write_text(json.dumps(values, indent=1) + "\n", encoding="utf-8")
        partial.replace(RESULTS)
        print(f"{number:3} {architecture.key:40} {execution['latency_ms']:8.3f} ms", flush=True)


if __name__ == "__main__":
    main()
