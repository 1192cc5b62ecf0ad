"""Which shapes the inputs of an ONNX model have: numbers, and symbols with a range.

A file gives a dimension a number, a name, or nothing. Names become symbols where sizes vary, and
numbers where an example fixes them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from canao.errors import ShapeMismatchError, UnsupportedModelError
from canao.extent import Symbol, extent_of
from canao.frontend.auto_shapes import SEQUENCE, AutoShapes, DynamicShapes, automatic
from canao.frontend.onnx.read_file import OnnxFile

Shape = tuple[int, ...]

_NAMELESS = re.compile(r".*_dynamic_axes_\d+|unk__\d+")
"""Names that exporters make up for dimensions that got none."""

_FOR_EXAMPLE = "dynamic_shapes={{'{input}': {{{axis}: torch.export.Dim('{name}', max=512)}}}}"


@dataclass(frozen=True)
class Dimension:
    """One dimension of an input, as a file has it."""

    input: str
    axis: int
    size: int | None
    """None where it varies."""
    name: str
    """Of dimensions that vary; those of one name have one size."""


Declared = Mapping[str, tuple[Dimension, ...] | None]
"""The dimensions of each input; None for an input of unknown rank."""


def declared_dimensions(file: OnnxFile, positional: bool) -> Declared:
    """What a file says of the dimensions of its inputs.

    Dimensions without a name get one of their own; if they are `positional`, the name of the
    dimension at the same axis of the first input that has two axes, as models of transformers
    have batch and sequence.
    """
    found: dict[str, tuple[Dimension, ...] | None] = {}
    first: tuple[Dimension, ...] = ()
    for name in file.inputs:
        tensor = file.type_of(name)
        if not tensor.HasField("shape"):
            found[name] = None
            continue
        dims = [_dimension(name, axis, dim) for axis, dim in enumerate(tensor.shape.dim)]
        if positional:
            dims = [*map(_with_name_of, dims, first), *dims[len(first) :]]
        found[name] = tuple(dims)
        first = first or (tuple(dims[:2]) if len(dims) > 1 else ())
    return found


def _dimension(name: str, axis: int, dim: Any) -> Dimension:
    if dim.HasField("dim_value"):
        if dim.dim_value < 0:
            raise UnsupportedModelError(
                f"dimension {axis} of input '{name}' is {dim.dim_value} in the file; export the "
                "model with a size or a name there"
            )
        return Dimension(name, axis, dim.dim_value, "")
    return Dimension(name, axis, None, dim.dim_param or f"{name}.{axis}")


def _with_name_of(dim: Dimension, first: Dimension) -> Dimension:
    nameless = dim.name == f"{dim.input}.{dim.axis}" or _NAMELESS.fullmatch(dim.name)
    varies = dim.size is None and first.size is None
    return Dimension(dim.input, dim.axis, None, first.name) if varies and nameless else dim


def input_shapes(
    file: OnnxFile, example: Mapping[str, Shape] | None, asked: DynamicShapes
) -> dict[str, Shape]:
    """The shape of each input, for an example's shapes and what is asked to vary."""
    if asked is None and example is None:
        varies = any(
            dims and any(dim.size is None for dim in dims)
            for dims in declared_dimensions(file, False).values()
        )
        asked = AutoShapes() if varies else None
    auto = automatic(asked)
    declared = declared_dimensions(file, auto is not None)
    _check_example(declared, example)
    given = example or {}
    if auto is not None:
        symbols = _automatic(declared, given, auto)
    else:
        symbols = {} if asked is None else _asked(declared, asked)
    return {
        name: _shape(name, dims, given.get(name), _safe_names(symbols))
        for name, dims in declared.items()
    }


def _check_example(declared: Declared, example: Mapping[str, Shape] | None) -> None:
    """An error where an example has not the dimensions that a file gives its inputs."""
    sizes: dict[str, tuple[int, str]] = {}
    for name, shape in (example or {}).items():
        dims = declared[name]
        if dims is None:
            continue
        if len(dims) != len(shape):
            raise ShapeMismatchError(
                f"input '{name}' has {len(dims)} dimensions in the file, and the example has the "
                f"shape {shape}; give an example of {len(dims)} dimensions"
            )
        for dim, size in zip(dims, shape, strict=True):
            place = f"dimension {dim.axis} of '{name}'"
            wanted, where = (
                (dim.size, "the file") if not dim.name else sizes.get(dim.name, (size, ""))
            )
            if size != wanted:
                raise ShapeMismatchError(
                    f"{place} is {size} in the example, and {wanted} in {where}; give inputs that "
                    "fit the model"
                )
            sizes.setdefault(dim.name, (size, place))


def _shape(
    name: str,
    dims: tuple[Dimension, ...] | None,
    example: Shape | None,
    extents: Mapping[str, int],
) -> Shape:
    if dims is None:
        if example is None:
            raise UnsupportedModelError(
                f"the file does not say how many dimensions input '{name}' has; give example inputs"
            )
        return example
    found: list[int] = []
    for dim in dims:
        if dim.size is not None:
            found.append(dim.size)
        elif dim.name in extents:
            found.append(extents[dim.name])
        elif example is not None:
            found.append(example[dim.axis])
        else:
            hint = _FOR_EXAMPLE.format(input=name, axis=dim.axis, name=_safe(dim.name))
            raise UnsupportedModelError(
                f"dimension {dim.axis} of input '{name}' ('{dim.name}') has no limit; give one, as "
                f"by {hint}, or fix it by example inputs"
            )
    return tuple(found)


