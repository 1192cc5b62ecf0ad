"""What callers may ask for where dimensions vary from call to call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

AUTO = "auto"
"""As `AutoShapes()`."""


@dataclass(frozen=True)
class AutoShapes:
    """Batch and sequence vary, up to these sizes; a batch of 1 at most does not vary.

    `sequence` is the model's limit of positions if left out, `batch` what makes 16,384 tokens
    with it, 32 at most: memory is laid out for the largest sizes.
    """

    batch: int | None = None
    sequence: int | None = None


DynamicShapes = Any
"""None, "auto", `AutoShapes`, or what `torch.export.export` takes as `dynamic_shapes`."""
