"""`torch.compile(model, backend="canao")`.

Dynamo hands over graphs in which parameters and buffers are inputs. They are
fixed here, so that their packing and folding happen once; they are packed again
when one of them has changed since. Where dynamo lets sizes vary, the compiled
model serves all of them up to a limit, and is compiled again for a larger one when
a call asks for more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import TYPE_CHECKING, Any

import torch
from torch.fx import GraphModule

from canao.errors import UnsupportedModelError
from canao.frontend.dynamo_graph import FixedWeights, Varying
from canao.frontend.weight_watch import WeightWatch

_guards: Any = import_module("torch._guards")

if TYPE_CHECKING:
    from canao.compiled_model import CompiledModel


def canao_backend(
    graph: GraphModule, example_inputs: Sequence[Any], *, options: Mapping[str, Any] | None = None
) -> Callable[..., Any]:
    """Compile a graph of dynamo; `options` are arguments of `canao.compile`.

    There is no fallback: what cannot be compiled is an error.
    """
    _check_gradients(graph, example_inputs)
    from canao.api import compile as compile_model

    def build(inputs: Sequence[Any], varying: Varying) -> tuple[FixedWeights, CompiledModel]:
        model = FixedWeights(graph, inputs).eval()
        free = tuple(inputs[number] for number in model.free)
        asked: dict[str, Any] = {"dynamic_shapes": varying.dynamic_shapes(model.free)}
        asked |= options or {}
        # Else export would write what it learns of sizes into what dynamo guards.
        with _guards.tracing(None):
            return model, compile_model(model, (free,), **asked)

    def weights_of(inputs: Sequence[Any]) -> list[torch.Tensor]:
        return [inputs[number] for number in model.fixed]

    varying = Varying.of(graph, example_inputs)
    model, compiled = build(example_inputs, varying)
    watch = WeightWatch(weights_of(example_inputs))

    def call(*inputs: Any) -> Any:
        nonlocal model, compiled, watch, varying
        if not (varying.has_room(inputs) and model.has_numbers(inputs)):
            varying = Varying.of(graph, inputs)
            watch = WeightWatch(weights_of(inputs))
            model, compiled = build(inputs, varying)
        if watch.has_changed(weights_of(inputs)):
            watch = WeightWatch(weights_of(inputs))
            try:
                compiled.update_weights(FixedWeights(graph, inputs).eval())
            except UnsupportedModelError:
                model, compiled = build(inputs, varying)
        return compiled(tuple(inputs[number] for number in model.free))

    return call


def _check_gradients(graph: GraphModule, inputs: Sequence[Any]) -> None:
    grad = [v for v in inputs if isinstance(v, torch.Tensor) and v.requires_grad]
    if torch.is_grad_enabled() and (grad or any(p.requires_grad for p in graph.parameters())):
        raise UnsupportedModelError(
            "the canao backend computes no gradients; call the model under torch.no_grad() or "
            "torch.inference_mode()"
        )