def roles(declared: Declared) -> tuple[str, str]:
    """The names of batch and sequence: of the first two dimensions of the first input that has two.

    "" for one that has a fixed size.
    """
    first = next((dims for dims in declared.values() if dims and len(dims) > 1), None)
    if first is None:
        raise UnsupportedModelError(
            "dynamic_shapes='auto' takes batch and sequence from the first input of two axes, "
            "and there is none; say which dimensions vary, as torch.export.export takes it, or fix "
            "them by example inputs"
        )
    return first[0].name, first[1].name


def _automatic(
    declared: Declared, example: Mapping[str, Shape], asked: AutoShapes
) -> dict[str, Symbol]:
    """Batch and sequence, by the names that the file has for them."""
    sizes = {
        dim.name: example[name][dim.axis]
        for name, dims in declared.items()
        for dim in dims or ()
        if name in example
    }
    batch, sequence = roles(declared)
    if not batch and not sequence:
        raise UnsupportedModelError(
            "dynamic_shapes='auto' asks for a batch and a sequence that vary, and the file fixes "
            "both; leave dynamic_shapes out, or export the model with dynamic axes"
        )
    most, longest = asked.limits(
        SEQUENCE if sequence else 1, sizes.get(batch, 1), sizes.get(sequence, 1)
    )
    limits = {sequence: longest, batch: most}
    return {name: Symbol(name, 1, limit) for name, limit in limits.items() if name}


def _asked(declared: Declared, asked: Any) -> dict[str, Symbol]:
    """The dimensions that vary, said as `torch.export.export` takes it."""
    if not isinstance(asked, Mapping | Sequence):
        raise UnsupportedModelError(
            f"dynamic_shapes is a {type(asked).__name__}; give 'auto', canao.AutoShapes(...) or "
            "what torch.export.export takes"
        )
    pairs: Any = asked.items() if isinstance(asked, Mapping) else zip(declared, asked, strict=False)
    found: dict[str, Symbol] = {}
    for name, axes in pairs:
        if name not in declared:
            known = ", ".join(declared)
            raise UnsupportedModelError(
                f"dynamic_shapes names '{name}', and the inputs are {known}; name one of them"
            )
        dims = declared[name] or ()
        for axis, dim in axes.items() if isinstance(axes, Mapping) else enumerate(axes or ()):
            if dim is None or isinstance(dim, int):
                continue
            symbol = _symbol(name, axis, dim)
            if not (isinstance(axis, int) and 0 <= axis < len(dims)) or dims[axis].size is not None:
                raise UnsupportedModelError(
                    f"dimension {axis} of input '{name}' is asked to vary, and the file fixes it; "
                    "leave it out of dynamic_shapes, or export the model with a dynamic axis there"
                )
            if found.setdefault(dims[axis].name, symbol) != symbol:
                raise UnsupportedModelError(
                    f"dimension {axis} of input '{name}' is '{dims[axis].name}' in the file, and "
                    "dynamic_shapes says different things of it; give one torch.export.Dim"
                )
    return found


def _symbol(name: str, axis: object, dim: Any) -> Symbol:
    """The symbol for a `torch.export.Dim`."""
    named, low, high = (getattr(dim, key, None) for key in ("__name__", "min", "max"))
    if not isinstance(dim, type(torch.export.Dim("n"))) or not isinstance(named, str):
        raise UnsupportedModelError(
            f"dimension {axis} of input '{name}' is {dim!r} in dynamic_shapes; give "
            "torch.export.Dim('name', min=1, max=512)"
        )
    if not (isinstance(low, int) and isinstance(high, int)) or high > _LONGEST:
        raise UnsupportedModelError(
            f"dimension '{named}' has no limit; give one: torch.export.Dim('{named}', max=512)"
        )
    return Symbol(named, max(low, 1), high)


_LONGEST = 2**40
"""No dimension may be longer: what has no limit has one that is larger."""


def _safe_names(symbols: Mapping[str, Symbol]) -> dict[str, int]:
    """Extents by the file's names; those of symbols have letters, digits and underscores only."""
    taken: dict[str, Symbol] = {}
    for symbol in symbols.values():
        name = _safe(symbol.name)
        while taken.get(name, symbol) != symbol:
            name += "_"
        taken[name] = symbol
    safe = {symbol: name for name, symbol in taken.items()}
    return {
        name: extent_of(Symbol(safe[symbol], symbol.low, symbol.high))
        for name, symbol in symbols.items()
    }


def _safe(name: str) -> str:
    """A name that may stand in code and in the text of the IR."""
    word = re.sub(r"[^A-Za-z0-9_]", "_", name)
    return word if word[:1].isalpha() else f"n{word}"


def example_shapes(file: OnnxFile, batch: int, sequence: int) -> tuple[dict[str, Shape], bool]:
    """Shapes of inputs of some batch and sequence, as far as the file leaves them open.

    And whether it leaves any open.
    """
    declared = declared_dimensions(file, True)
    varies = any(dim.size is None for dims in declared.values() for dim in dims or ())
    names = roles(declared) if varies else ("", "")
    extents = dict(zip(names, (batch, sequence), strict=True))
    extents.pop("", None)
    shapes = {name: _shape(name, dims, None, extents) for name, dims in declared.items()}
    return shapes, varies
