"""Which dimensions of the inputs are known only when the model runs.

Callers say it as `torch.export.export` takes it, or leave it to us: then batch and sequence of
inputs of transformers are, which are the first two dimensions, or the first and the last of several
texts each (batch, choices, sequence).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import sympy
import torch
from torch import nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, InputSpec, TensorArgument
from torch.utils._pytree import tree_flatten, tree_map

from canao.errors import UnsupportedModelError
from canao.extent import Symbol, extent_of
from canao.frontend.auto_shapes import SEQUENCE, AutoShapes, DynamicShapes, automatic
from canao.frontend.module import parameter_names

_LONGEST = 2**40
"""No dimension may be longer: what has no limit has one that is larger."""


def asked_shapes(
    model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], asked: DynamicShapes
) -> Any:
    """What `torch.export.export` is to be given as `dynamic_shapes`."""
    auto = automatic(asked)
    return asked if auto is None else _automatic(model, args, kwargs, auto)


def _automatic(
    model: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any], asked: AutoShapes
) -> dict[str, Any]:
    named = dict(zip(parameter_names(model), args, strict=False)) | dict(kwargs)
    leaves = [leaf for leaf in tree_flatten(named)[0] if isinstance(leaf, torch.Tensor)]
    first = next((leaf for leaf in leaves if leaf.ndim >= 2), None)
    if first is None:
        raise UnsupportedModelError(
            "dynamic_shapes='auto' takes batch and sequence from the first input of two axes, "
            "and there is none; say which dimensions vary, as torch.export.export takes it"
        )
    # Behind the batch, and behind the texts of a row.
    tokens = 1 if texts_a_row(leaves) is None else 2
    batch, sequence = int(first.shape[0]), int(first.shape[tokens])
    most, longest = asked.limits(position_limit(model), batch, sequence)
    dims = {"sequence": torch.export.Dim("sequence", min=1, max=max(longest, 2))}
    if most > 1:
        dims["batch"] = torch.export.Dim("batch", min=1, max=most)

    def of(tensor: object) -> dict[int, Any] | None:
        if not isinstance(tensor, torch.Tensor):
            return None
        varies = "batch" in dims and tensor.ndim and tensor.shape[0] == batch
        found = {0: dims["batch"]} if varies else {}
        for axis in range(tokens, tensor.ndim):
            if tensor.shape[axis] == sequence:
                found[axis] = dims["sequence"]
        return found

    return tree_map(of, named)


def texts_a_row(inputs: Iterable[object]) -> int | None:
    """How many texts each row has where inputs are those of multiple choice; None elsewhere.

    The first input of two axes tells: token numbers of shape (batch, texts, sequence).
    """
    tensors = (leaf for leaf in inputs if isinstance(leaf, torch.Tensor) and leaf.ndim >= 2)
    first = next(tensors, None)
    numbers = first is not None and not first.is_floating_point() and first.dtype != torch.bool
    return int(first.shape[1]) if first is not None and numbers and first.ndim == 3 else None


def position_limit(model: nn.Module) -> int:
    """The tokens that a model of transformers takes."""
    config = getattr(model, "config", None)
    limit = getattr(config, "max_position_embeddings", None)
    if not isinstance(limit, int) or limit < 2:
        return SEQUENCE
    for name, module in model.named_modules():
        # Models like RoBERTa number positions from behind that of padding.
        if name.endswith("position_embeddings") and isinstance(module, nn.Embedding):
            return limit - (0 if module.padding_idx is None else module.padding_idx + 1)
    return limit


def varied(
    args: tuple[Any, ...], kwargs: dict[str, Any], parameters: tuple[str, ...], dims: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Examples whose varying dimensions are longer than 1, which tracing takes for a number."""

    def longer(value: torch.Tensor, axis: int, _: Any) -> torch.Tensor:
        return value.repeat_interleave(2, dim=axis) if value.shape[axis] == 1 else value

    return _changed(args, kwargs, parameters, dims, longer)


