"""Results that would be wrong or missing are refused, or are what PyTorch gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from unit.frontend.operators.oracle import check_equal, run

from canao.errors import UnsupportedOpError
from canao.frontend.torch_import import import_model


class Pooled(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return nn.functional.avg_pool1d(x, 2)


class Normed(nn.Module):
    def forward(self, x: torch.Tensor, w: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return torch.ops.aten.native_batch_norm(x, w, w, w, w, False, 0.1, 1e-5)


def test_averages_of_integers() -> None:
    with pytest.raises(UnsupportedOpError, match="averages of integers are not"):
        import_and_run(Pooled(), torch.arange(24).reshape(1, 3, 8))


def test_statistics_of_a_batch_norm_in_inference_are_empty() -> None:
    x, w = torch.randn(2, 5, 4), torch.rand(5)
    found = import_and_run(Normed(), x, w)
    assert [tuple(t.shape) for t in found] == [(2, 5, 4), (0,), (0,)]
    check_equal(found, Normed()(x, w))


def import_and_run(model: nn.Module, *inputs: torch.Tensor) -> Any:
    return run(import_model(model.eval(), inputs), *inputs)
