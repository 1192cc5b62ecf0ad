"""Tensor types whose extents are known when the model runs.

`tensor<?x8xf32, #canao.extents<[sequence, 8], sequence in 1 to 512>>`:
the encoding of a tensor type says what each extent is, and which values symbols have.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from xdsl.dialects.builtin import (
    DYNAMIC_INDEX,
    ArrayAttr,
    IntAttr,
    NoneAttr,
    StringAttr,
    TensorType,
)
from xdsl.ir import Attribute, ParametrizedAttribute
from xdsl.irdl import irdl_attr_definition
from xdsl.parser import AttrParser
from xdsl.printer import Printer
from xdsl.utils.exceptions import VerifyException

from canao.extent import (
    Extent,
    Monomial,
    Symbol,
    bounds_of,
    extent_of,
    is_symbolic,
    made_of,
    symbols_in,
    terms_of,
)

LARGEST = 2**62
"""No extent may be larger."""


@irdl_attr_definition
class SymbolAttr(ParametrizedAttribute):
    """A dimension known when the model runs, and the values that it may have."""

    name = "canao.symbol"
    symbol: StringAttr
    low: IntAttr
    high: IntAttr

    def verify(self) -> None:
        low, high = self.low.data, self.high.data
        if not 1 <= low < high <= LARGEST:
            raise VerifyException(
                f"'{self.symbol.data}' is from {low} to {high}: the first must be at least 1, and "
                "the second larger"
            )


@irdl_attr_definition
class TermAttr(ParametrizedAttribute):
    """A product of symbols, by number, and of an integer."""

    name = "canao.term"
    symbols: ArrayAttr[IntAttr]
    factor: IntAttr


@irdl_attr_definition
class ExtentsAttr(ParametrizedAttribute):
    """The extents of a tensor, one a dimension, each a sum of terms in symbols."""

    name = "canao.extents"
    symbols: ArrayAttr[SymbolAttr]
    extents: ArrayAttr[ArrayAttr[TermAttr]]

    @staticmethod
    def of(shape: Sequence[int]) -> ExtentsAttr:
        """The encoding of a shape."""
        symbols = symbols_in(shape)
        number = {symbol: IntAttr(n) for n, symbol in enumerate(symbols)}

        def term(monomial: Monomial, factor: int) -> TermAttr:
            return TermAttr(ArrayAttr([number[s] for s in monomial]), IntAttr(factor))

        return ExtentsAttr(
            ArrayAttr(
                SymbolAttr(StringAttr(s.name), IntAttr(s.low), IntAttr(s.high)) for s in symbols
            ),
            ArrayAttr(ArrayAttr(term(*t) for t in terms_of(extent)) for extent in shape),
        )

    def shape(self) -> tuple[int, ...]:
        """The shape that it encodes."""
        symbols = [Symbol(s.symbol.data, s.low.data, s.high.data) for s in self.symbols]
        return tuple(
            made_of(
                (tuple(sorted(symbols[n.data] for n in term.symbols)), term.factor.data)
                for term in terms
            )
            for terms in self.extents
        )

    def verify(self) -> None:
        names = [s.symbol.data for s in self.symbols]
        if len(set(names)) != len(names):
            raise VerifyException(f"the symbols {', '.join(names)} are not all different")
        used = {n.data for terms in self.extents for term in terms for n in term.symbols}
        if used != set(range(len(names))):
            raise VerifyException("every symbol must be in an extent, and nothing else")
        for extent in self.shape():
            low, high = bounds_of(extent)
            if low < 0 or high > LARGEST:
                raise VerifyException(
                    f"the extent {extent} is from {low} to {high}, and must be from 0 to {LARGEST}"
                )

    def print_parameters(self, printer: Printer) -> None:
        def extent(value: int) -> None:
            printer.print_string(_written(value))

        def symbol(given: SymbolAttr) -> None:
            printer.print_string(f"{_name(given.symbol.data)} in ")
            printer.print_string(f"{given.low.data} to {given.high.data}")

        with printer.in_angle_brackets():
            with printer.in_square_brackets():
                printer.print_list(self.shape(), extent)
            printer.print_string(", ")
            printer.print_list(self.symbols, symbol)

    @classmethod
    def parse_parameters(cls, parser: AttrParser) -> Sequence[Attribute]:
        with parser.in_angle_brackets():
            sums = parser.parse_comma_separated_list(parser.Delimiter.SQUARE, lambda: _sum(parser))
            parser.parse_punctuation(",")
            symbols = parser.parse_comma_separated_list(
                parser.Delimiter.NONE, lambda: _symbol(parser)
            )
        known = {symbol.name: symbol for symbol in symbols}
        unknown = {name for terms in sums for names, _ in terms for name in names} - known.keys()
        if unknown:
            parser.raise_error(f"the values of '{min(unknown)}' are not said")
        shape = [
            made_of(
                (tuple(sorted(known[name] for name in names)), factor) for names, factor in terms
            )
            for terms in sums
        ]
        made = ExtentsAttr.of(shape)
        if len(made.symbols) != len(symbols):
            parser.raise_error("every symbol must be in an extent")
        return made.parameters


_Terms = list[tuple[tuple[str, ...], int]]


def _name(name: str) -> str:
    """A name as it is written: bare where it may stand so."""
    bare = name.isascii() and name.isidentifier() and name not in ("in", "to")
    return name if bare else str(StringAttr(name))


def _written(extent: int) -> str:
    if not isinstance(extent, Extent):
        return str(extent)
    parts = [
        " * ".join([*(_name(s.name) for s in m), *([str(c)] if c != 1 or not m else [])])
        for m, c in extent.terms
    ]
    return " + ".join(parts)


def _sum(parser: AttrParser) -> _Terms:
    """`b * s * 4 + 2`."""
    terms = [_product(parser)]
    while parser.parse_optional_punctuation("+") is not None:
        terms.append(_product(parser))
    return terms


def _product(parser: AttrParser) -> tuple[tuple[str, ...], int]:
    names: list[str] = []
    factor = 1
    while True:
        name = parser.parse_optional_identifier_or_str_literal()
        if name is None:
            factor *= parser.parse_integer()
        else:
            names.append(name)
        if parser.parse_optional_punctuation("*") is None:
            return tuple(names), factor


def _symbol(parser: AttrParser) -> Symbol:
    """`sequence in 1 to 512`."""
    at = parser.pos
    name = parser.parse_identifier_or_str_literal()
    parser.parse_keyword("in")
    low = parser.parse_integer()
    parser.parse_keyword("to")
    high = parser.parse_integer()
    if not 1 <= low < high <= LARGEST:
        parser.raise_error(f"'{name}' has no values from {low} to {high}", at)
    return Symbol(name, low, high)


def tensor_type(element: Attribute, shape: Sequence[int]) -> TensorType[Attribute]:
    """The type of tensors of a shape, whose extents may depend on symbols."""
    if not any(map(is_symbolic, shape)):
        return TensorType(element, shape)
    dims = [DYNAMIC_INDEX if is_symbolic(extent) else extent for extent in shape]
    return TensorType(element, dims, ExtentsAttr.of(shape))


def shape_of_type(tensor: TensorType[Attribute]) -> tuple[int, ...]:
    """The shape of a tensor type; a `VerifyException` if an extent is not known at all."""
    if not isinstance(tensor.encoding, NoneAttr):
        return _known_shape(tensor)
    shape = tensor.get_shape()
    if DYNAMIC_INDEX in shape:
        raise VerifyException(
            f"{tensor} has an extent that is not known; say with #canao.extents what it is"
        )
    return shape


_known: dict[int, tuple[TensorType[Attribute], tuple[int, ...]]] = {}
"""Shapes by the identity of their types, which costs less than to compare what types say."""
_MOST_KNOWN = 1 << 16


def _known_shape(tensor: TensorType[Attribute]) -> tuple[int, ...]:
    known = _known.get(id(tensor))
    if known is not None and known[0] is tensor:
        return known[1]
    shape = _decoded(tensor)
    if len(_known) >= _MOST_KNOWN:
        _known.clear()
    _known[id(tensor)] = tensor, shape
    return shape


@lru_cache(maxsize=4096)
def _decoded(tensor: TensorType[Attribute]) -> tuple[int, ...]:
    encoding, dims = tensor.encoding, tensor.get_shape()
    if not isinstance(encoding, ExtentsAttr):
        raise VerifyException(f"{tensor} has an encoding that canao does not know")
    shape = encoding.shape()
    stated = [DYNAMIC_INDEX if is_symbolic(extent) else extent for extent in shape]
    if list(dims) != stated:
        raise VerifyException(f"the dimensions of {tensor} are not its extents")
    return shape


__all__ = [
    "ExtentsAttr",
    "SymbolAttr",
    "TermAttr",
    "extent_of",
    "shape_of_type",
    "tensor_type",
]
