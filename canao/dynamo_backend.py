"""`torch.compile(model, backend="canao")`.

Dynamo hands over graphs in which parameters and buffers are inputs. They are
fixed here, so that their packing and folding happen once; they are packed again
when one of them has changed since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from torch.fx import GraphModule

from canao.errors import UnsupportedModelError
from canao.frontend.weight_watch import WeightWatch

if TYPE_CHECKING:
    from canao.compiled_model import CompiledModel


class FixedWeights(nn.Module):
    """A graph whose parameters and buffers are its own again."""

    def __init__(self, graph: GraphModule, inputs: Sequence[object]) -> None:
        super().__init__()
        self.graph_module = graph
        self.fixed = {
            n: t for n, t in enumerate(inputs) if isinstance(t, torch.Tensor) and _is_weight(t)
        }
        for number, tensor in self.fixed.items():
            # As parameters they stay out of the IR, whatever their size.
            frozen = nn.Parameter(tensor.detach(), requires_grad=False)
            self.register_parameter(f"weight{number}", frozen)
        self.free = [n for n in range(len(inputs)) if n not in self.fixed]
        self.count = len(inputs)

    def forward(self, values: tuple[Any, ...]) -> Any:
        """Run the graph on the inputs that are no weights."""
        inputs: list[Any] = [None] * self.count
        for number in self.fixed:
            inputs[number] = getattr(self, f"weight{number}")
        for number, value in zip(self.free, values, strict=True):
            inputs[number] = value
        return self.graph_module(*inputs)


def _is_weight(tensor: torch.Tensor) -> bool:
    """Whether dynamo says that a tensor stays the same from call to call."""
    return isinstance(tensor, nn.Parameter) or hasattr(tensor, "_dynamo_static_input_type")


def canao_backend(
    graph: GraphModule, example_inputs: Sequence[Any], *, options: Mapping[str, Any] | None = None
) -> Callable[..., Any]:
    """Compile a graph of dynamo; `options` are arguments of `canao.compile`.

    There is no fallback: what cannot be compiled is an error.
    """
    _check(graph, example_inputs)
    from canao.api import compile as compile_model

    def build(inputs: Sequence[Any]) -> tuple[FixedWeights, CompiledModel]:
        model = FixedWeights(graph, inputs).eval()
        free = tuple(inputs[number] for number in model.free)
        return model, compile_model(model, (free,), **(options or {}))

    def weights_of(inputs: Sequence[Any]) -> list[torch.Tensor]:
        return [inputs[number] for number in model.fixed]

    model, compiled = build(example_inputs)
    watch = WeightWatch(weights_of(example_inputs))

    def call(*inputs: Any) -> Any:
        nonlocal model, compiled, watch
        if watch.has_changed(weights_of(inputs)):
            watch = WeightWatch(weights_of(inputs))
            try:
                compiled.update_weights(FixedWeights(graph, inputs).eval())
            except UnsupportedModelError:
                model, compiled = build(inputs)
        return compiled(tuple(inputs[number] for number in model.free))

    return call


def _check(graph: GraphModule, inputs: Sequence[Any]) -> None:
    if any(isinstance(value, torch.SymInt) for value in inputs):
        raise UnsupportedModelError(
            "the canao backend compiles for fixed shapes and dynamo asks for dynamic ones; use "
            "torch.compile(model, backend='canao', dynamic=False)"
        )
    grad = [v for v in inputs if isinstance(v, torch.Tensor) and v.requires_grad]
    if torch.is_grad_enabled() and (grad or any(p.requires_grad for p in graph.parameters())):
        raise UnsupportedModelError(
            "the canao backend computes no gradients; call the model under torch.no_grad() or "
            "torch.inference_mode()"
        )
