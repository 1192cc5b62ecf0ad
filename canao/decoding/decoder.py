"""A causal model of transformers, compiled for prompts and for single tokens alike."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from torch.export import Dim

from canao.compiled_model import CompiledModel
from canao.decoding.cached_attention import NAME, CachedDecoder
from canao.errors import CanaoError, UnsupportedModelError
from canao.exporting.decoder_program import DecoderStep

CHUNK = 256
"""New tokens of a run at most: longer prompts take several."""
_LONGEST = 2048
"""Tokens of a stream at most, where nobody says how many and the model takes more."""

CompileDecoder = Callable[[torch.nn.Module, dict[str, Any], dict[str, Any]], CompiledModel]
"""Compiles a module for named inputs with named dimensions."""


@dataclass(frozen=True)
class Decoder:
    """A compiled step: new tokens in, logits of the last one out.

    It has one set of weights for a prompt of any length and for single tokens.
    """

    model: CompiledModel

    @staticmethod
    def of(model: Any, compile_decoder: CompileDecoder, longest: int | None = None) -> Decoder:
        """A causal model, compiled; `longest` is its limit of positions, or 2048, if left out."""
        config = model.config.get_text_config()
        _check(model, config)
        limit = most_tokens(config, longest)
        step = CachedDecoder(_with_attention(model))
        inputs = _example(config, min(limit, 4))
        chunk = Dim("sequence", min=1, max=min(CHUNK, limit))
        # The first of the earlier tokens is none: it stands where nothing was seen yet.
        past = Dim("past", min=1, max=limit + 1)
        shapes = {
            "input_ids": {1: chunk},
            "position_ids": {1: chunk},
            "last": None,
            "mask": {0: past},
            "keys": [{3: past}] * config.num_hidden_layers,
            "values": [{2: past}] * config.num_hidden_layers,
        }
        return Decoder(compile_decoder(step, inputs, shapes))

    @cached_property
    def layers(self) -> int:
        """How many tables of keys there are."""
        return sum(leaf.name.startswith("keys.") for leaf in self.model.convention.inputs)

    @cached_property
    def longest(self) -> int:
        """Tokens of a stream at most."""
        return self._largest["past"] - 1

    @cached_property
    def chunk(self) -> int:
        """New tokens of a run at most."""
        return self._largest["sequence"]

    def export(
        self, directory: str | os.PathLike[str], *, ends: Iterable[int] = (), name: str = "canao"
    ) -> Path:
        """Write it as a C program that continues texts up to one of the tokens `ends`.

        Functions are called `{name}_decoder_open` and so on; else as `CompiledModel.export`.
        """
        results = self.model.convention.results
        step = DecoderStep(
            layers=self.layers,
            results=tuple(result.index for result in results),
            longest=self.longest,
            chunk=self.chunk,
            ends=tuple(sorted(ends)),
        )
        return self.model.export_for(Path(directory), step, name=name)

    @cached_property
    def _largest(self) -> dict[str, int]:
        return {symbol.name: symbol.high for symbol in self.model.convention.symbols}


def most_tokens(config: Any, asked: int | None = None) -> int:
    """The tokens of a stream at most: those asked for, or 2048, and no more than the model takes.

    `config` is the model's, that of its text.
    """
    if asked is not None and asked < 2:
        raise CanaoError(f"a stream of {asked} tokens is too short; give 2 tokens or more")
    return min(asked or _LONGEST, getattr(config, "max_position_embeddings", _LONGEST))


def _check(model: Any, config: Any) -> None:
    sliding = getattr(config, "sliding_window", None)
    if not model.can_generate() or getattr(config, "is_encoder_decoder", False):
        raise UnsupportedModelError(
            f"{type(model).__name__} is no causal model of text; give one that transformers reads "
            "with AutoModelForCausalLM"
        )
    if sliding and getattr(config, "use_sliding_window", True):
        raise UnsupportedModelError(
            f"{type(model).__name__} attends to a window of {sliding} tokens only, which is not "
            "compiled; give a model with full attention"
        )


def _with_attention(model: Any) -> Any:
    """The model in float32 with attention over earlier tokens; the given one stays as it is."""
    shared = {id(tensor): _wide(tensor) for tensor in (*model.parameters(), *model.buffers())}
    found = copy.deepcopy(model, shared).eval()
    for module in found.modules():
        config: Any = getattr(module, "config", None)
        if config is not None:
            config._attn_implementation = NAME
    return found


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    """The tensor itself, or the float32 of narrow floats."""
    if tensor.dtype not in (torch.bfloat16, torch.float16):
        return tensor
    wide = tensor.detach().float()
    is_parameter = isinstance(tensor, torch.nn.Parameter)
    return torch.nn.Parameter(wide, requires_grad=False) if is_parameter else wide


def _example(config: Any, tokens: int) -> dict[str, Any]:
    """New tokens and earlier ones, as many of each as tracing does not take for a constant."""
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    layers, old = config.num_hidden_layers, tokens + 1
    return {
        "input_ids": torch.zeros(1, tokens, dtype=torch.int64),
        "position_ids": torch.arange(tokens)[None],
        "last": torch.zeros(1, dtype=torch.int64),
        "mask": torch.zeros(old),
        "keys": [torch.zeros(1, heads, width, old)] * layers,
        "values": [torch.zeros(1, heads, old, width)] * layers,
    }
