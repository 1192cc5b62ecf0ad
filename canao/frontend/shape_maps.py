"""Affine maps of torch-mlir that multiply symbols, as text that xDSL's parser reads.

`s0 * s1` is no affine expression. Such a map becomes a string attribute, whose text
`convert-torch-to-canao` evaluates.
"""

from __future__ import annotations

import re

_MAP = re.compile(r"^(#map\d* = )(affine_map<\(\)\[[s\d, ]*\] -> \(([^<>\n]*)\)>)$", re.MULTILINE)
_PRODUCT = re.compile(r"s\d+(?: \* \d+)* \* s\d|\) \* s\d|s\d+ \* \(")


def quote_products(text: str) -> str:
    """The text of a module with each map that multiplies symbols as a string of its results."""

    def quoted(found: re.Match[str]) -> str:
        definition, whole, results = found.groups()
        return f'{definition}"{results}"' if _PRODUCT.search(results) else definition + whole

    return _MAP.sub(quoted, text)
