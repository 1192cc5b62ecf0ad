"""Weights that are computed from other weights: once, when a model is prepared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import utils
from torch.nn.utils import parametrizations, parametrize
from xdsl.context import Context
from xdsl.dialects import func

import canao
from canao.dialects.canao import LayerOp, WeightOp
from canao.errors import UnsupportedModelError
from canao.frontend.torch_import import import_model
from canao.transforms.canao_simplify import CanaoSimplifyPass
from canao.transforms.constants import constant_expressions
from canao.transforms.convert_torch_to_canao import ConvertTorchToCanaoPass
from canao.transforms.lp_fusion import LPFusionPass
from canao.transforms.outline_weights import OutlineWeightsPass

OPTIONS: dict[str, Any] = {"tune": "off", "threads": 1}


class Symmetric(nn.Module):
    def forward(self, weight: torch.Tensor) -> torch.Tensor:
        return weight.triu() + weight.triu(1).transpose(-1, -2)


def _symmetric(layer: nn.Linear) -> nn.Module:
    parametrize.register_parametrization(layer, "weight", Symmetric())
    return layer


_ALL: Any = None
"""What stands for all dimensions, which its type does not say."""

_CASES: dict[str, Callable[[nn.Linear], Any]] = {
    "weight norm": parametrizations.weight_norm,
    "weight norm by a hook": utils.weight_norm,
    "one norm for all": lambda layer: utils.weight_norm(layer, dim=_ALL),
    "spectral norm": parametrizations.spectral_norm,
    "spectral norm by a hook": utils.spectral_norm,
    "orthogonal by exponential": lambda layer: parametrizations.orthogonal(
        layer, orthogonal_map="matrix_exp"
    ),
    "orthogonal by Householder": lambda layer: parametrizations.orthogonal(
        layer, orthogonal_map="householder"
    ),
    "any": _symmetric,
}


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize("case", list(_CASES))
def test_nothing_of_weights_alone_is_left_at_run_time(case: str) -> None:
    """Layers hold what plain weights would have them hold."""
    torch.manual_seed(0)
    model = _CASES[case](nn.Linear(8, 8)).eval()
    x = torch.randn(4, 8)
    layers: list[list[str]] = []
    for module in (model, nn.Linear(8, 8).eval()):
        imported = import_model(module, (x,))
        context = Context(allow_unregistered=True)
        for step in (
            ConvertTorchToCanaoPass(),
            CanaoSimplifyPass(),
            LPFusionPass(),
            OutlineWeightsPass(),
        ):
            step.apply(context, imported.module)
        functions = {f.sym_name.data: f for f in imported.module.ops if isinstance(f, func.FuncOp)}
        block = functions["main"].body.block
        fixed = {v for v in constant_expressions(block) if not isinstance(v.owner, WeightOp)}
        assert not fixed
        layers.append([op.name for op in block.walk() if op.name.startswith("canao.")])
        assert sum(isinstance(op, LayerOp) for op in block.ops) == 1
    assert layers[0] == layers[1]


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_results_are_those_of_pytorch() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(*(make(nn.Linear(8, 8)) for make in _CASES.values())).eval()
    x = torch.randn(4, 8)
    compiled = canao.compile(model, (x,), **OPTIONS)
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), model(x), rtol=1e-4, atol=1e-5)


def test_new_numbers_are_taken_where_code_computes_them_and_refused_elsewhere() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 8)
    normed: Any = parametrizations.weight_norm(nn.Linear(8, 6)).eval()
    compiled = canao.compile(normed, (x,), **OPTIONS)
    for parameter in normed.parameters():
        parameter.data.mul_(1.5)
    compiled.update_weights(normed)
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), normed(x), rtol=1e-4, atol=1e-5)
    turned: Any = parametrizations.orthogonal(nn.Linear(8, 6)).eval()
    compiled = canao.compile(turned, (x,), **OPTIONS)
    compiled.update_weights(turned)
    turned.parametrizations.weight.original.data.mul_(1.5).add_(0.1)
    with pytest.raises(UnsupportedModelError, match="original' has changed"):
        compiled.update_weights(turned)


def test_an_exported_program_stays_as_it_is() -> None:
    torch.manual_seed(0)
    x = torch.randn(4, 8)
    model: Any = parametrizations.orthogonal(nn.Linear(8, 6)).eval()
    program = torch.export.export(model, (x,))
    before = str(program.graph), len(program.graph_signature.input_specs), set(program.constants)
    import_model(program, None)
    after = str(program.graph), len(program.graph_signature.input_specs), set(program.constants)
    assert after == before
