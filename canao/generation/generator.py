"""`CompiledGenerator`: text from a prompt, all at once or piece by piece."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any, Unpack, overload

import torch

from canao.api import compile
from canao.compiled_model import CompiledModel
from canao.compiling.options import Fusion, Tune
from canao.errors import CanaoError, ShapeMismatchError
from canao.generation.decoder import Decoder
from canao.generation.pick import Sampling
from canao.generation.stream_options import StreamOptions, read_options
from canao.generation.text_pieces import TextPieces
from canao.huggingface.pretrained import load_pretrained, load_tokenizer
from canao.machine.target import Target
from canao.measuring.stopwatch import Progress

Tokens = Sequence[int] | torch.Tensor


class CompiledGenerator:
    """A compiled causal model of transformers with its tokenizer.

    `model` is one, or the name of a folder, of the hub or of a GGUF file. A stream holds at most
    `max_length` tokens; the other options are those of `canao.compile`. Any number of streams may
    run at once; they share the weights and take turns, token by token.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any = None,
        *,
        max_length: int | None = None,
        target: str | Target = "c",
        threads: int | None = None,
        fusion: Fusion = True,
        tune: Tune = "default",
        progress: Progress | None = None,
    ) -> None:
        if isinstance(model, str | Path):
            tokenizer = tokenizer or load_tokenizer(model)
            model = load_pretrained(model, auto_class="AutoModelForCausalLM")

        def compile_decoder(
            step: torch.nn.Module, inputs: dict[str, Any], shapes: dict[str, Any]
        ) -> CompiledModel:
            return compile(
                step,
                inputs,
                target=target,
                threads=threads,
                fusion=fusion,
                tune=tune,
                dynamic_shapes=shapes,
                progress=progress,
            )

        self.tokenizer = tokenizer
        self.config = model.config
        self.decoder = Decoder.of(model, compile_decoder, max_length)
        self._ends = _end_tokens(model)

    @property
    def model(self) -> CompiledModel:
        """The compiled step, for its report and its source."""
        return self.decoder.model

    @overload
    def generate(self, prompt: str, **options: Unpack[StreamOptions]) -> str: ...
    @overload
    def generate(self, prompt: Tokens, **options: Unpack[StreamOptions]) -> list[int]: ...
    def generate(self, prompt: str | Tokens, **options: Unpack[StreamOptions]) -> str | list[int]:
        """What follows a prompt, without the prompt itself: text for text, tokens for tokens."""
        if isinstance(prompt, str):
            return "".join(self.stream(prompt, **options))
        return list(self.stream(prompt, **options))

    @overload
    def stream(self, prompt: str, **options: Unpack[StreamOptions]) -> Generator[str]: ...
    @overload
    def stream(self, prompt: Tokens, **options: Unpack[StreamOptions]) -> Generator[int]: ...
    def stream(
        self, prompt: str | Tokens, **options: Unpack[StreamOptions]
    ) -> Generator[str] | Generator[int]:
        """The same piece by piece, as it comes."""
        most, stops, sampling = read_options(options)
        if not isinstance(prompt, str):
            if stops:
                raise CanaoError("stop is for prompts of text; leave it out, or give a text")
            return self._tokens(_ids(prompt), most, sampling)
        tokens = self._tokens(self._encoded(prompt), most, sampling)
        return self._pieces(tokens, stops)

    def _tokens(self, ids: list[int], most: int, sampling: Sampling) -> Generator[int]:
        stream, pick = self.decoder.stream(), sampling.picker()
        fresh, seen = ids, list(ids)
        for _ in range(most):
            token = pick(seen, stream.feed(fresh))
            if token in self._ends:
                return
            yield token
            if len(seen) == self.decoder.longest:
                return
            fresh = [token]
            seen.append(token)

    def _pieces(self, tokens: Generator[int], stops: Sequence[str]) -> Generator[str]:
        text = TextPieces(self.tokenizer, stops)
        for token in tokens:
            piece = text.add(token)
            if piece:
                yield piece
            if text.stopped:
                return
        if rest := text.rest():
            yield rest

    def _encoded(self, prompt: str) -> list[int]:
        if self.tokenizer is None:
            raise CanaoError(
                "there is no tokenizer for a prompt of text; give one to CompiledGenerator, or "
                "give tokens"
            )
        return _ids(self.tokenizer(prompt)["input_ids"])


def _ids(prompt: Tokens) -> list[int]:
    """The tokens of a prompt: a list, or a tensor with a batch of one or none."""
    wanted = "a prompt is a text, or one token or more as a list"
    try:
        ids = torch.as_tensor(prompt)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ShapeMismatchError(f"{wanted}; got a {type(prompt).__name__}: {error}") from error
    if ids.ndim == 2 and ids.shape[0] == 1:
        ids = ids[0]
    if ids.ndim != 1 or not ids.numel() or ids.is_floating_point():
        raise ShapeMismatchError(f"{wanted}; got {ids.dtype} of shape {tuple(ids.shape)}")
    return [int(token) for token in ids]


def _end_tokens(model: Any) -> frozenset[int]:
    """The tokens that end a text."""
    settings = getattr(model, "generation_config", None)
    ends = getattr(settings, "eos_token_id", None)
    if ends is None:
        ends = getattr(model.config, "eos_token_id", None)
    return frozenset(ends if isinstance(ends, list) else () if ends is None else (ends,))
