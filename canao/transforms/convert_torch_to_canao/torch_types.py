"""Reads the types of torch-mlir's torch dialect, which xDSL keeps as text."""

from __future__ import annotations

import re
from collections.abc import Sequence

from xdsl.dialects.builtin import TensorType, UnregisteredAttr, f32, f64
from xdsl.ir import Attribute

from canao.dialects.canao.symbolic import tensor_type as canao_type
from canao.dialects.canao.types import i1, i8, i16, i32, i64, ui8
from canao.errors import UnsupportedModelError

_VTENSOR = re.compile(r"\[(?P<shape>[^\]]*)\],\s*(?P<dtype>.+)$")

_ELEMENTS: dict[str, Attribute] = {
    "f32": f32,
    "f64": f64,
    # Narrow floats are computed in float32: every value fits, and results are rounded.
    "f16": f32,
    "bf16": f32,
    "si64": i64,
    "i1": i1,
    # widened once all is converted: until then they say how results wrap and promote
    "si32": i32,
    "si16": i16,
    "si8": i8,
    "ui8": ui8,
}

_NAMES = {element: name for name, element in reversed(_ELEMENTS.items())}

LIST_TYPE = "torch.list"


def torch_element(element: Attribute) -> str:
    """How a `!torch.vtensor` writes an element type: `si64` for i64."""
    return _NAMES[element]


def type_name(attribute: Attribute) -> str:
    """The name of an unregistered type such as `torch.vtensor`; else an empty string."""
    return attribute.attr_name.data if isinstance(attribute, UnregisteredAttr) else ""


def tensor_type(
    attribute: Attribute, where: str = "", shape: Sequence[int] | None = None
) -> TensorType[Attribute] | None:
    """The builtin tensor type of a `!torch.vtensor`, or None for any other type.

    `shape` is the shape where the type does not say it. Raises `UnsupportedModelError`
    for shapes that nothing says and element types that canao does not compute with;
    `where` names the value in the message.
    """
    if isinstance(attribute, TensorType):
        return attribute
    if type_name(attribute) not in ("torch.vtensor", "torch.tensor"):
        return None
    assert isinstance(attribute, UnregisteredAttr)
    text = attribute.value.data
    match = _VTENSOR.match(text)
    if match is None or ("?" in match["shape"] and shape is None):
        raise UnsupportedModelError(
            f"{where or 'a tensor'} has the type !torch.vtensor<{text}>, whose shape is not "
            "known; export the model with fixed shapes, or with symbolic ones "
            "(torch.bind_symbolic_shape)"
        )
    if match["dtype"] not in _ELEMENTS:
        raise UnsupportedModelError(
            f"{where or 'a tensor'} has elements of type {match['dtype']}; canao compiles "
            f"{', '.join(_ELEMENTS)}: compute it in one of these types"
        )
    stated = match["shape"].replace(" ", "").split(",")
    extents = shape if shape is not None else [int(extent) for extent in stated if extent]
    return canao_type(_ELEMENTS[match["dtype"]], extents)