def smallest(
    args: tuple[Any, ...], kwargs: dict[str, Any], parameters: tuple[str, ...], dims: Any
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Examples whose varying dimensions are as short as they may be."""

    def shorter(value: torch.Tensor, axis: int, dim: Any) -> torch.Tensor:
        return value.narrow(axis, 0, max(int(getattr(dim, "min", 1)), 1))

    return _changed(args, kwargs, parameters, dims, shorter)


_Change = Callable[[torch.Tensor, int, Any], torch.Tensor]


def _changed(
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    parameters: tuple[str, ...],
    dims: Any,
    change: _Change,
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Examples changed along each dimension that varies."""
    if dims is None:
        return args, kwargs
    if isinstance(dims, Mapping):
        named = zip(parameters, args, strict=False)
        positional = tuple(_each(value, dims.get(name), change) for name, value in named)
        keyed = {name: _each(value, dims.get(name), change) for name, value in kwargs.items()}
        return positional, keyed
    return tuple(_each(v, d, change) for v, d in zip(args, dims, strict=False)), kwargs


def _each(value: Any, dims: Any, change: _Change) -> Any:
    if dims is None:
        return value
    if isinstance(value, torch.Tensor):
        items = dims.items() if isinstance(dims, Mapping) else enumerate(dims)
        for axis, dim in items:
            if dim is not None and not isinstance(dim, int):
                value = change(value, axis, dim)
        return value
    if isinstance(value, Mapping):
        return {name: _each(part, dims.get(name), change) for name, part in value.items()}
    if type(value) in (list, tuple):
        parts = zip(value, dims, strict=False)
        return type(value)(_each(part, dim, change) for part, dim in parts)
    return value


def smallest_results(program: ExportedProgram) -> list[tuple[int, ...]]:
    """The shapes of a program's results at the smallest sizes; () for what is no tensor."""
    # Symbols without a least value stand for numbers in tensors, which are refused by name later.
    sizes = {
        symbol: max(int(known.lower), 1) if known.lower.is_finite else 1
        for symbol, known in program.range_constraints.items()
    }
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}

    def number(extent: Any) -> int:
        return int(extent.node.expr.subs(sizes) if isinstance(extent, torch.SymInt) else extent)

    shapes: list[tuple[int, ...]] = []
    for spec in program.graph_signature.output_specs:
        value = values.get(getattr(spec.arg, "name", ""))
        tensor = isinstance(value, torch.Tensor)
        shapes.append(tuple(map(number, value.shape)) if tensor else ())
    return shapes


def dim_names(
    program: ExportedProgram,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    parameters: tuple[str, ...],
    dims: Any,
) -> dict[str, str]:
    """The names that callers gave dimensions, by those of the exported program's symbols.

    `args` and `kwargs` are what it was exported with, each tensor once.
    """
    asked: dict[int, list[tuple[int, Any]]] = {}

    def note(value: torch.Tensor, axis: int, dim: Any) -> torch.Tensor:
        asked.setdefault(id(value), []).append((axis, dim))
        return value

    _changed(args, kwargs, parameters, dims, note)
    spec = program.call_spec.in_spec
    order = spec.children()[1].context if spec is not None else list(kwargs)
    leaves = tree_flatten((args, {name: kwargs[name] for name in order}))[0]
    tensors = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
    specs = [s.arg.name for s in program.graph_signature.input_specs if _is_tensor_input(s)]
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    names: dict[str, str] = {}
    for tensor, node in zip(tensors, specs, strict=True):
        for axis, dim in asked.get(id(tensor), ()):
            extent = values[node].shape[axis]
            if isinstance(extent, torch.SymInt) and isinstance(extent.node.expr, sympy.Symbol):
                names.setdefault(str(extent.node.expr), str(getattr(dim, "__name__", extent)))
    return names


def _is_tensor_input(spec: InputSpec) -> bool:
    return spec.kind == InputKind.USER_INPUT and isinstance(spec.arg, TensorArgument)


def extents(program: ExportedProgram, names: Mapping[str, str]) -> Callable[[Any], int]:
    """Turns what PyTorch knows of a dimension into an extent.

    `UnsupportedModelError` where the dimension has no limit.
    """
    ranges = program.range_constraints

    def symbol(given: sympy.Symbol) -> int:
        name = names.get(str(given), str(given))
        low, high = ranges[given].lower, ranges[given].upper
        if not isinstance(high, sympy.Integer) or int(high) > _LONGEST:
            raise UnsupportedModelError(
                f"dimension '{name}' has no limit; give one: torch.export.Dim('{name}', max=512)"
            )
        return extent_of(Symbol(name, max(int(low), 1), int(high)))

    def of(expression: Any) -> int:
        if isinstance(expression, sympy.Symbol):
            return symbol(expression)
        if expression.is_Integer:
            return int(expression)
        parts = [of(argument) for argument in expression.args]
        total = parts[0]
        for part in parts[1:]:
            if expression.is_Add:
                total = total + part
            elif expression.is_Mul:
                total = total * part
            else:
                raise UnsupportedModelError(
                    f"a dimension is {expression}; only sums and products are"
                )
        return total

    return lambda extent: of(extent.node.expr) if isinstance(extent, torch.SymInt) else int(extent)
