"""Models as modules in evaluation mode: functions too, and models that are being trained."""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from torch import nn

from canao.errors import UnsupportedModelError


class FunctionModule(nn.Module):
    """A function as a module, which holds the modules that the function is bound to."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function
        bound = [getattr(function, "__self__", None)]
        for cell in getattr(function, "__closure__", None) or ():
            with suppress(ValueError):  # a name that has no value yet
                bound.append(cell.cell_contents)
        self.bound = nn.ModuleList(part for part in bound if isinstance(part, nn.Module))
        # Only the modes of the bound modules count, and they are not to change.
        self.training = self.bound.training = False

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the function returns."""
        return self.function(*args, **kwargs)


def as_module(model: object) -> nn.Module:
    """The module itself, or one that calls a function; an error for what is neither."""
    if isinstance(model, nn.Module):
        return model
    if isinstance(model, type) or not callable(model):
        raise UnsupportedModelError(
            f"a model is a module of PyTorch, an exported program, a function of tensors, or MLIR; "
            f"got {_described(model)}"
        )
    return FunctionModule(model)


def _described(model: object) -> str:
    if isinstance(model, type):
        return f"the class {model.__qualname__}: make a model of it"
    return f"a {type(model).__module__}.{type(model).__qualname__}"


def parameter_names(model: nn.Module) -> tuple[str, ...]:
    """The names that positional arguments of `model.forward` take."""
    return positional_names(_signature(model))


def positional_names(parameters: Iterable[inspect.Parameter]) -> tuple[str, ...]:
    """The names of those parameters of a function that take positional arguments."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    return tuple(p.name for p in parameters if p.kind in kinds)


def _signature(model: nn.Module) -> list[inspect.Parameter]:
    """The parameters of a function; none for a built-in one that does not tell."""
    function = model.function if isinstance(model, FunctionModule) else model.forward
    try:
        return list(inspect.signature(function).parameters.values())
    except ValueError:
        return []


def inference_model(model: nn.Module) -> nn.Module:
    """The model if it is in evaluation mode throughout, else a copy that is.

    Layers may merge or split their weights when their mode changes, as those of
    LoRA do: the caller's model keeps its modes, and they are never set.
    """
    if not any(module.training for module in model.modules()):
        return model
    if isinstance(model, FunctionModule):
        raise UnsupportedModelError(
            "the function calls a model in training mode; call eval() on that before compiling"
        )
    try:
        return copy.deepcopy(model).eval()
    except Exception as error:
        raise UnsupportedModelError(
            f"{type(model).__name__} is in training mode, and a copy in evaluation mode cannot be "
            f"made ({error}); call model.eval() before it is compiled"
        ) from error
