"""Attention over what a stream has seen before, and over the tokens that are new.

Keys and values of earlier tokens are inputs of the compiled step, those of new ones are results:
nothing that is there already is copied or computed again. With `s` and `t` the scores of old and
of new keys, and `m` the largest of both in a row,

    softmax([s, t]) [V, W] = (exp(s - m) V + exp(t - m) W) / (sum exp(s - m) + sum exp(t - m))
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
from torch import Tensor, nn
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from canao.errors import UnsupportedModelError

NAME = "canao_cached"
"""As what models of transformers find the attention, in `attn_implementation`."""

_WITHOUT_MEANING = frozenset(
    {
        "cache_position",
        "dropout",
        "output_attentions",
        "output_hidden_states",
        "position_embeddings",
        "position_ids",
        "use_cache",
    }
)
"""What models hand to attention that changes nothing of it in inference."""

_active: ContextVar[Earlier | None] = ContextVar("earlier", default=None)


class Earlier:
    """Keys and values of earlier tokens, one of each a layer, in place of a `Cache`.

    Keys have shape (batch, heads, width, tokens), so that scores of neighbouring tokens read
    neighbours; values (batch, heads, tokens, width). `mask` is added to the scores of each token.
    """

    def __init__(self, keys: Sequence[Tensor], values: Sequence[Tensor], mask: Tensor) -> None:
        self.keys, self.values, self.mask = keys, values, mask
        self.new: dict[int, tuple[Tensor, Tensor]] = {}
        """The keys and values of new tokens, by layer."""
        self.attended = set[int]()
        """The layers whose attention was over earlier tokens, too."""
        self._causal: Tensor | None = None

    def causal_mask(self, query: Tensor) -> Tensor:
        """What keeps a token from those after it: the same one for all layers."""
        if self._causal is None:
            self._causal = _causal_mask(query)
        return self._causal

    def update(
        self, key: Tensor, value: Tensor, layer: int, *more: object
    ) -> tuple[Tensor, Tensor]:
        """Note the keys and values of a layer, as a `Cache` does."""
        self.new[layer] = (key, value)
        return key, value

    def get_seq_length(self, *_: object) -> int:
        """`UnsupportedModelError`: how many tokens there are is known when a step runs."""
        raise UnsupportedModelError(
            "the model asks how many tokens its cache holds instead of taking position_ids, which "
            "is not compiled for text generation; give a model with plain attention, as Llama's "
            "or GPT-2's"
        )

    @contextmanager
    def used(self) -> Generator[None]:
        """Attention that is computed meanwhile is over these tokens, too."""
        token = _active.set(self)
        try:
            yield
        finally:
            _active.reset(token)


def cached_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    **more: Any,
) -> tuple[Tensor, None]:
    """The attention of a decoder's layer; the context of shape (batch, tokens, heads, width).

    `UnsupportedModelError` where a model asks for attention of another kind.
    """
    earlier = _active.get()
    assert earlier is not None
    more |= {"attention_mask": attention_mask}
    asked = {name for name, value in more.items() if value is not None} - _WITHOUT_MEANING
    if more.get("is_causal") or getattr(module, "is_causal", True):
        asked.discard("is_causal")
    else:
        asked.add("is_causal=False")
    if asked:
        raise UnsupportedModelError(
            f"the model's attention asks for {', '.join(sorted(asked))}, which is not compiled for "
            "text generation; give a model with plain attention, as Llama's or GPT-2's"
        )
    # A stream is one text. Without its batch, products are of three dimensions, which take fewer
    # operations to trace.
    query, key, value = query.squeeze(0), key.squeeze(0), value.squeeze(0)
    groups = query.shape[0] // key.shape[0]
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    scaled = query * scale
    layer = module.layer_idx
    earlier.attended.add(layer)
    old_keys = _for_each_head(earlier.keys[layer].squeeze(0), groups)
    new_keys = _for_each_head(key, groups)
    old_values = _for_each_head(earlier.values[layer].squeeze(0), groups)
    new_values = _for_each_head(value, groups)
    old = torch.bmm(scaled, old_keys) + earlier.mask
    new = torch.bmm(scaled, new_keys.transpose(-1, -2)) + earlier.causal_mask(query)
    largest = torch.maximum(old.amax(-1, keepdim=True), new.amax(-1, keepdim=True))
    old, new = torch.exp(old - largest), torch.exp(new - largest)
    total = old.sum(-1, keepdim=True) + new.sum(-1, keepdim=True)
    context = (torch.bmm(old, old_values) + torch.bmm(new, new_values)) / total
    return context.transpose(0, 1).unsqueeze(0), None


def _for_each_head(table: Tensor, groups: int) -> Tensor:
    """Keys or values that several heads of queries share, once for each of them."""
    if groups == 1:
        return table
    heads, rows, columns = table.shape
    shared = table[:, None].expand(heads, groups, rows, columns)
    return shared.reshape(heads * groups, rows, columns)


def _causal_mask(query: Tensor) -> Tensor:
    """What keeps a token from those after it."""
    number = torch.arange(query.shape[1], device=query.device)
    later = number[None, :] > number[:, None]
    return torch.where(later, torch.finfo(query.dtype).min, 0.0)


ALL_ATTENTION_FUNCTIONS.register(NAME, cached_attention)


class CachedDecoder(nn.Module):
    """A causal model of transformers whose keys and values go in and come out."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.model = model
        self.config = model.config

    def forward(
        self,
        input_ids: Tensor,
        position_ids: Tensor,
        last: Tensor,
        mask: Tensor,
        keys: list[Tensor],
        values: list[Tensor],
    ) -> tuple[Tensor, list[Tensor], list[Tensor]]:
        """The logits of the token number `last`, and the keys and values of all new tokens.

        `input_ids` and `position_ids` have shape (1, new), `last` (1,), `mask` (old,), each of
        `keys` (1, heads, width, old) and of `values` (1, heads, old, width); results (1, heads,
        new, width).
        """
        earlier = Earlier(keys, values, mask)
        with earlier.used():
            found = self.model(
                input_ids,
                position_ids=position_ids,
                past_key_values=earlier,
                use_cache=False,
                logits_to_keep=last,
                return_dict=True,
            )
        layers = range(len(keys))
        if earlier.attended != set(layers) or earlier.new.keys() != set(layers):
            raise UnsupportedModelError(
                f"{type(self.model).__name__} computes its attention itself, so that earlier "
                "tokens would be left out; give a model whose attention transformers can replace"
            )
        new = [earlier.new[layer] for layer in layers]
        return found.logits[0, 0], [key for key, _ in new], [value for _, value in new]
