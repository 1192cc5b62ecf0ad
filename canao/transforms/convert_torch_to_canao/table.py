"""The conversions of all torch operations, by name."""

from __future__ import annotations

from canao.transforms.convert_torch_to_canao.arithmetic import (
    casts,
    elementwise,
    functions,
    quotients,
)
from canao.transforms.convert_torch_to_canao.emitter import Converter
from canao.transforms.convert_torch_to_canao.indexing import (
    indexing,
    lookups,
    masks,
    scattering,
    sorting,
    updates,
)
from canao.transforms.convert_torch_to_canao.movement import creation, rearrange, shapes
from canao.transforms.convert_torch_to_canao.products import convolutions, products
from canao.transforms.convert_torch_to_canao.reductions import (
    normalisation,
    norms,
    reductions,
    scans,
    windows,
)

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
    "torch.prims.view_of": casts.keep,
    "torch.prims.collapse": shapes.reshape,
    "torch.prims.squeeze": shapes.reshape,
    "torch.prims.split_dim": shapes.reshape,
    "torch.prim.NumToTensor.Scalar": creation.filled_by(0),
}
"""The name of a torch operation to the function that converts it."""
