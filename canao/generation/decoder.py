"""A causal model of transformers, compiled for prompts and for single tokens alike."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.export import Dim

from canao.compiled_model import CompiledModel
from canao.errors import CanaoError, UnsupportedModelError
from canao.generation.cached_attention import NAME, CachedDecoder
from canao.runtime.module import Array
from canao.runtime.sized_call import SizedCall

Logits = npt.NDArray[np.float32]

CHUNK = 256
"""New tokens of a run at most: longer prompts take several."""
_LONGEST = 2048
"""Tokens of a stream at most, where nobody says how many and the model takes more."""
_HIDDEN = float(np.finfo(np.float32).min)

CompileDecoder = Callable[[torch.nn.Module, dict[str, Any], dict[str, Any]], CompiledModel]
"""Compiles a module for named inputs with named dimensions."""


@dataclass(frozen=True)
class Decoder:
    """A compiled step: new tokens in, logits of the last one out.

    It has one set of weights for a prompt of any length and for single tokens.
    """

    model: CompiledModel
    layers: int
    longest: int
    """Tokens of a stream at most."""

    @staticmethod
    def of(model: Any, compile_decoder: CompileDecoder, longest: int | None = None) -> Decoder:
        """A causal model, compiled; `longest` is its limit of positions, or 2048, if left out."""
        config = model.config.get_text_config()
        _check(model, config)
        if longest is not None and longest < 2:
            raise CanaoError(f"max_length={longest} is out of range; give 2 tokens or more")
        limit = min(longest or _LONGEST, getattr(config, "max_position_embeddings", _LONGEST))
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
        compiled = compile_decoder(step, inputs, shapes)
        return Decoder(compiled, config.num_hidden_layers, limit)

    def stream(self) -> Stream:
        """A stream of tokens with keys and values of its own."""
        return Stream(self)


class Stream:
    """What one conversation has seen: tokens are fed to it, logits come back.

    Its keys and values lie in memory for the longest stream, of which a page is taken when it is
    first needed.
    """

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder
        self._call: SizedCall = decoder.model.sized_call()
        self._indices = [result.index for result in decoder.model.convention.results]
        # Seen alike: (batch, heads, tokens, width).
        inputs, layers = self._call.inputs, range(decoder.layers)
        self._tables = [inputs[f"keys.{layer}"].swapaxes(2, 3) for layer in layers]
        self._tables += [inputs[f"values.{layer}"] for layer in layers]
        for table in self._tables:
            table[:, :, 0] = 0
        mask = self._call.inputs["mask"]
        mask[:] = 0
        mask[0] = _HIDDEN
        self.seen = 0
        """Tokens that were fed."""

    def feed(self, tokens: Array | list[int]) -> Logits:
        """The logits, of shape (vocabulary,), after some more tokens; at least one."""
        ids = np.asarray(tokens, np.int64)
        if ids.ndim != 1 or not ids.size:
            raise UnsupportedModelError("a stream takes one token or more at a time, as a list")
        if self.seen + len(ids) > self._decoder.longest:
            raise UnsupportedModelError(
                f"{self.seen + len(ids)} tokens are more than the {self._decoder.longest} of a "
                "stream; give a shorter prompt, or make the generator with a larger max_length"
            )
        most = min(CHUNK, self._decoder.longest)
        for start in range(0, len(ids), most):
            self._run(ids[start : start + most])
        return np.array(self._call.results[self._indices[0]], np.float32)

    def _run(self, ids: Array) -> None:
        new, past = len(ids), self.seen + 1
        inputs = self._call.inputs
        inputs["input_ids"][0, :new] = ids
        inputs["position_ids"][0, :new] = np.arange(self.seen, self.seen + new)
        inputs["last"][0] = new - 1
        self._call.run({"sequence": new, "past": past})
        for table, index in zip(self._tables, self._indices[1:], strict=True):
            table[:, :, past : past + new] = self._call.results[index][:, :, :new]
        self.seen += new


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
    """The model with attention over earlier tokens; the one that was given stays as it is."""
    shared = {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())}
    found = copy.deepcopy(model, shared).eval()
    for module in found.modules():
        config: Any = getattr(module, "config", None)
        if config is not None:
            config._attn_implementation = NAME
    return found


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
