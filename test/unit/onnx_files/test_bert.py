"""BERT as PyTorch exports it, by both of its exporters, beside onnxruntime."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from unit.onnx_files.handmade import Array, assert_same, onnxruntime_results

import canao

_NAMES = ("input_ids", "attention_mask")
_RESULTS = ("last_hidden_state", "pooler_output")
_EXPORTERS = (False, pytest.param(True, marks=pytest.mark.slow))
_KERNELS = {"embedding_layer_norm_32", "linear_gelu_32x40", "linear_32x96"}
"""Layers that a BERT has from PyTorch, too."""


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


class _Bert(torch.nn.Module):
    """Takes two inputs by position, and gives a tuple: what both exporters can write.

    The older exporter writes the masks of transformers as lookups in all batches and lengths
    joined, which is not compiled where these vary; `adds` makes a mask of numbers to add.
    """

    def __init__(self, config: transformers.BertConfig, adds: bool) -> None:
        super().__init__()
        self.bert = transformers.BertModel(config)
        self.adds = adds

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        if self.adds:
            mask = (1.0 - mask[:, None, None, :].float()) * torch.finfo(torch.float32).min
        found = self.bert(input_ids=ids, attention_mask=mask)
        return found.last_hidden_state, found.pooler_output


def _bert(adds: bool) -> torch.nn.Module:
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=100,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=40,
        max_position_embeddings=64,
    )
    return _Bert(config, adds).eval()


def _inputs(batch: int, length: int) -> dict[str, Array]:
    random = np.random.default_rng(batch * 100 + length)
    mask = np.ones((batch, length), np.int64)
    mask[0, max(1, length // 2) :] = 0
    return {"input_ids": random.integers(0, 100, (batch, length)), "attention_mask": mask}


def _exported(folder: Path, *, dynamo: bool, dynamic: bool) -> Path:
    path = folder / f"bert_{dynamo}_{dynamic}.onnx"
    example = tuple(torch.from_numpy(array) for array in _inputs(2, 8).values())
    options: dict[str, Any] = {}
    if dynamic and dynamo:
        batch, sequence = torch.export.Dim("batch", max=32), torch.export.Dim("sequence", max=64)
        options["dynamic_shapes"] = ({0: batch, 1: sequence},) * 2
    elif dynamic:
        options["dynamic_axes"] = {name: {0: "batch", 1: "sequence"} for name in _NAMES}
    if not dynamo:
        options["opset_version"] = 17
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _bert(dynamic and not dynamo),
            example,
            path,
            dynamo=dynamo,
            input_names=list(_NAMES),
            output_names=list(_RESULTS),
            **options,
        )
    return path


def _compile(path: Path, cache: Path, *args: Any, **options: Any) -> canao.CompiledModel:
    return canao.compile(path, *args, tune="off", threads=1, cache_dir=cache, **options)


@pytest.mark.parametrize("dynamo", _EXPORTERS)
def test_fixed_shapes(dynamo: bool, tmp_path: Path, cache: Path) -> None:
    path = _exported(tmp_path, dynamo=dynamo, dynamic=False)
    compiled = _compile(path, cache)
    inputs = _inputs(2, 8)
    assert_same(compiled(**inputs), onnxruntime_results(path, inputs))
    assert compiled.report.fallbacks == 0
    assert {kernel.name for kernel in compiled.report.kernels} >= _KERNELS
    compiled.close()


@pytest.mark.parametrize("dynamo", _EXPORTERS)
def test_every_batch_and_length(dynamo: bool, tmp_path: Path, cache: Path) -> None:
    path = _exported(tmp_path, dynamo=dynamo, dynamic=True)
    compiled = _compile(path, cache, dynamic_shapes=canao.AutoShapes(batch=3, sequence=64))
    names = [(symbol.name, symbol.low, symbol.high) for symbol in compiled.convention.symbols]
    assert names == [("batch", 1, 3), ("sequence", 1, 64)]
    for batch, length in [(1, 1), (2, 8), (3, 64), (1, 17), (3, 1)]:
        inputs = _inputs(batch, length)
        found = compiled(*(torch.from_numpy(array) for array in inputs.values()))
        assert_same(found, onnxruntime_results(path, inputs))
    compiled.close()


def test_an_example_fixes_what_varies(tmp_path: Path, cache: Path) -> None:
    path = _exported(tmp_path, dynamo=False, dynamic=True)
    inputs = _inputs(1, 5)
    compiled = _compile(path, cache, inputs)
    assert not compiled.convention.symbols
    assert_same(compiled(**inputs), onnxruntime_results(path, inputs))
    with pytest.raises(canao.ShapeMismatchError, match=r"must have shape \(1, 5\)"):
        compiled(**_inputs(1, 6))
    compiled.close()
