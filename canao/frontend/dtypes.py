"""The dtypes that tensors of models have, and those that compiled code computes with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from canao.errors import UnsupportedModelError

if TYPE_CHECKING:
    import torch

Array = npt.NDArray[np.generic]

NARROW_FLOATS = ("float16", "bfloat16")
"""Floats that are widened to float32, and rounded again where a model returns them."""

_COMPUTED = {
    "float32": "float32",
    "float64": "float64",
    **dict.fromkeys(NARROW_FLOATS, "float32"),
    "bool": "bool",
    **dict.fromkeys(("int64", "int32", "int16", "int8", "uint8"), "int64"),
}


@dataclass(frozen=True)
class Widened:
    """A tensor of narrow floats that compiled code holds as float32."""

    kind: str
    """ "weight" (a parameter, buffer or constant), "input", "result", or "value": what an
    operation makes of wider operands, such as a cast."""
    name: str
    dtype: str
    """The dtype that the model gives it."""


def dtype_name(tensor: torch.Tensor) -> str:
    """The dtype of a tensor, without the name of PyTorch."""
    return str(tensor.dtype).removeprefix("torch.")


def storage_problem(tensor: torch.Tensor) -> str | None:
    """What is wrong with a tensor whose elements do not lie in the CPU's memory by strides.

    None if they do.
    """
    import torch

    if tensor.device.type == "meta":
        return "is on meta, where tensors have no values; give it some on the CPU"
    if tensor.device.type != "cpu":
        return f"is on {tensor.device}; move it to the CPU by .cpu() first"
    if tensor.is_nested:
        return "is a nested tensor; pad it with torch.nested.to_padded_tensor"
    if tensor.layout is torch.strided:
        return None
    layout = str(tensor.layout).removeprefix("torch.")
    return f"is not dense but has layout {layout}; convert it with .to_dense()"


def held_dtype(dtype: str) -> str:
    """The dtype that the IR gives a tensor of the model: only narrow floats widen."""
    return "float32" if dtype in NARROW_FLOATS else dtype


def computed_dtype(dtype: str) -> str:
    """The dtype that compiled code uses for a tensor of the model: narrow numbers widen."""
    return _COMPUTED[dtype]


def check_dtype(what: str, dtype: str) -> None:
    """An `UnsupportedModelError` for a dtype that is not compiled; `what` has it."""
    if dtype in _COMPUTED:
        return
    raise UnsupportedModelError(
        f"{what} has dtype {dtype}; canao compiles {', '.join(_COMPUTED)}: convert it to one of "
        "them, complex numbers to pairs of real ones (torch.view_as_real), quantised ones by "
        ".dequantize()"
    )


def computed_array(tensor: torch.Tensor) -> Array:
    """A dense CPU tensor as compiled code takes it, in its memory where dtype and layout allow.

    A `RuntimeError` of PyTorch's for one that has no values: under `vmap`, `grad` or tracing.
    """
    dtype = dtype_name(tensor)
    tensor = tensor.detach().resolve_neg()
    # numpy has no bfloat16
    tensor = tensor.float() if dtype in NARROW_FLOATS else tensor
    array = np.ascontiguousarray(tensor.numpy(), computed_dtype(dtype))
    return array.reshape(tuple(tensor.shape))
