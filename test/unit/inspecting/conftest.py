"""Models to look at: one whose shapes vary, one with names that are not meant well."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import nn

import canao
from canao.inspecting.inspection import Inspection, inspect_model

HOSTILE = '<script>alert("1")</script>'
"""The name of a model, and part of the name of a weight and of a file."""

_MLIR = f"""
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x6xf32> {{
  %w = canao.weight "{HOSTILE.replace('"', "'")}.dense.weight" : tensor<8x6xf32>
  %b = canao.weight "a/b;c.dense.bias" : tensor<6xf32>
  %y = canao.matmul %x, %w : (tensor<4x8xf32>, tensor<8x6xf32>) -> tensor<4x6xf32>
  %z = canao.add %y, %b : (tensor<4x6xf32>, tensor<6xf32>) -> tensor<4x6xf32>
  %s = canao.softmax %z axis 1 : (tensor<4x6xf32>) -> tensor<4x6xf32>
  func.return %s : tensor<4x6xf32>
}}
"""


class _Attention(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.query, self.key, self.value = (nn.Linear(8, 8) for _ in range(3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.query(x) @ self.key(x).transpose(-1, -2) * 0.125
        return torch.softmax(scores, -1) @ self.value(x)


class _Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attention = _Attention()
        self.up, self.down = nn.Linear(8, 16), nn.Linear(16, 8)
        self.norm = nn.LayerNorm(8)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = x + self.attention(x)
        return self.norm(x + self.down(nn.functional.gelu(self.up(x))))


class Encoder(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList([_Block(), _Block()])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            x = block(x)
        return x


@pytest.fixture(scope="session")
def encoder() -> canao.CompiledModel:
    """Two blocks, for batches of up to 3 sequences of up to 20; compiled for 2 of 5."""
    batch, rows = (torch.export.Dim(n, min=1, max=m) for n, m in (("batch", 3), ("sequence", 20)))
    return canao.compile(
        Encoder().eval(),
        (torch.zeros(2, 5, 8),),
        dynamic_shapes=({0: batch, 1: rows},),
        threads=1,
        tune="off",
    )


@pytest.fixture(scope="session")
def inspected(encoder: canao.CompiledModel) -> Inspection:
    return inspect_model(encoder, "encoder")


@pytest.fixture(scope="session")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Inspection:
    path = tmp_path_factory.mktemp("hostile") / "model.mlir"
    path.write_text(_MLIR)
    name = HOSTILE.replace('"', "'")
    weights = {
        f"{name}.dense.weight": np.ones((8, 6), np.float32),
        "a/b;c.dense.bias": np.ones(6, np.float32),
    }
    save_file(weights, path.with_suffix(".safetensors"))
    return inspect_model(canao.compile(Path(path), threads=1, tune="off"), HOSTILE)
