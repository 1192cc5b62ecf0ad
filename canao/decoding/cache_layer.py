"""What a cache of transformers holds once a compiled decoder has filled it."""

from __future__ import annotations

from typing import Any, NoReturn

import torch
from transformers.cache_utils import Cache, CacheLayerMixin, DynamicCache

from canao.decoding.decoder import Decoder
from canao.decoding.rows import Rows
from canao.errors import UnsupportedModelError


class RowsLayer(CacheLayerMixin):
    """Stands for all layers of a cache: their keys and values lie in the streams of a batch.

    `rows` is None while there are none.
    """

    is_croppable = True
    supports_early_init = False

    def __init__(self, rows: Rows) -> None:
        super().__init__()
        self.rows: Rows | None = rows

    @property
    def batch_size(self) -> int:
        """How many rows there are; -1 for none, as caches of transformers say."""
        return -1 if self.rows is None else self.rows.batch

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        self._refuse()

    def update(self, key_states: Any, value_states: Any, *args: Any, **kwargs: Any) -> Any:
        self._refuse()

    def _refuse(self) -> NoReturn:
        raise UnsupportedModelError(
            "the cache was filled by a compiled model, and is used with another; give each model a "
            "cache of its own"
        )

    def get_seq_length(self) -> int:
        return 0 if self.rows is None else self.rows.columns

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.get_seq_length() + query_length, 0

    def get_max_length(self) -> int:
        return -1 if self.rows is None else self.rows.decoder.longest

    def reset(self) -> None:
        self.rows = None

    def crop(self, tokens_to_remove: int) -> None:
        """Forget the last tokens, whose number is given as 0 or less, as elsewhere."""
        if tokens_to_remove > 0:
            raise ValueError(f"crop({tokens_to_remove}): give the number of tokens as 0 or less")
        if self.rows is not None:
            self.rows.crop(-tokens_to_remove)

    def reorder_cache(self, beam_idx: torch.Tensor) -> None:
        self.batch_select_indices(beam_idx)

    def batch_repeat_interleave(self, repeats: int) -> None:
        """Each row several times, side by side."""
        rows = torch.arange(max(0, self.batch_size))
        self.batch_select_indices(rows.repeat_interleave(repeats))

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Go on with these rows."""
        if self.rows is not None:
            self.rows.select(torch.arange(self.rows.batch)[indices].tolist())


def rows_in(cache: object, decoder: Decoder, batch: int) -> Rows:
    """The rows that a cache of transformers holds; an empty one is given some."""
    if type(cache) is not DynamicCache or cache.offloading:
        raise UnsupportedModelError(
            f"a {type(cache).__name__} of this kind is no cache for compiled models, whose keys "
            "and values stay where they are; leave past_key_values and cache_implementation out, "
            "or give an empty DynamicCache()"
        )
    layer = cache.layers[0] if cache.layers else None
    if isinstance(layer, RowsLayer):
        layer.rows = rows = layer.rows or Rows(decoder, batch)
        if rows.decoder is not decoder:
            layer.update(None, None)
        return rows
    if _holds_tokens(cache):
        raise UnsupportedModelError(
            "the cache was filled by another model than the compiled one; give an empty "
            "DynamicCache(), or leave past_key_values out"
        )
    rows = Rows(decoder, batch)
    cache.layers[:] = [RowsLayer(rows)]
    cache.layer_class_to_replicate = None
    return rows


def _holds_tokens(cache: Cache) -> bool:
    return any(getattr(layer, "is_initialized", False) for layer in cache.layers)
