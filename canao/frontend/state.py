"""Which of a model's tensors a compiled model was made from, and how they are read again."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from canao.dialects.canao.names import ascii_name, shown_name
from canao.errors import UnsupportedModelError
from canao.frontend.dtypes import Array, dtype_name
from canao.frontend.weights import WeightStore, array_of

if TYPE_CHECKING:
    import torch
    from torch import nn

_AGAIN = "compile the model again"


@dataclass(frozen=True)
class ModelState:
    """What a compiled model took from the parameters, buffers and constants of its model."""

    weights: Mapping[str, tuple[tuple[int, ...], str]]
    """Shape and dtype, the model's, of each parameter and buffer that is used, by its name."""
    ties: Mapping[str, str]
    """Names that stood for the memory of another one."""
    folded: Mapping[str, Array]
    """Buffers whose values became part of the code, and weights that others were made from."""
    constants: Mapping[str, Array]
    """Tensors that are no parameters or buffers: a model keeps those it was compiled with."""

    adapters: Mapping[str, str]
    """Which adapters of PEFT were active and merged, by the names of the modules that have some."""

    @staticmethod
    def of(store: WeightStore, state: frozenset[str], model: nn.Module) -> ModelState:
        """What `store` took from a model.

        `state` are the names in the store that stand for such a tensor. Exporting
        keeps one name of several that a tensor has.
        """
        tensors = tensors_of(model)
        shapes = {n: (a.shape, store.dtype_of(n)) for n, a in store.items() if n in state}
        constants = {name: array.copy() for name, array in store.items() if name not in state}
        folded = {name: array for name, array in store.folded.items() if name in state}
        kept = {id(tensors[name]): name for name in shapes if name in tensors}
        same = {n: kept[id(t)] for n, t in tensors.items() if n not in shapes and id(t) in kept}
        return ModelState(shapes, {**same, **store.ties}, folded, constants, adapters_of(model))

    def read(self, model: object) -> dict[str, Array]:
        """The weights of another state of the model, under the names that it was compiled with.

        Raises `UnsupportedModelError` where the compiled code would not fit it:
        other adapters, another shape or dtype, a tie that is none any more, a folded weight that
        has changed.
        """
        from canao.frontend.module import as_module, inference_model

        module = inference_model(as_module(model))
        _check(
            adapters_of(module) == self.adapters,
            "other adapters are active or merged than when it was compiled",
        )
        tensors = tensors_of(module)
        found = {name: self._weight(name, tensors) for name in self.weights}
        for name, kept in self.ties.items():
            if kept in found and name in tensors:
                same = _same(array_of(name, tensors[name]), found[kept])
                both = f"'{shown_name(name)}' and '{shown_name(kept)}'"
                _check(
                    same,
                    f"{both} were one tensor, and are not now",
                )
        for name, value in self.folded.items():
            changed = name in tensors and not _same(array_of(name, tensors[name]), value)
            _check(
                not changed,
                f"'{shown_name(name)}' has changed, and its values are in the code",
            )
        return found | dict(self.constants)

    def _weight(self, name: str, tensors: Mapping[str, torch.Tensor]) -> Array:
        _check(name in tensors, f"there is no parameter or buffer '{shown_name(name)}'")
        array, (shape, dtype) = array_of(name, tensors[name]), self.weights[name]
        now = dtype_name(tensors[name])
        _check(
            (array.shape, now) == (shape, dtype),
            f"weight '{shown_name(name)}' was {dtype} of shape {shape}, and is {now} "
            f"of shape {array.shape}",
        )
        return array


def tensors_of(model: nn.Module) -> dict[str, torch.Tensor]:
    """The parameters and buffers of a model under all of their names, as the IR has these."""
    tensors = {
        **dict(model.named_parameters(remove_duplicate=False)),
        **dict(model.named_buffers(remove_duplicate=False)),
    }
    return {ascii_name(name): tensor for name, tensor in tensors.items()}


def adapters_of(model: nn.Module) -> dict[str, str]:
    """The settings of the adapters of PEFT in a model: code is made for them as they are."""
    layer = getattr(sys.modules.get("peft.tuners.tuners_utils"), "BaseTunerLayer", None)
    if not isinstance(layer, type):
        return {}
    settings = ("active_adapters", "merged_adapters", "disable_adapters", "scaling")
    return {
        name: repr([getattr(module, setting, None) for setting in settings])
        for name, module in model.named_modules()
        if isinstance(module, layer)
    }


def _same(one: Array, other: Array) -> bool:
    return one.dtype == other.dtype and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise UnsupportedModelError(f"the weights cannot be updated: {what}; {_AGAIN}")
