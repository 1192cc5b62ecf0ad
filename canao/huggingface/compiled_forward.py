"""Stands in for the `forward` of a model of transformers.

A call is of a *kind*: which tensors it has, of which dtypes, and which values besides, as
`output_attentions=True`. Each kind is compiled once, for every batch and length.
"""

from __future__ import annotations

import copy
import inspect
import threading
from collections.abc import Callable, Mapping
from functools import partial
from types import MethodType
from typing import Any

import torch
from torch import nn

from canao.compiled_model import CompiledModel
from canao.errors import ShapeMismatchError, UnsupportedModelError
from canao.frontend.auto_shapes import AutoShapes, DynamicShapes
from canao.frontend.module import inference_model, positional_names
from canao.frontend.tracing.dynamic_shapes import texts_a_row

CompileCall = Callable[[nn.Module, Mapping[str, Any], DynamicShapes], CompiledModel]
"""Compiles a model for calls like the one given, of every size that is asked for."""
CompileKind = Callable[[Mapping[str, Any], AutoShapes], CompiledModel]
"""The same of one model."""

Kind = tuple[tuple[str, str], ...]

_CACHE = "use_cache"


class CompiledForward:
    """Called as the `forward` of a model is, which has `signature`; takes and returns the same.

    A batch that is larger than what was compiled for has its kind compiled again, for twice as
    many, unless `shapes` names the largest. `compiled` is what is there already.
    """

    def __init__(
        self,
        signature: inspect.Signature,
        compile_kind: CompileKind,
        shapes: AutoShapes,
        compiled: Mapping[Kind, CompiledModel] | None = None,
    ) -> None:
        self.compiled: dict[Kind, CompiledModel] = dict(compiled or {})
        """What was compiled so far."""
        self.__signature__ = signature
        self._compile_kind = compile_kind
        self._shapes = shapes
        self._compiling = threading.Lock()

    @staticmethod
    def of(model: nn.Module, compile_call: CompileCall, shapes: AutoShapes) -> CompiledForward:
        """The compiled `forward` of a model, which stays as it is."""
        mine = inference_model(model)

        def compile_kind(given: Mapping[str, Any], shapes: AutoShapes) -> CompiledModel:
            tensors = _tensors(given)
            fixed = {name: value for name, value in given.items() if name not in tensors}
            return compile_call(_with_values(mine, fixed), tensors, shapes)

        return CompiledForward(inspect.signature(model.forward), compile_kind, shapes)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the compiled model, made now if no call was of this kind before."""
        given = self._given(args, kwargs)
        return self._compiled_for(given)(**_tensors(given))

    @property
    def parameters(self) -> tuple[str, ...]:
        """The names that positional arguments take, in order."""
        return positional_names(self.__signature__.parameters.values())

    def _given(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
        """The arguments of a call by name, without those that are None."""
        names = self.parameters
        if len(args) > len(names):
            raise ShapeMismatchError(
                f"expected at most {len(names)} inputs by position, got {len(args)}; pass them by "
                "name"
            )
        named = dict(zip(names, args, strict=False))
        twice = sorted(named.keys() & kwargs.keys())
        if twice:
            raise ShapeMismatchError(
                f"input '{twice[0]}' was given twice, by position and by name; give it once"
            )
        named |= kwargs
        given = {name: value for name, value in named.items() if value is not None}
        if _CACHE in self.__signature__.parameters:
            given.setdefault(_CACHE, False)
        return given

    def _compiled_for(self, given: Mapping[str, Any]) -> CompiledModel:
        kind = tuple(sorted((name, _described(name, value)) for name, value in given.items()))
        # How many texts a row has, as for multiple choice, does not vary in compiled code.
        if (texts := texts_a_row(given.values())) is not None:
            kind = (*kind, ("", f"{texts} texts a row"))
        with self._compiling:
            compiled = self.compiled.get(kind)
            if compiled is None or not self._has_room(compiled, given):
                compiled = self._compile_kind(given, self._shapes_for(given, compiled))
                self.compiled[kind] = compiled
            return compiled

    def _has_room(self, compiled: CompiledModel, given: Mapping[str, Any]) -> bool:
        """Whether a batch is no larger than asked for, or than what was compiled for."""
        return self._shapes.batch is not None or _batch(given) <= _largest_batch(compiled)

    def _shapes_for(self, given: Mapping[str, Any], before: CompiledModel | None) -> AutoShapes:
        if before is None:
            return self._shapes
        return AutoShapes(2 * _batch(given), self._shapes.sequence)


def _tensors(given: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    return {name: value for name, value in given.items() if isinstance(value, torch.Tensor)}


def _with_values(model: nn.Module, fixed: Mapping[str, Any]) -> nn.Module:
    """The model with values for some parameters: `torch.export` wants no others than tensors
    where sizes vary, if `**kwargs` takes them.
    """
    bound = copy.copy(model)
    # Bound to the copy: tracing restores what calls leave on the model that it is given.
    forward = vars(model).get("forward") or MethodType(type(model).forward, bound)
    vars(bound)["forward"] = partial(forward, **fixed)
    return bound


def _described(name: str, value: object) -> str:
    if isinstance(value, torch.Tensor):
        return f"{value.dtype} of {value.ndim} axes"
    if isinstance(value, bool | int | float | str):
        return repr(value)
    raise UnsupportedModelError(
        f"'{name}' is a {type(value).__module__}.{type(value).__qualname__}; compiled models of "
        "transformers take tensors, numbers and text: leave it out"
    )


def _batch(given: Mapping[str, Any]) -> int:
    """The first extent of the first tensor that has two: as `dynamic_shapes="auto"` takes it."""
    tensors = _tensors(given).values()
    return next((int(tensor.shape[0]) for tensor in tensors if tensor.ndim >= 2), 1)


def _largest_batch(compiled: CompiledModel) -> int:
    sizes = {symbol.name: symbol.high for symbol in compiled.convention.symbols}
    return sizes.get("batch", 1)
