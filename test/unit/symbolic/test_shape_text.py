"""Shapes that multiply symbols, which xDSL's affine maps cannot."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.export import Dim

import canao
from canao import UnsupportedModelError
from canao.extent import Symbol, extent_of
from canao.frontend.shape_maps import quote_products
from canao.transforms.convert_torch_to_canao.symbolic_shapes import evaluated_text

_BATCH, _ROWS = (extent_of(Symbol(name, 1, 8)) for name in ("batch", "rows"))


def test_only_products_are_quoted() -> None:
    text = """#map = affine_map<()[s0] -> (s0, 2 * s0 + 1)>
#map1 = affine_map<()[s0, s1] -> (s0 * s1, 32)>
#map2 = affine_map<()[s0, s1] -> ((s0 + 1) * s1)>
#map3 = affine_map<()[s0] -> (s0 * 4, s0)>
module {}"""
    assert quote_products(text).splitlines() == [
        "#map = affine_map<()[s0] -> (s0, 2 * s0 + 1)>",
        '#map1 = "s0 * s1, 32"',
        '#map2 = "(s0 + 1) * s1"',
        "#map3 = affine_map<()[s0] -> (s0 * 4, s0)>",
        "module {}",
    ]


def test_products_are_evaluated() -> None:
    found = evaluated_text("s0 * s1, 32, (s1 + 1) * s0 - 2, (s0 * 6) floordiv 3", [_BATCH, _ROWS])
    wanted = [_BATCH * _ROWS, 32, _BATCH * _ROWS + _BATCH - 2, 2 * _BATCH]
    assert found == wanted


@pytest.mark.parametrize("text", ["s0 ** 2", "s0(", "import os", "abs(s0)", "s0 if s1 else 2"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedModelError, match="a shape is"):
        evaluated_text(text, [_BATCH, _ROWS])


class Joined(nn.Module):
    """A product of all rows of all batches, given back as that or apart."""

    def __init__(self, apart: bool) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.apart, self.dense = apart, nn.Linear(6, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[batch, rows, 6] -> [batch, rows, 10], or [batch * rows, 10]."""
        made = torch.tanh(self.dense(x.view(-1, 6)))
        return made.view(x.shape[0], x.shape[1], 10) if self.apart else made


_DIMS = ({0: Dim("batch", min=1, max=4), 1: Dim("rows", min=1, max=20)},)


@pytest.mark.parametrize("sizes", [(1, 1), (4, 20), (3, 7)])
def test_rows_are_joined_and_come_apart_again(sizes: tuple[int, int]) -> None:
    model = Joined(apart=True)
    compiled = canao.compile(model, (torch.randn(2, 5, 6),), tune="off", dynamic_shapes=_DIMS)
    x = torch.randn(*sizes, 6)
    torch.testing.assert_close(compiled(x), model(x), rtol=1e-5, atol=1e-6)


def test_rows_that_stay_joined_are_refused() -> None:
    with pytest.raises(UnsupportedModelError, match="fixed shapes"):
        canao.compile(
            Joined(apart=False), (torch.randn(2, 5, 6),), tune="off", dynamic_shapes=_DIMS
        )
