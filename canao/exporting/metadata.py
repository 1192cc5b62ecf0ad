"""`metadata.json`: what programs that read and write files for a model must know of it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping

import numpy as np

from canao.exporting.tables import from_files
from canao.exporting.weight_file import WeightFile
from canao.extent import is_symbolic
from canao.program import Program, TensorSpec


def metadata_text(
    program: Program, weights: WeightFile, threads: int, more: Mapping[str, object] | None = None
) -> str:
    """Inputs, outputs, weights and kernels as JSON text, with `more` behind them.

    A dimension that varies is a number of the program's sizes, or a sum of products of them.
    """
    arrays = [
        {**_described(spec), "offset": offset}
        for spec, offset in zip(program.weights, weights.offsets, strict=True)
    ]
    calls = Counter(program.calls)
    kernels = [
        {"name": k.name, "ops": list(k.ops), "variant": k.variant, "calls": calls[number]}
        for number, k in enumerate(program.kernels)
    ]
    data = {
        "inputs": [_described(spec) for spec in from_files(program)],
        "outputs": [_described(spec) for spec in program.outputs],
        "weights": arrays,
        "sizes": [{"name": s.name, "low": s.low, "high": s.high} for s in program.symbols],
        "arena_bytes": program.arena_bytes,
        "threads": min(threads, program.threads),
        "most_threads": program.threads,
        "byte_order": "little",
        "dtype": program.dtype,
        "weights_file": {
            "bytes": weights.bytes,
            "crc32": f"{weights.crc32:08x}",
            "program_sha256": weights.program.hex(),
        },
        "kernels": kernels,
        **(more or {}),
    }
    return json.dumps(data, indent=1) + "\n"


def _described(spec: TensorSpec) -> dict[str, object]:
    shape = [str(n) if is_symbolic(n) else n for n in spec.lengths or spec.shape]
    size = {} if spec.lengths else {"bytes": spec.bytes}
    return {"name": spec.name, "dtype": np.dtype(spec.dtype).name, "shape": shape, **size}
