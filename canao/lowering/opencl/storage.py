"""How OpenCL C reads and writes numbers of a type that only memory has."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from canao.lowering.c.language.types import CType


@dataclass(frozen=True)
class StorageText:
    """The text of loads and stores; each is told whether the address is that of a whole vector."""

    load: Callable[[CType, str, bool], str]
    """The floats that lie at an address."""
    store: Callable[[CType, str, str, bool], str]
    """The statement that puts floats, which have a name, at an address, as the nearest numbers."""


def _half(ctype: CType, aligned: bool) -> str:
    """What the functions of the language for a half or a vector of them end in."""
    return f"{'a' if aligned else ''}_half{ctype.lanes}" if ctype.is_vector else "_half"


def _load_bfloat16(ctype: CType, address: str, aligned: bool) -> str:
    """The upper half of a float's bits."""
    if not ctype.is_vector:
        return f"as_float((uint)*({address}) << 16)"
    wide = f"uint{ctype.lanes}"
    bits = f"CANAO_CONVERT(vload{ctype.lanes}(0, {address}), {wide}, {wide})"
    return f"as_float{ctype.lanes}({bits} << 16)"


def _store_bfloat16(ctype: CType, address: str, name: str, aligned: bool) -> str:
    """To the nearest, ties to even: half a unit is added, less one bit where the last one is 0.

    What is no number would become one by that, and is stored as one quiet NaN.
    """
    lanes = str(ctype.lanes) if ctype.is_vector else ""
    bits = f"as_uint{lanes}({name})"
    rounded = f"(({bits} + 0x7fffu + (({bits} >> 16) & 1u)) >> 16)"
    chosen = f"({name} == {name} ? {rounded} : (uint{lanes})(0x7fc0u))"
    if not lanes:
        return f"*({address}) = (ushort){chosen};"
    narrow = f"ushort{lanes}"
    return f"vstore{lanes}(CANAO_CONVERT({chosen}, {narrow}, {narrow}), 0, {address});"


STORAGE_TEXTS = {
    "f16": StorageText(
        load=lambda ctype, address, aligned: f"vload{_half(ctype, aligned)}(0, {address})",
        store=lambda ctype, address, name, aligned: (
            f"vstore{_half(ctype, aligned)}_rte({name}, 0, {address});"
        ),
    ),
    "bf16": StorageText(load=_load_bfloat16, store=_store_bfloat16),
}
"""By MLIR's name of the type; devices need no extension for any of them."""
