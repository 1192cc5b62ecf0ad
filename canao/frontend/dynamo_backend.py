"""`torch.compile(model, backend="canao")`.

Dynamo hands over graphs in which parameters and buffers are inputs. They are
fixed here, so that their packing and folding happen once; they are packed again
when one of them has changed since.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.fx import GraphModule

from canao.errors import UnsupportedModelError

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


_SAMPLES = 256
"""Elements of each weight that are looked at before each call."""


def _state(tensors: Sequence[torch.Tensor]) -> list[tuple[object, ...]]:
    """Changes when a tensor is replaced or written in place.

    Writes through `.data` are not counted by PyTorch: values spread over the
    tensor tell of those, as far as they change them.
    """
    return [
        (t.data_ptr(), -1 if t.is_inference() else t._version, _sample(t).tobytes())
        for t in tensors
    ]


def _sample(tensor: torch.Tensor) -> npt.NDArray[np.generic]:
    """Values at equal distances in a tensor, the first and the last among them."""
    flat = tensor.detach().reshape(-1)
    if not flat.numel():
        return np.empty(0)
    step = max(1, (flat.numel() - 1) // _SAMPLES)
    return torch.cat([flat[::step], flat[-1:]]).view(torch.uint8).numpy()


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

    def state_of(inputs: Sequence[Any]) -> list[tuple[object, ...]]:
        return _state([inputs[number] for number in model.fixed])

    model, compiled = build(example_inputs)
    state = state_of(example_inputs)

    def call(*inputs: Any) -> Any:
        nonlocal model, compiled, state
        now = state_of(inputs)
        if now != state:
            try:
                compiled.update_weights(FixedWeights(graph, inputs).eval())
            except UnsupportedModelError:
                model, compiled = build(inputs)
            state = now
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
