"""Graphs that dynamo hands over: which inputs are weights, which sizes vary and up to where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from math import prod
from typing import Any

import sympy
import torch
from torch import nn
from torch.fx import GraphModule, map_arg

from canao.errors import UnsupportedModelError

_TOKENS = 16384
"""What the product of limits goes up to that nobody gave, and that inputs do not ask for."""
_MOST = 512
"""The largest such limit."""


class FixedWeights(nn.Module):
    """A graph that has its parameters, buffers and numbers itself, and sizes from its inputs."""

    def __init__(self, graph: GraphModule, inputs: Sequence[Any]) -> None:
        super().__init__()
        self.graph_module = graph
        self.fixed = {
            n: t for n, t in enumerate(inputs) if isinstance(t, torch.Tensor) and _is_weight(t)
        }
        for number, tensor in self.fixed.items():
            # As parameters they stay out of the IR, whatever their size.
            frozen = nn.Parameter(tensor.detach(), requires_grad=False)
            self.register_parameter(f"weight{number}", frozen)
        self.sizes = _sizes(graph)
        self.numbers = {n: inputs[n].item() for n in _numbers(graph)}
        if self.numbers:
            self.graph_module = _with_numbers(graph, self.numbers)
        known = {*self.fixed, *self.sizes, *self.numbers}
        self.free = [n for n in range(len(inputs)) if n not in known]
        self.count = len(inputs)

    def forward(self, values: tuple[Any, ...]) -> Any:
        """Run the graph on the inputs that are no weights, sizes of others or numbers."""
        inputs: list[Any] = [None] * self.count
        for number in self.fixed:
            inputs[number] = getattr(self, f"weight{number}")
        for number, value in zip(self.free, values, strict=True):
            inputs[number] = value
        for number, (tensor, axis) in self.sizes.items():
            inputs[number] = inputs[tensor].shape[axis]
        return self.graph_module(*inputs)

    def has_numbers(self, inputs: Sequence[Any]) -> bool:
        """Whether the numbers are those of some inputs; -0.0 is not 0.0, and NaN is itself."""
        return all(repr(inputs[n].item()) == repr(value) for n, value in self.numbers.items())


def _is_weight(tensor: torch.Tensor) -> bool:
    """Whether dynamo says that a tensor stays the same from call to call."""
    return isinstance(tensor, nn.Parameter) or hasattr(tensor, "_dynamo_static_input_type")


def _values(graph: GraphModule) -> list[Any]:
    """What dynamo knows of each input: a tensor with symbols in its shape, or a size."""
    nodes = [node for node in graph.graph.nodes if node.op == "placeholder"]
    return [node.meta.get("example_value") for node in nodes]


def _numbers(graph: GraphModule) -> list[int]:
    """The inputs that dynamo has made tensors of numbers: of rank 0, and read by `item` alone."""
    placeholders = [node for node in graph.graph.nodes if node.op == "placeholder"]
    return [
        number
        for number, node in enumerate(placeholders)
        if node.users
        and getattr(node.meta.get("example_value"), "shape", None) == ()
        and all((user.op, user.target) == ("call_method", "item") for user in node.users)
    ]


def _with_numbers(graph: GraphModule, numbers: Mapping[int, float]) -> GraphModule:
    """The graph with numbers written into it."""
    changed = deepcopy(graph.graph)
    placeholders = [node for node in changed.nodes if node.op == "placeholder"]
    for number, value in numbers.items():
        for user in list(placeholders[number].users):
            for reader in list(user.users):
                reader.args = map_arg(reader.args, lambda n, u=user, v=value: v if n is u else n)
                reader.kwargs = map_arg(
                    reader.kwargs, lambda n, u=user, v=value: v if n is u else n
                )
            changed.erase_node(user)
    return GraphModule(graph, changed)


def _expression(extent: Any) -> Any:
    return extent.node.expr if isinstance(extent, torch.SymInt) else extent


def _sizes(graph: GraphModule) -> dict[int, tuple[int, int]]:
    """For each input that is a size, which input has a dimension of it, and which one."""
    places: dict[Any, tuple[int, int]] = {}
    values = _values(graph)
    for number, value in enumerate(values):
        if isinstance(value, torch.Tensor):
            for axis, extent in enumerate(value.shape):
                places.setdefault(_expression(extent), (number, axis))
    found: dict[int, tuple[int, int]] = {}
    for number, value in enumerate(values):
        if not isinstance(value, torch.SymInt):
            continue
        if value.node.expr not in places:
            raise UnsupportedModelError(
                "dynamo hands over a number that varies and is no size of an input; pass it as "
                "a tensor, or give torch.compile dynamic=False"
            )
        found[number] = places[value.node.expr]
    return found


@dataclass(frozen=True)
class Varying:
    """The dimensions of a graph that vary, and how large each may become."""

    limits: Mapping[sympy.Symbol, int]
    axes: tuple[tuple[int, int, Any], ...]
    """Input, axis, and its extent in symbols."""

    @staticmethod
    def of(graph: GraphModule, inputs: Sequence[Any]) -> Varying:
        """With limits that dynamo knows or, where it knows none, room for these inputs and more."""
        axes = tuple(
            (number, axis, _expression(extent))
            for number, value in enumerate(_values(graph))
            if isinstance(value, torch.Tensor)
            for axis, extent in enumerate(value.shape)
            if isinstance(extent, torch.SymInt) and not _expression(extent).is_Integer
        )
        given: dict[sympy.Symbol, int] = {}
        free: dict[sympy.Symbol, int] = {}
        for number, axis, expression in axes:
            if not isinstance(expression, sympy.Symbol):
                continue
            limit = _limit(graph, expression)
            if limit is None:
                free[expression] = _power_of_two(int(inputs[number].shape[axis]))
            else:
                given[expression] = limit
        while free and 2 * prod(free.values()) * prod(given.values()) <= _TOKENS:
            smallest = min(free, key=lambda symbol: free[symbol])
            if 2 * free[smallest] > _MOST:
                break
            free[smallest] *= 2
        return Varying({**given, **free}, axes)

    def has_room(self, inputs: Sequence[Any]) -> bool:
        """Whether no dimension of some inputs is above its limit."""
        return all(
            int(inputs[number].shape[axis]) <= self.limits[expression]
            for number, axis, expression in self.axes
            if expression in self.limits
        )

    def dynamic_shapes(self, free: Sequence[int]) -> dict[str, Any] | None:
        """What `torch.export.export` is to be told of the inputs of `FixedWeights`."""
        if not self.axes:
            return None
        dims = {
            symbol: torch.export.Dim(str(symbol), min=2, max=max(limit, 3))
            for symbol, limit in self.limits.items()
        }
        asked: dict[int, dict[int, Any]] = {number: {} for number in free}
        for number, axis, expression in self.axes:
            asked[number][axis] = _dimension(expression, dims)
        return {"values": tuple(asked[number] for number in free)}


def _limit(graph: GraphModule, symbol: sympy.Symbol) -> int | None:
    """The largest value that dynamo knows a symbol to have."""
    for value in _values(graph):
        for extent in getattr(value, "shape", ()):
            if isinstance(extent, torch.SymInt) and extent.node.expr == symbol:
                upper = extent.node.shape_env.var_to_range[symbol].upper
                return int(upper) if isinstance(upper, sympy.Integer) else None
    return None


def _dimension(expression: Any, dims: Mapping[sympy.Symbol, Any]) -> Any:
    """A dimension as `torch.export` has it: a symbol, or `a * symbol + b`."""
    if isinstance(expression, sympy.Symbol):
        return dims[expression]
    symbols: list[sympy.Symbol] = [s for s in dims if s in expression.free_symbols]
    if len(symbols) == len(expression.free_symbols) == 1:
        (symbol,) = symbols
        factor, rest = expression.coeff(symbol), expression.subs(symbol, 0)
        if expression == factor * symbol + rest:
            return int(factor) * dims[symbol] + int(rest)
    raise UnsupportedModelError(
        f"a dimension of an input is {expression}, which no other input tells; give torch.compile "
        "dynamic=False"
    )


def _power_of_two(size: int) -> int:
    return 1 << max(1, (size - 1).bit_length())
