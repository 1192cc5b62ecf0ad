"""`TextGenerator`: how a text goes on, piece by piece."""

from __future__ import annotations

import threading
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any, Unpack

import torch

from canao.answering.characters import check_text
from canao.apps.backend import Backend, check_backend
from canao.apps.default_models import default_writer
from canao.apps.pytorch import TorchSteps
from canao.apps.text_stream import TextStream
from canao.compiled_model import CompiledModel
from canao.compiling.options import CompileOptions
from canao.decoding.decoder import most_tokens
from canao.errors import CanaoError, UnsupportedModelError
from canao.generation.generator import CompiledGenerator
from canao.generation.next_tokens import end_tokens, next_tokens
from canao.generation.stream_options import StreamOptions, read_options
from canao.generation.text_pieces import TextPieces
from canao.huggingface.pretrained import load_pretrained, load_tokenizer

_AUTO_CLASS = "AutoModelForCausalLM"


class TextGenerator:
    """A causal model of transformers with its tokenizer, compiled once.

    `model` is what `CompiledGenerator` takes, or one; SmolLM2-135M-Instruct if left out. A text
    has at most `max_length` tokens, its prompt among them. `backend="pytorch"` runs the model
    uncompiled, with `threads`. The other options, `target`, `threads`, `fusion`, `tune` and
    `progress`, are those of `canao.compile`. Any number of streams may be open, in any threads:
    they take turns, token by token.
    """

    def __init__(
        self,
        model: Any = None,
        tokenizer: Any = None,
        *,
        max_length: int | None = None,
        backend: Backend = "canao",
        **options: Unpack[CompileOptions],
    ) -> None:
        check_backend(backend, options.get("threads"))
        self.backend: Backend = backend
        named = default_writer() if model is None else model
        if backend == "canao":
            compiled = _compiled(named, tokenizer, max_length, options)
            self._writer: _CompiledWriter | _TorchWriter = _CompiledWriter(compiled)
            tokenizer = compiled.tokenizer
        else:
            if tokenizer is None and isinstance(named, str | Path):
                tokenizer = load_tokenizer(named)
            self._writer = _TorchWriter(named, max_length, options.get("threads"))
        if tokenizer is None:
            raise CanaoError("there is no tokenizer for the model; give one as `tokenizer`")
        self.tokenizer = tokenizer
        self._encoding = threading.Lock()

    @property
    def model(self) -> CompiledModel:
        """The compiled step, for its report and its source."""
        if isinstance(self._writer, _TorchWriter):
            raise CanaoError("a model that PyTorch runs is not compiled; leave `backend` out")
        return self._writer.generator.model

    @property
    def longest(self) -> int:
        """The most tokens of a text, its prompt among them."""
        return self._writer.longest

    def stream(
        self,
        prompt: str,
        *,
        max_new_tokens: int = 64,
        temperature: float = 0.0,
        top_k: int = 50,
        top_p: float = 1.0,
        repetition_penalty: float = 1.0,
        stop: str | Iterable[str] = (),
        seed: int | None = None,
    ) -> TextStream:
        """How a text goes on, without the text itself.

        A `temperature` of 0 takes the likeliest token each time; above it tokens are drawn as
        transformers does, from the `top_k` likeliest (0: all) that together have a probability
        of `top_p`, the same ones for the same `seed`. It ends after `max_new_tokens`, at the
        model's end of text, at `longest` tokens, or before one of the texts `stop`.
        """
        check_text(prompt, "the prompt")
        with self._encoding:
            ids = list(self.tokenizer(prompt)["input_ids"])
        if not ids:
            raise CanaoError("the prompt is empty; write the beginning of a text")
        if len(ids) > self.longest:
            raise CanaoError(
                f"the prompt has {len(ids)} tokens, and a text at most {self.longest}; give a "
                "shorter one"
            )
        drawn = StreamOptions(
            do_sample=temperature != 0,
            temperature=temperature or 1.0,
            top_k=top_k,
            top_p=top_p,
            repetition_penalty=repetition_penalty,
            seed=seed,
        )
        most, stops, _ = read_options({"max_new_tokens": max_new_tokens, "stop": stop, **drawn})
        tokens = self._writer.tokens(ids, {"max_new_tokens": max_new_tokens, **drawn})
        return TextStream(
            tokens,
            TextPieces(self.tokenizer, stops),
            prompt_tokens=len(ids),
            # The last token is not read by the model, so it has no place among those.
            most=min(most, self.longest - len(ids) + 1),
        )


def _compiled(
    model: Any, tokenizer: Any, max_length: int | None, options: CompileOptions
) -> CompiledGenerator:
    if isinstance(model, CompiledGenerator):
        return model
    return CompiledGenerator(model, tokenizer, max_length=max_length, **options)


class _CompiledWriter:
    """Tokens by a compiled decoder."""

    def __init__(self, generator: CompiledGenerator) -> None:
        self.generator = generator

    @property
    def longest(self) -> int:
        return self.generator.decoder.longest

    def tokens(self, ids: list[int], options: StreamOptions) -> Generator[int]:
        return self.generator.stream(ids, **options)


class _TorchWriter:
    """Tokens by the model itself."""

    def __init__(self, model: Any, max_length: int | None, threads: int | None) -> None:
        if isinstance(model, str | Path):
            model = load_pretrained(model, auto_class=_AUTO_CLASS)
        if not isinstance(model, torch.nn.Module):
            raise UnsupportedModelError(
                f"a model is a name or a module of PyTorch; got a {type(model).__name__}"
            )
        self._model: Any = model
        self._threads = threads
        self.longest = most_tokens(self._model.config.get_text_config(), max_length)
        self._ends = end_tokens(self._model.generation_config)

    def tokens(self, ids: list[int], options: StreamOptions) -> Generator[int]:
        most, _, sampling = read_options(options)
        steps = TorchSteps(self._model, self._threads, self.longest)
        yield from next_tokens(steps.feed, ids, most, sampling, self._ends, self.longest)
