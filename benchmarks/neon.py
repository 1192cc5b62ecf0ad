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
_NCNN_TILES = ((8, 96, 115), (4, 12, 18))
"""ncnn's Gemm: rows of a tile of 12 columns, and the multiply-adds and instructions of a trip."""
_OTHERS = (
    ("XNNPACK f32-gemm 6x8 (asm-aarch64-neonfma-ld128)", 48, 60, 0),
    ("XNNPACK f32-gemm 4x8 (asm-aarch64-neonfma-ld128)", 32, 42, 0),
    ("ncnn Gemm 8x12 (four terms a trip, at 0x4b8940)", 96, 115, 5),
    ("ncnn Gemm 4x12 (one term a trip, at 0x4b9730)", 12, 18, 0),
    ("ncnn convolution 8x12 (assembly, four terms a trip, at 0x1b8af4)", 96, 108, 0),
)
"""Loops of others: multiply-adds, instructions, and instructions on the stack, of a trip."""

_HEAD = """\
# Products on 64-bit ARM

Made by `python benchmarks/neon.py`, with {compiler}. Nothing was run: instructions are counted in
the assembly of the emitted C (of vectors of four floats; the jump counts), and the shares of the
peak are what a throughput model (`llvm-mca`) says of the loop with all data in the nearest cache.
They are no measurement. LLVM 14, which has this model, describes Cortex-A76 and A78 by the
pipelines of an older core with one multiply-add a cycle, and apple-m1 by those of Cyclone.

"ncnn" is the instructions a multiply-add of its loop Gemm 8x12 or 4x12 for the same rows (below).

| product | tile | multiply-adds | instructions | a multiply-add | ncnn | loads | spills \
| {processors} |
| --- | --- | --- | --- | --- | --- | --- | --- | {lines} |"""

_TAIL = """
XNNPACK's loops are counted in its published source. ncnn's are counted in its binary for Linux, of
float32 numbers throughout. They are found by address, since their functions are static and have no
symbols: the loop of 8x12 that keeps sums on the stack, and the smaller ones behind it, are in the
order of the tiles of `gemm_arm.cpp`, from which it is inferred that they are its. canao's loop has
more instructions than ncnn's for 16 rows, as many or fewer for 128, and fewer for 4. ncnn packs
both operands; canao packs the weights and reads the rows where they are, by one load a row for
four terms. The assembly for convolutions loads four vectors by one instruction, and so has the
fewest of all.

A single row (1x768x768, not in the table) is a product of a vector: canao's loop has 118
instructions for 64 multiply-adds, 1.844 each. A weight is used once, so two multiply-adds need a
load (of two vectors), and four a prefetch (of a line of 64 bytes).
No loop of others is counted for it.

```sh
pip download ncnn==1.0.20261020 --no-deps --only-binary=:all: \\
  --platform manylinux_2_28_aarch64 --python-version 3.11
# sha256 0503da4f3960ee2e555feef55db13adffd6c62eb59a4bd22f8083b12d1757ad8
python -m zipfile -e ncnn-*.whl ncnn-wheel
llvm-objdump -d --no-show-raw-insn --start-address=0x4b8940 --stop-address=0x4b8b0c \\
  ncnn-wheel/ncnn/ncnn.cpython-311-aarch64-linux-gnu.so
```"""


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
                _ncnn(rows),
                str(loop.loads),
                str(loop.spills),
                *(f"{share:.0%}" for share in shares),
            )
            print(f"| {' | '.join(cells)} |")
    print("\n| loops of others | multiply-adds | instructions | a multiply-add | spills |")
    print("| --- | --- | --- | --- | --- |")
    for name, multiply_adds, instructions, spills in _OTHERS:
        ratio = instructions / multiply_adds
        print(f"| {name} | {multiply_adds} | {instructions} | {ratio:.3f} | {spills} |")
    print(_TAIL)


def _ncnn(rows: int) -> str:
    """Instructions a multiply-add of ncnn's tile of the most rows that so many fill."""
    for height, multiply_adds, instructions in _NCNN_TILES:
        if rows >= height:
            return f"{instructions / multiply_adds:.3f}"
    raise ValueError(f"no loop of ncnn is counted for {rows} rows")


if __name__ == "__main__":
    main()
