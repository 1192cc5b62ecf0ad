"""The two tasks of the page: their models, by canao and by PyTorch, and their lines of work."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar, Unpack

from canao.apps.backend import Backend
from canao.apps.default_models import default_reader, default_writer
from canao.apps.demo.event_stream import Event, Events
from canao.apps.demo.model_facts import KernelTimes, kernel_times
from canao.apps.demo.schemas import OTHERS, AnswerRequest, AnswerResponse, GenerateRequest, Span
from canao.apps.demo.work_queue import StoppingError, WorkQueue
from canao.apps.question_answerer import QuestionAnswerer
from canao.apps.text_generator import TextGenerator
from canao.compiled_model import CompiledModel
from canao.compiling.options import CompileOptions

T = TypeVar("T", QuestionAnswerer, TextGenerator)

_ANSWERED_AT = {"batch": 1, "sequence": 128}
_WRITTEN_AT = {"sequence": 1, "past": 64}
"""Sizes at which kernels are timed: one window, and one token after others."""


class Task(Generic[T]):
    """A model that is asked through `queue`, and the same run by PyTorch.

    `original` makes the latter the first time that it is asked for. `sizes` are those at which
    kernels are timed, as far as the model lets them vary.
    """

    def __init__(
        self,
        name: str,
        compiled: T,
        original: Callable[[], T],
        queue: WorkQueue,
        sizes: Mapping[str, int],
    ) -> None:
        self.name = name
        self.queue = queue
        self._made: dict[Backend, T] = {"canao": compiled}
        self._compiled = compiled
        self._original = original
        self._sizes = sizes
        self._times: KernelTimes | None = None
        self._making = threading.Lock()
        self._measuring = threading.Lock()

    @property
    def model(self) -> CompiledModel:
        """The compiled model."""
        return self._compiled.model

    def by(self, backend: Backend) -> T:
        """What runs requests on a backend; to be called from a thread of the queue."""
        # Only those who ask for what is not made yet wait for it.
        if backend not in self._made:
            with self._making:
                if backend not in self._made:
                    self._made[backend] = self._original()
        return self._made[backend]

    async def kernel_times(self) -> KernelTimes:
        """The time of each kernel, measured when first asked for, then kept."""
        return self._times or await self.queue.run(self._measured)

    def _measured(self) -> KernelTimes:
        with self._measuring:
            self._times = self._times or kernel_times(self.model, self._sizes)
            return self._times


@dataclass(frozen=True)
class Tasks:
    """What the page offers; a task without a model is left out of it."""

    answering: Task[QuestionAnswerer] | None = None
    writing: Task[TextGenerator] | None = None

    @property
    def by_path(self) -> Mapping[str, Task[QuestionAnswerer] | Task[TextGenerator]]:
        """The tasks by the last part of the path under which they are asked."""
        named = {"answer": self.answering, "generate": self.writing}
        return {path: task for path, task in named.items() if task is not None}

    def stop(self) -> None:
        """End what runs as soon as it can, and refuse the rest; from the event loop's thread."""
        for task in self.by_path.values():
            task.queue.stop()


def answering_task(
    model: str | Path | None = None, **options: Unpack[CompileOptions]
) -> Task[QuestionAnswerer]:
    """Question answering by a model, or by the one that comes with canao, compiled."""
    named = default_reader() if model is None else model
    threads = options.get("threads")
    return Task(
        _title(named),
        QuestionAnswerer(named, **options),
        lambda: QuestionAnswerer(named, backend="pytorch", threads=threads),
        # Windows of long texts take turns with those of other requests.
        WorkQueue("answering", workers=4, waiting=60, retry_after=1),
        _ANSWERED_AT,
    )


def writing_task(
    model: str | Path | None = None, **options: Unpack[CompileOptions]
) -> Task[TextGenerator]:
    """Text generation by a model, or by the one that comes with canao, compiled."""
    named = default_writer() if model is None else model
    threads = options.get("threads")
    return Task(
        _title(named),
        TextGenerator(named, **options),
        lambda: TextGenerator(named, backend="pytorch", threads=threads),
        WorkQueue("writing", workers=4, waiting=12, retry_after=2),
        _WRITTEN_AT,
    )


def _title(model: str | Path) -> str:
    """The name of a model without where it lies."""
    return Path(model).name.removesuffix(".gguf")


def answer_to(asked: AnswerRequest, task: Task[QuestionAnswerer]) -> AnswerResponse:
    """The answer to a request, with the spans that were nearly it.

    `StoppingError` where the task is stopped between batches of windows.
    """

    def check(_read: int, _all: int) -> None:
        if task.queue.stopping:
            raise StoppingError

    answerer = task.by(asked.backend)
    found = answerer.answer(asked.question, asked.context, top=1 + OTHERS, progress=check)
    others = [
        Span(answer=each.text, start=each.start, end=each.end, score=each.score)
        for each in found.others
    ]
    return AnswerResponse(
        answer=found.text,
        start=found.start,
        end=found.end,
        score=found.score,
        latency_ms=found.latency_ms,
        windows=found.windows,
        others=others,
    )


def written_events(asked: GenerateRequest, writer: TextGenerator) -> Events:
    """The pieces of a text as events `piece`, then `done` with the timings."""
    stream = writer.stream(
        asked.prompt,
        max_new_tokens=asked.max_new_tokens,
        temperature=asked.temperature,
        seed=asked.seed,
    )
    with stream:
        for piece in stream:
            yield Event("piece", {"text": piece.text, "latency_ms": piece.latency_ms})
        yield Event("done", stream.times.to_dict())
