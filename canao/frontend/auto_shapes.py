"""What callers may ask for where dimensions vary from call to call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from canao.errors import UnsupportedModelError

AUTO = "auto"
"""As `AutoShapes()`."""

SEQUENCE = 512
"""Tokens up to which models go that say of no limit."""
_BATCH, _TOKENS = 32, 16384
"""The largest batch, and tokens in it at most, of those who ask for neither."""


@dataclass(frozen=True)
class AutoShapes:
    """Batch and sequence vary, up to these sizes; a batch of 1 at most does not vary.

    `sequence` is the model's limit of positions if left out, `batch` what makes 16,384 tokens
    with it, 32 at most: memory is laid out for the largest sizes.
    """

    batch: int | None = None
    sequence: int | None = None

    def limits(self, positions: int, batch: int = 1, sequence: int = 1) -> tuple[int, int]:
        """The largest batch and sequence of a model with so many positions.

        They are never less than `batch` and `sequence`, those of an example.
        """
        longest = max(self.sequence or positions, sequence)
        return max(self.batch or max(1, min(_BATCH, _TOKENS // longest)), batch), longest


def automatic(asked: DynamicShapes) -> AutoShapes | None:
    """The `AutoShapes` that is asked for, by itself or as "auto"; None for anything else."""
    if isinstance(asked, str):
        if asked != AUTO:
            raise UnsupportedModelError(
                f"dynamic_shapes={asked!r} is not known; give 'auto', canao.AutoShapes(...) or "
                "what torch.export.export takes"
            )
        return AutoShapes()
    return asked if isinstance(asked, AutoShapes) else None


DynamicShapes = Any
"""None, "auto", `AutoShapes`, or what `torch.export.export` takes as `dynamic_shapes`."""
