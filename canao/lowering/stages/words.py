"""What lowering calls loops, buffers and sums, for those who read loops or C."""

from __future__ import annotations

from canao.dialects.interfaces import ReductionKind

INPUT, WEIGHT, BIAS, SCALE = "input", "weight", "bias", "scale"
RESIDUAL, SHIFT = "residual", "shift"
TABLE, INDICES, MASK, HIDDEN, OUTPUT = "table", "indices", "mask", "hidden", "output"
PACKED, PARTIAL, SHARED, FETCHED = "packed_weight", "partial_sums", "shared", "fetched"
SIZES = "sizes"
_INPUTS = {INPUT, WEIGHT, PACKED, BIAS, SCALE, RESIDUAL, SHIFT, TABLE, INDICES, MASK}
_INSIDE = {HIDDEN, PARTIAL, SHARED, FETCHED}

TERM, WAY = "term", "way"
_INDEPENDENT = ("batch", "head", "row", "column")
_DIMENSIONS = (*_INDEPENDENT, "outer", "element", TERM, WAY)

SUM, MAXIMUM, MINIMUM, TOTAL = "sum", "maximum", "minimum", "total"
_REDUCTIONS = {"sum": SUM, "max": MAXIMUM, "min": MINIMUM}

_OF_LOOPS = {f"{name}{end}" for name in _DIMENSIONS for end in ("", "_tile", "_block")}
_OF_REDUCTIONS = {
    f"{start}{name}" for name in (*_REDUCTIONS.values(), TOTAL) for start in ("", "row_")
}
WORDS = _INPUTS | _INSIDE | {OUTPUT, SIZES} | _OF_LOOPS | _OF_REDUCTIONS
"""All words."""


def dimension_names(parallel: int, reduced: int) -> tuple[str, ...]:
    """What the dimensions of a nest are called: the independent ones, then the reduced ones."""
    if parallel == 1:
        independent: tuple[str, ...] = ("element",)
    else:
        outer = max(0, parallel - len(_INDEPENDENT))
        independent = ("outer",) * outer + _INDEPENDENT[len(_INDEPENDENT) - parallel + outer :]
    # Batches without heads lie right before the rows.
    if parallel == 3:
        independent = ("batch", *independent[1:])
    return independent + (TERM,) * reduced


def reduction_name(kind: ReductionKind) -> str:
    """What the results of a reduction are called."""
    return _REDUCTIONS.get(kind.name, TOTAL)


def tile_word(dimension: str, size: int) -> str:
    """What counts tiles of so many points of a dimension."""
    return f"{dimension}_tile" if size > 1 else dimension
