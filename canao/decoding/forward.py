"""Stands in for the `forward` of a causal model of transformers, whose `generate` then runs it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from transformers.cache_utils import DynamicCache
from transformers.modeling_outputs import CausalLMOutputWithPast

from canao.decoding.cache_layer import rows_in
from canao.decoding.decoder import Decoder
from canao.decoding.rows import Rows
from canao.errors import ShapeMismatchError, UnsupportedModelError

_WITHOUT_MEANING = frozenset({"assistant_tokenizer", "tokenizer"})
"""What `generate` hands on that no model reads."""


class DecoderForward:
    """Called as `forward` is in the loops of `generate`; keys and values are kept in its cache.

    Each row of a batch is a stream of its own, and they are computed one after another.
    """

    def __init__(self, decoder: Decoder, config: Any) -> None:
        self.decoder = decoder
        self._config = config

    def __call__(
        self,
        input_ids: torch.Tensor | None = None,
        *,
        attention_mask: torch.Tensor | None = None,
        position_ids: torch.Tensor | None = None,
        past_key_values: Any = None,
        use_cache: bool | None = None,
        logits_to_keep: int = 0,
        return_dict: bool | None = None,
        **others: Any,
    ) -> Any:
        """Logits of shape (batch, `logits_to_keep` or all tokens, vocabulary), and the cache.

        A `DynamicCache` that is given is filled in place. `UnsupportedModelError` where more is
        asked for, `ShapeMismatchError` for tensors that do not fit.
        """
        _refuse(others)
        ids = _numbers("input_ids", input_ids)
        keep = _kept(logits_to_keep, ids.shape[1])
        if use_cache is None:
            use_cache = getattr(self._config, "use_cache", True)
        cache = DynamicCache() if past_key_values is None and use_cache else past_key_values
        batch = len(ids)
        rows = Rows(self.decoder, batch) if cache is None else rows_in(cache, self.decoder, batch)
        mask = None if attention_mask is None else _numbers("attention_mask", attention_mask) != 0
        places = None if position_ids is None else _numbers("position_ids", position_ids)
        logits = torch.from_numpy(rows.feed(ids, mask, places, keep))
        # The fields of `CausalLMOutputWithPast` are annotated as what PyTorch computes.
        made: Any = CausalLMOutputWithPast(logits=logits, past_key_values=cache)  # pyright: ignore[reportArgumentType]
        if return_dict is None:
            return_dict = getattr(self._config, "return_dict", True)
        return made if return_dict else made.to_tuple()


def _refuse(others: dict[str, Any]) -> None:
    """What changes nothing may be given."""
    asked = {name for name, value in others.items() if value is not None and value is not False}
    if asked := asked - _WITHOUT_MEANING:
        raise UnsupportedModelError(
            f"compiled text generation does not take {', '.join(sorted(asked))}: leave it out; it "
            "takes token numbers, attention_mask, position_ids and a cache, and gives logits"
        )


def _numbers(name: str, given: object) -> Any:
    """An array of int64 and shape (rows, columns), with one of each at least."""
    if not isinstance(given, torch.Tensor):
        raise ShapeMismatchError(f"{name} is a tensor of token numbers; got {type(given).__name__}")
    if given.ndim != 2 or not given.numel() or given.is_floating_point():
        raise ShapeMismatchError(
            f"{name} has shape (batch, tokens) and whole numbers; got {given.dtype} of shape "
            f"{tuple(given.shape)}"
        )
    return given.numpy(force=True).astype(np.int64)


def _kept(asked: object, tokens: int) -> int:
    if not isinstance(asked, int) or asked < 0:
        raise UnsupportedModelError(
            f"logits_to_keep={asked} is not compiled; give a number of last tokens, or 0 for all"
        )
    return min(asked, tokens) or tokens
