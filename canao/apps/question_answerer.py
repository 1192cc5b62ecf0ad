"""`QuestionAnswerer`: the span of a text that answers a question."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Unpack

import torch

from canao.answering.spans import Choice, Logits, Span, choose_spans
from canao.answering.windows import WindowMaker, Windows
from canao.apps.answer import Answer, Candidate
from canao.apps.backend import Backend, check_backend
from canao.apps.default_models import default_reader
from canao.apps.exported import asking_of
from canao.apps.readers import CompiledReader, Reader, TorchReader
from canao.auto_models import is_saved
from canao.compiled_model import CompiledModel
from canao.compiling.options import StorageOptions
from canao.errors import CanaoError, UnsupportedModelError
from canao.frontend.tracing.dynamic_shapes import position_limit
from canao.huggingface.pretrained import load_pretrained, load_tokenizer

_WINDOW = 384
_STRIDE_SHARE = 3


class QuestionAnswerer:
    """A question answering model of transformers with its tokenizer, compiled once.

    `model` is a folder or a name of the hub, also one that `CanaoModelForQuestionAnswering` saved
    compiled; or a module, with its `tokenizer`. Texts are read through windows of at most `window`
    tokens, the question among them, that share `stride` tokens (384, or the model's limit, and a
    third of that, if left out); at most `batch` windows in a run of the model. An answer has at
    most `answer_tokens` tokens. `backend="pytorch"` runs the model uncompiled, with `threads`.
    The other options, `target`, `threads`, `fusion`, `tune`, `dtype`, `cache_dir` and `progress`,
    are those of `canao.compile`. Threads may share an answerer: their runs take turns.
    """

    def __init__(
        self,
        model: Any = None,
        tokenizer: Any = None,
        *,
        window: int | None = None,
        stride: int | None = None,
        batch: int = 8,
        answer_tokens: int = 30,
        threshold: float = 0.0,
        backend: Backend = "canao",
        **options: Unpack[StorageOptions],
    ) -> None:
        if batch < 1 or answer_tokens < 1:
            raise CanaoError(
                f"batch={batch} and answer_tokens={answer_tokens} are no sizes; give 1 or more"
            )
        check_backend(backend, options.get("threads"))
        self.answer_tokens, self.threshold = answer_tokens, threshold
        self.backend: Backend = backend
        self._turn = threading.Lock()
        model = default_reader() if model is None else model
        tokenizer = _tokenizer_for(model, tokenizer)
        if isinstance(model, str | Path) and is_saved(model):
            reader = _saved(model, backend, options)
            limit, most = reader.most("sequence"), reader.most("batch") or 1
            self.windows = _maker(tokenizer, window, stride, limit or _WINDOW)
            self.batch, self._read = min(batch, most), reader
            self._model: CompiledModel | None = reader.model
            return
        module = load_pretrained(model) if isinstance(model, str | Path) else model
        if not isinstance(module, torch.nn.Module):
            raise UnsupportedModelError(
                f"a model is a name or a module of PyTorch; got a {type(module).__name__}"
            )
        self.windows = _maker(tokenizer, window, stride, position_limit(module))
        self.batch = batch
        self._read, self._model = _reader(module, self.windows, batch, backend, options)

    @property
    def model(self) -> CompiledModel:
        """The compiled model, for its report and its source."""
        if self._model is None:
            raise CanaoError("a model that PyTorch runs is not compiled; leave `backend` out")
        return self._model

    def export(self, directory: str | Path, *, name: str = "canao", no_answer: bool = True) -> Path:
        """Write it as a C program that needs nothing of canao: texts in, answers out.

        `answering.h` says what to call from C or C++: `{name}_answerer_open` and so on. Answers are
        those of `answer`, with or without `no_answer`. `UnsupportedModelError` for a model or a
        tokenizer that such a program would not follow.
        """
        asking = asking_of(
            self.windows,
            self.model,
            answer_tokens=self.answer_tokens,
            threshold=self.threshold,
            no_answer=no_answer,
        )
        return self.model.export_for(Path(directory), asking, name=name)

    def answer(
        self,
        question: str,
        context: str,
        *,
        top: int = 5,
        no_answer: bool = True,
        progress: Callable[[int, int], None] | None = None,
    ) -> Answer:
        """The likeliest of the `top` best spans of a text, with the others.

        With `no_answer` the text may have none: then that is the answer if its logit is more than
        `threshold` above that of the best span. `progress` is called after each batch with the
        number of windows that were read, and of all. `CanaoError` for texts without a token,
        questions that leave no room in a window, and texts that are no Unicode.
        """
        begin = time.perf_counter()
        for name, text in (("question", question), ("text", context)):
            if not isinstance(text, str):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise CanaoError(f"a {name} is a text (str); got a {type(text).__name__}")
        windows = self.windows.cut(question, context)
        starts, ends, seconds = self._logits(windows, progress or (lambda part, whole: None))
        choice = choose_spans(
            windows,
            starts,
            ends,
            top=top,
            longest=self.answer_tokens,
            no_answer=no_answer,
            threshold=self.threshold,
        )
        best, others = _ranked(choice, context, top)
        total = time.perf_counter() - begin
        return Answer(
            text=best.text,
            start=best.start,
            end=best.end,
            score=best.score,
            latency_ms=1000 * seconds,
            others=others,
            no_answer_score=choice.null_score,
            total_ms=1000 * total,
            windows=len(windows),
            tokens=sum(len(row["input_ids"]) for row in windows.rows),
        )

    def _logits(
        self, windows: Windows, progress: Callable[[int, int], None]
    ) -> tuple[list[Logits], list[Logits], float]:
        """A row for each window, and the seconds that the model took."""
        starts: list[Logits] = []
        ends: list[Logits] = []
        seconds = 0.0
        for first in range(0, len(windows), self.batch):
            inputs = self.windows.batch(windows.rows[first : first + self.batch])
            with self._turn:
                begin = time.perf_counter()
                found = self._read(inputs)
                seconds += time.perf_counter() - begin
            starts.extend(found[0])
            ends.extend(found[1])
            progress(len(starts), len(windows))
        return starts, ends, seconds


def _tokenizer_for(model: Any, tokenizer: Any) -> Any:
    if tokenizer is None and isinstance(model, str | Path):
        tokenizer = load_tokenizer(model)
    if tokenizer is None:
        raise CanaoError(
            f"there is no tokenizer for {_named(model)}; give one as `tokenizer`, or save it "
            "into the model's folder"
        )
    return tokenizer


def _named(model: Any) -> str:
    return str(model) if isinstance(model, str | Path) else f"a {type(model).__name__}"


def _saved(path: str | Path, backend: Backend, options: StorageOptions) -> CompiledReader:
    if backend != "canao":
        raise CanaoError(
            f"{path} holds compiled code alone, which PyTorch does not run; name the model that "
            "it was made from"
        )
    return CompiledReader.saved(path, options.get("threads"))


def _reader(
    module: Any, maker: WindowMaker, batch: int, backend: Backend, options: StorageOptions
) -> tuple[Reader, CompiledModel | None]:
    if backend == "canao":
        reader = CompiledReader.of(module, maker, batch, options)
        return reader, reader.model
    read = TorchReader(module, options.get("threads"))
    read(maker.batch(maker.cut("Which one?", "This one.").rows))
    return read, None


def _maker(tokenizer: Any, window: int | None, stride: int | None, limit: int) -> WindowMaker:
    most = min(limit, tokenizer.model_max_length)
    if window is not None and window > most:
        raise UnsupportedModelError(
            f"window={window} is more than the {most} tokens that the model takes; choose a "
            "smaller one"
        )
    chosen = window or min(_WINDOW, most)
    shared = chosen // _STRIDE_SHARE if stride is None else stride
    return WindowMaker(tokenizer, window=chosen, stride=shared)


def _ranked(choice: Choice, context: str, top: int) -> tuple[Candidate, tuple[Candidate, ...]]:
    """The answer, which is empty where there is none, and the others."""
    spans = [_candidate(span, context) for span in choice.spans]
    if choice.best is not None:
        return spans[0], tuple(spans[1:])
    return Candidate("", 0, 0, choice.null_score or 0.0), tuple(spans[: top - 1])


def _candidate(span: Span, context: str) -> Candidate:
    return Candidate(context[span.start : span.end], span.start, span.end, span.score)
