"""The two tasks of the page: their models, by canao and by PyTorch, and their lines of work."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from canao.apps.demo.event_stream import Event, Events
from canao.apps.demo.model_facts import KernelTimes, kernel_times
from canao.apps.demo.schemas import (
    OTHERS,
    AnswerRequest,
    AnswerResponse,
    Backend,
    GenerateRequest,
    Span,
)
from canao.apps.demo.work_queue import WorkQueue

if TYPE_CHECKING:
    from canao.apps.answer import Answer
    from canao.compiled_model import CompiledModel

T = TypeVar("T")


class Task(Generic[T]):
    """A model that is asked through `queue`, and the same run by PyTorch.

    `kind` is the last part of its path, `original` makes the model of PyTorch the first time that
    it is asked for, and `sizes` are those at which kernels are timed.
    """

    def __init__(
        self,
        kind: str,
        name: str,
        compiled: T,
        model: CompiledModel,
        original: Callable[[], T],
        queue: WorkQueue,
        sizes: Mapping[str, int],
    ) -> None:
        self.kind = kind
        self.name = name
        self.model = model
        self.queue = queue
        self._made: dict[Backend, T] = {Backend.canao: compiled}
        self._original = original
        self._sizes = sizes
        self._times: KernelTimes | None = None
        self._lock = threading.Lock()

    def by(self, backend: Backend) -> T:
        """What runs requests on a backend; to be called from a thread of the queue."""
        with self._lock:
            if backend not in self._made:
                self._made[backend] = self._original()
            return self._made[backend]

    async def kernel_times(self) -> KernelTimes:
        """The time of each kernel, measured when first asked for, then kept."""
        if self._times is None:
            self._times = await self.queue.run(self._measured)
        return self._times

    def _measured(self) -> KernelTimes:
        return self._times or kernel_times(self.model, self._sizes)


class Answerer(Protocol):
    """What answers questions: `canao.apps.QuestionAnswerer`."""

    def answer(self, question: str, context: str, *, top: int) -> Answer: ...


class Writer(Protocol):
    """What writes text: `canao.apps.TextGenerator`."""

    def stream(self, prompt: str, **options: Any) -> Any: ...


def answer_to(asked: AnswerRequest, answerer: Answerer) -> AnswerResponse:
    """The answer to a request, with the spans that were nearly it."""
    found = answerer.answer(asked.question, asked.context, top=1 + OTHERS)
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


def written_events(asked: GenerateRequest, writer: Writer) -> Events:
    """The pieces of a text as events, then `done` with the timings."""
    raise NotImplementedError
