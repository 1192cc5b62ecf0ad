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


STORAGE_TEXTS = {
    "f16": StorageText(
        load=lambda ctype, address, aligned: f"vload{_half(ctype, aligned)}(0, {address})",
        store=lambda ctype, address, name, aligned: (
            f"vstore{_half(ctype, aligned)}_rte({name}, 0, {address});"
        ),
    ),
}
"""By MLIR's name of the type; devices need no extension for any of them."""
