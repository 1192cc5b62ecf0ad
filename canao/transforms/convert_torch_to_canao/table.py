"""The conversions of all torch operations, by name."""

from __future__ import annotations

from canao.transforms.convert_torch_to_canao import (
    casts,
    creation,
    elementwise,
    indexing,
    normalisation,
    products,
    reductions,
    shapes,
)
from canao.transforms.convert_torch_to_canao.emitter import Converter

_GROUPS = (
    casts.CONVERSIONS,
    creation.CONVERSIONS,
    elementwise.CONVERSIONS,
    indexing.CONVERSIONS,
    normalisation.CONVERSIONS,
    products.CONVERSIONS,
    reductions.CONVERSIONS,
    shapes.CONVERSIONS,
)

CONVERSIONS: dict[str, Converter] = {
    **{f"torch.aten.{name}": convert for group in _GROUPS for name, convert in group.items()},
    "torch.prim.NumToTensor.Scalar": creation.filled_by(0),
}
"""The name of a torch operation to the function that converts it."""
