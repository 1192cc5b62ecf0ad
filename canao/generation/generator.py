"""`CompiledGenerator`: text from a prompt, all at once or piece by piece."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, Unpack, overload

import torch

from canao.api import compile
from canao.auto_models import is_saved
from canao.compiled_model import CompiledModel
from canao.compiling.options import StorageOptions
from canao.decoding.decoder import Decoder
from canao.decoding.stream import Stream
from canao.errors import CanaoError, InputFileError, ShapeMismatchError
from canao.frontend.auto_shapes import DynamicShapes
from canao.generation.causal_model import CanaoModelForCausalLM
from canao.generation.kept import Writer, kept_writer
from canao.generation.next_tokens import end_tokens, next_tokens
from canao.generation.pick import Sampling
from canao.generation.stream_options import StreamOptions, read_options
from canao.generation.text_pieces import TextPieces
from canao.huggingface.gguf_files import parsed_once
from canao.huggingface.pretrained import load_pretrained, load_tokenizer

Tokens = Sequence[int] | torch.Tensor


class CompiledGenerator:
    """A compiled causal model of transformers with its tokenizer.

    `model` is one, or a `CanaoModelForCausalLM`, or the name of a folder, of the hub or of a GGUF
    file; what was saved compiled is not compiled again. A stream holds at most `max_length`
    tokens; the other options, `target`, `threads`, `fusion`, `tune` and `progress`, are those of
    `canao.compile`. Any number of streams may run at once; they share the weights and take turns,
    token by token.
    """

    def __init__(
        self,
        model: Any,
        tokenizer: Any = None,
        *,
        max_length: int | None = None,
        **options: Unpack[StorageOptions],
    ) -> None:
        if isinstance(model, str | Path):
            model, tokenizer = _read(model, tokenizer, max_length, options)
        self._model = _causal_model(model, max_length, options)
        self.tokenizer = tokenizer
        self.config = self._model.config
        self._ends = end_tokens(self._model.generation_config)

    @classmethod
    def load(cls, path: str | Path, *, threads: int | None = None) -> Self:
        """What `save` wrote, with its tokenizer; nothing is compiled."""
        if not is_saved(path):
            raise InputFileError(
                f"{path} holds no compiled generator; make one with CompiledGenerator.save, or "
                "give the folder to CompiledGenerator to compile it"
            )
        model = CanaoModelForCausalLM.from_pretrained(path, threads=threads)
        return cls(model, load_tokenizer(path))

    def save(self, path: str | Path) -> Path:
        """Write it to a folder that `load` reads, as does `CanaoModelForCausalLM`."""
        self._model.save_pretrained(path)
        if self.tokenizer is not None:
            self.tokenizer.save_pretrained(path)
        return Path(path)

    def export(self, directory: str | Path, *, name: str = "canao") -> Path:
        """Write it as a C program that needs nothing of canao: numbers of tokens in and out.

        `model.h` says what to call from C or C++: `{name}_decoder_open` and so on.
        """
        return self.decoder.export(directory, ends=self._ends, name=name)

    @property
    def decoder(self) -> Decoder:
        """The compiled step with its limits."""
        return self._model.decoder

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
        # A stream has its memory from the first token on, and until the last.
        stream = Stream(self.decoder)
        longest = self.decoder.longest
        yield from next_tokens(stream.feed, ids, most, sampling, self._ends, longest)

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


def _read(name: str | Path, given: Any, max_length: int | None, options: StorageOptions) -> Writer:
    """The model of a name, compiled, with its tokenizer, or the one that is given."""
    if is_saved(name):
        threads = options.get("threads")
        model = CanaoModelForCausalLM.from_pretrained(name, threads=threads)
        return Writer(model, given or load_tokenizer(name))

    def compiled() -> Writer:
        with parsed_once(name):
            tokenizer = None if given else load_tokenizer(name)
            model = load_pretrained(name, auto_class=CanaoModelForCausalLM.auto_class)
        return Writer(_causal_model(model, max_length, options), tokenizer)

    chosen = {"max_length": max_length, "tokenizer": not given}
    model, tokenizer = kept_writer(name, chosen, options, compiled)
    return Writer(model, given or tokenizer)


def _causal_model(
    model: Any, max_length: int | None, options: StorageOptions
) -> CanaoModelForCausalLM:
    """The model, compiled unless it is already."""
    if isinstance(model, CanaoModelForCausalLM):
        return model

    def compile_call(
        step: torch.nn.Module, inputs: Mapping[str, Any], shapes: DynamicShapes
    ) -> CompiledModel:
        return compile(step, inputs, dynamic_shapes=shapes, **options)

    return CanaoModelForCausalLM.of(model, compile_call, max_length)
