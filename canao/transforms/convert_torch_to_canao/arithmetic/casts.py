"""Conversions of casts, copies and operations that do nothing in inference."""

from __future__ import annotations

from xdsl.ir import SSAValue

from canao.transforms.convert_torch_to_canao.emitter import Converter, Emitter
from canao.transforms.convert_torch_to_canao.torch_call import TorchCall


def keep(e: Emitter, call: TorchCall) -> SSAValue:
    """The operand, cast where the result has another element type."""
    return e.cast(call.tensor(0), call.element)


def dropout(e: Emitter, call: TorchCall) -> SSAValue:
    """Nothing in inference; drawing at random while training is not supported."""
    if call.argument(2) is True and call.number(1) != 0:
        raise call.unsupported("it is active: call model.eval() before exporting")
    return call.tensor(0)


def native_dropout(e: Emitter, call: TorchCall) -> list[SSAValue | None]:
    """As `dropout`; the mask of what was kept is all true."""
    result = call.results[1]
    mask = None
    if call.used[1] and result is not None:
        mask = e.filled(1, result.element_type, result.get_shape())
    return [dropout(e, call), mask]


def drop(e: Emitter, call: TorchCall) -> list[SSAValue | None]:
    """An assertion: about metadata, checked when exporting, or that indices are in range.

    Lookups check their indices themselves.
    """
    return []


_COPIES = (
    "to.dtype",
    "to.dtype_layout",
    "to.device",
    "to.other",
    "to.prim_Device",
    "type_as",
    "_to_copy",
    "_to_cpu",
    "contiguous",
    "clone",
    "detach",
    "detach_copy",
    "alias",
    "alias_copy",
    "lift",
    "lift_fresh",
    "lift_fresh_copy",
    "resolve_conj",
    "resolve_neg",
    "positive",
)

CONVERSIONS: dict[str, Converter] = {
    **dict.fromkeys(_COPIES, keep),
    "dropout": dropout,
    "feature_dropout": dropout,
    "native_dropout": native_dropout,
    "_assert_tensor_metadata": drop,
    "_assert_async.msg": drop,
}
