"""The inner loops of products on 64-bit ARM: instructions counted, and a model of their time.

    python benchmarks/neon.py >benchmarks/results/neon.md

Nothing runs: LLVM's model of pipelines says how fast a loop can be whose data is in the nearest
cache. It is no measurement.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

import torch
from torch import nn

import canao
from canao.building.cache import Cache
from canao.building.toolchain import compiler_for
from canao.lowering.choose.register_tiles import register_tile
from canao.measuring.assembly import assembly, busiest_loop
from canao.measuring.throughput import share_of_peak

_SHAPES = (
    (128, 384, 1152),
    (128, 384, 1536),
    (128, 1536, 384),
    (128, 768, 768),
    (16, 768, 768),
    (4, 768, 768),
)
"""Rows, terms and columns."""
_PROCESSORS = ("cortex-a76", "cortex-a78", "apple-m1")
_OTHERS = (
    ("XNNPACK f32-gemm 6x8 (asm-aarch64-neonfma-ld128)", 48, 60),
    ("XNNPACK f32-gemm 4x8 (asm-aarch64-neonfma-ld128)", 32, 42),
)
"""Loops of others: multiply-adds and instructions of a trip, counted in their published source."""

_HEAD = """\
# Products on 64-bit ARM

Made by `python benchmarks/neon.py`, with {compiler}. Nothing was run: instructions are counted in
the assembly of the emitted C (of vectors of four floats; the jump counts), and the shares of the
peak are what a throughput model (`llvm-mca`) says of the loop with all data in the nearest cache.
They are no measurement. LLVM 14, which has this model, describes Cortex-A76 and A78 by the
pipelines of an older core with one multiply-add a cycle, and apple-m1 by those of Cyclone.

| product | tile | multiply-adds | instructions | a multiply-add | loads | spills | {processors} |
| --- | --- | --- | --- | --- | --- | --- | {lines} |"""


def main() -> None:
    """Print the table."""
    target = canao.Target("aarch64-linux-musl")
    compiler = compiler_for(target)
    print(
        _HEAD.format(
            compiler=compiler.version,
            processors=" | ".join(_PROCESSORS),
            lines=" | ".join("---" for _ in _PROCESSORS),
        )
    )
    with TemporaryDirectory() as directory:
        cache = Cache(Path(directory))
        for rows, terms, columns in _SHAPES:
            compiled = canao.compile(
                nn.Linear(terms, columns).eval(),
                (torch.zeros(rows, terms),),
                target=target,
                threads=1,
                tune="off",
                cache_dir=directory,
            )
            text = assembly(compiled.source, compiler, target, cache)
            loop = busiest_loop(text, target.architecture)
            assert loop is not None
            height, width = register_tile(rows, columns, target.vector_unit)
            shares = [share_of_peak(loop.text, loop.multiply_adds, p) for p in _PROCESSORS]
            cells = (
                f"{rows}x{terms}x{columns}",
                f"{height}x{width}",
                str(loop.multiply_adds),
                str(loop.instructions),
                f"{loop.instructions / loop.multiply_adds:.3f}",
                str(loop.loads),
                str(loop.spills),
                *(f"{share:.0%}" for share in shares),
            )
            print(f"| {' | '.join(cells)} |")
    print("\n| loops of others | multiply-adds | instructions | a multiply-add |")
    print("| --- | --- | --- | --- |")
    for name, multiply_adds, instructions in _OTHERS:
        ratio = instructions / multiply_adds
        print(f"| {name} | {multiply_adds} | {instructions} | {ratio:.3f} |")


if __name__ == "__main__":
    main()
