"""The conversions of all torch operations, by name."""

from __future__ import annotations

from canao.transforms.convert_torch_to_canao import (
    casts,
    convolutions,
    creation,
    elementwise,
    functions,
    indexing,
    lookups,
    masks,
    normalisation,
    norms,
    products,
    quotients,
    rearrange,
    reductions,
    scans,
    scattering,
    shapes,
    sorting,
    updates,
    windows,
)
from canao.transforms.convert_torch_to_canao.emitter import Converter

_GROUPS = (
    casts.CONVERSIONS,
    convolutions.CONVERSIONS,
    creation.CONVERSIONS,
    elementwise.CONVERSIONS,
    functions.CONVERSIONS,
    indexing.CONVERSIONS,
    lookups.CONVERSIONS,
    masks.CONVERSIONS,
    normalisation.CONVERSIONS,
    norms.CONVERSIONS,
    products.CONVERSIONS,
    rearrange.CONVERSIONS,
    quotients.CONVERSIONS,
    reductions.CONVERSIONS,
    scans.CONVERSIONS,
    scattering.CONVERSIONS,
    shapes.CONVERSIONS,
    sorting.CONVERSIONS,
    updates.CONVERSIONS,
    windows.CONVERSIONS,
)

CONVERSIONS: dict[str, Converter] = {
    **{f"torch.aten.{name}": convert for group in _GROUPS for name, convert in group.items()},
    "torch.prim.NumToTensor.Scalar": creation.filled_by(0),
}
"""The name of a torch operation to the function that converts it."""
