"""The controller's state as text: tensors as safetensors, the rest as JSON."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from canao.nas.controller.reinforce import Reinforce

_VERSION = 1
_MOMENTS = ("exp_avg", "exp_avg_sq", "step")


def state_of(learner: Reinforce) -> dict[str, Any]:
    """Everything that a learner must have to go on as if it had never stopped."""
    tensors = {f"controller.{n}": t for n, t in learner.controller.state_dict().items()}
    if learner.first is not None:
        tensors |= {f"first.{n}": t for n, t in learner.first.state_dict().items()}
    for number, state in learner.optimiser.state_dict()["state"].items():
        tensors |= {f"optimiser.{number}.{name}": state[name] for name in _MOMENTS}
    data = save({name: tensor.contiguous() for name, tensor in tensors.items()})
    return {
        "version": _VERSION,
        "absorbed": list(learner.absorbed),
        "tensors": base64.b64encode(data).decode("ascii"),
    }


def restore(learner: Reinforce, state: Mapping[str, Any]) -> bool:
    """Go on from a state; False, and nothing changed, if it is not one of this learner's."""
    try:
        if state["version"] != _VERSION:
            return False
        absorbed = [int(number) for number in state["absorbed"]]
        tensors = load(base64.b64decode(state["tensors"], validate=True))
        parts = _parts(tensors)
        _check(learner, parts)
    except (KeyError, TypeError, ValueError, RuntimeError, SafetensorError):
        return False
    learner.restore(parts["controller"], parts.get("first"), _moments(parts["optimiser"]))
    learner.absorbed = absorbed
    return True


def _parts(tensors: Mapping[str, Tensor]) -> dict[str, dict[str, Tensor]]:
    found: dict[str, dict[str, Tensor]] = {"controller": {}, "optimiser": {}}
    for name, tensor in tensors.items():
        part, _, rest = name.partition(".")
        found.setdefault(part, {})[rest] = tensor
    return found


def _check(learner: Reinforce, parts: Mapping[str, Mapping[str, Tensor]]) -> None:
    """`ValueError` unless the tensors are those of this controller."""
    wanted = {n: t.shape for n, t in learner.controller.state_dict().items()}
    for part in ("controller", "first"):
        if part in parts and {n: t.shape for n, t in parts[part].items()} != wanted:
            raise ValueError(f"the tensors of {part} are another controller's")


def _moments(tensors: Mapping[str, Tensor]) -> dict[int, dict[str, Tensor]]:
    found: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        number, _, moment = name.partition(".")
        found.setdefault(int(number), {})[moment] = torch.as_tensor(tensor)
    return found
