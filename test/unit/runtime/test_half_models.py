"""Models compiled with `dtype="float16"`: what is stored, saved, exported, tuned and said."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel
from unit.lowering.opencl_support import chosen_device
from unit.runtime.test_opencl_models import Dense, target

import canao
from canao.building.cache import Cache
from canao.errors import CanaoError
from canao.tuning.database import Database

HALF = 2.0**-11
"""How much storing a number as a half changes it at most, over the number."""
X = torch.linspace(-2, 2, 7 * 24).reshape(7, 24)


class TwoLayers(torch.nn.Module):
    """A layer, another one, and so a tensor between them."""

    def __init__(self) -> None:
        super().__init__()
        self.first = Dense()
        self.last = torch.nn.Linear(40, 24)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.last(self.first(x))


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("half-cache")


@pytest.fixture(scope="module")
def model() -> TwoLayers:
    torch.manual_seed(0)
    return TwoLayers().eval()


def compiled_as(
    model: torch.nn.Module, dtype: str, cache_dir: Path, tune: canao.api.Tune = "off"
) -> canao.CompiledModel:
    return canao.compile(model, (X,), target=target(), tune=tune, dtype=dtype, cache_dir=cache_dir)


@pytest.fixture(scope="module")
def compiled(model: TwoLayers, cache_dir: Path) -> canao.CompiledModel:
    return compiled_as(model, "float16", cache_dir)


def test_results(model: TwoLayers, compiled: canao.CompiledModel) -> None:
    """Weights, what the norm makes and the last weights are rounded: three times `HALF`.

    The norm divides by a deviation near one, and the sums of the last layer have
    terms of both signs: their sizes add up to some five times the largest result.
    """
    with torch.inference_mode():
        expected = model(X)
    difference = (compiled(X) - expected).abs().max().item()
    assert 0 < difference <= 15 * HALF * expected.abs().max().item()
    assert compiled(X).dtype == torch.float32


def test_sizes_and_report(model: TwoLayers, compiled: canao.CompiledModel, cache_dir: Path) -> None:
    plain = compiled_as(model, "float32", cache_dir)
    assert {spec.dtype for spec in compiled.program.weights} == {"float16"}
    report, other = compiled.report, plain.report
    assert (report.dtype, other.dtype) == ("float16", "float32")
    assert report.fallbacks == 0
    assert "float16" in str(report)
    assert compiled.measure(runs=2, warmup=0).dtype == "float16"
    halved = sum(spec.bytes for spec in compiled.program.weights)
    assert 2 * halved == sum(spec.bytes for spec in plain.program.weights)
    outside = 2 * 4 * X.numel()
    assert report.peak_bytes == outside + halved + compiled.program.arena_bytes
    alignment = chosen_device().alignment
    # 7 rows of 40 numbers twice, before and after the norm, in both cases alone in the arena.
    assert (compiled.program.arena_bytes, plain.program.arena_bytes) == tuple(
        2 * (-(-7 * 40 * size // alignment) * alignment) for size in (2, 4)
    )
    assert report.transfer_bytes == other.transfer_bytes == outside


def test_saved_and_loaded(compiled: canao.CompiledModel, tmp_path: Path) -> None:
    compiled.save(tmp_path / "model")
    loaded = canao.load(tmp_path / "model")
    assert torch.equal(loaded(X), compiled(X))
    assert loaded.dtype == "float16"


def test_exported(compiled: canao.CompiledModel, tmp_path: Path, drivers: Path) -> None:
    path = compiled.export(tmp_path / "program")
    subprocess.run(["make", "-C", str(path), "CFLAGS=-O0"], check=True)
    X.numpy().tofile(path / "in0.bin")
    environment = {**os.environ, "OCL_ICD_VENDORS": str(drivers)}
    command = [str(path / "model"), str(path / "in0.bin"), str(path / "out0.bin")]
    subprocess.run(command, check=True, env=environment)
    found = np.fromfile(path / "out0.bin", np.float32).reshape(7, 24)
    np.testing.assert_array_equal(found, compiled(X).numpy())
    sizes = sum(spec.bytes for spec in compiled.program.weights)
    assert sizes <= (path / "weights.bin").stat().st_size < 2 * sizes


def test_bfloat16(model: TwoLayers, cache_dir: Path, tmp_path: Path) -> None:
    """Weights of a range as wide as float32's, saved and loaded as they lie in memory."""
    compiled = compiled_as(model, "bfloat16", cache_dir)
    compiled.save(tmp_path / "model")
    loaded = canao.load(tmp_path / "model")
    with torch.inference_mode():
        expected = model(X)
    difference = (compiled(X) - expected).abs().max().item()
    assert 0 < difference <= 15 * 2.0**-8 * expected.abs().max().item()
    assert torch.equal(loaded(X), compiled(X))
    assert (loaded.dtype, loaded.report.dtype) == ("bfloat16", "bfloat16")
    assert {spec.dtype for spec in loaded.program.weights} == {"bfloat16"}


@pytest.mark.slow
def test_tuned_apart(tmp_path: Path) -> None:
    """What was measured with halves says nothing about float32, and the reverse."""
    wide, x = torch.nn.Linear(256, 192).eval(), torch.randn(96, 256)
    for dtype in ("bfloat16", "float16", "float32"):
        tuned = canao.compile(wide, (x,), target=target(), dtype=dtype, cache_dir=tmp_path)
        (kernel,) = tuned.program.kernels
        assert len(kernel.variants_tried) > 1
        with torch.inference_mode():
            tolerance = {"float32": 1e-5, "float16": HALF, "bfloat16": 8 * HALF}[dtype]
            bound = tolerance * (x.abs() @ wide.weight.abs().T + wide.bias.abs())
            assert ((tuned(x) - wide(x)).abs() <= 1.01 * bound).all()
    database = Database(Cache(tmp_path))
    assert sorted(record.key.dtype for record in database.records()) == [
        "bfloat16",
        "float16",
        "float32",
    ]
    database.close()


TINY = BertConfig(
    vocab_size=97,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=4,
    intermediate_size=64,
    max_position_embeddings=24,
)


def test_tiny_bert(cache_dir: Path) -> None:
    """Both layers store four tensors one after another, after an embedding: nine roundings,
    and as many of the weights that make them; norms keep all numbers of one size."""
    torch.manual_seed(1)
    bert = BertModel(TINY).eval()
    ids = torch.randint(0, 97, (2, 17))
    mask = torch.ones_like(ids)
    mask[1, 9:] = 0
    inputs = {"input_ids": ids, "attention_mask": mask}
    compiled = canao.compile(
        bert, inputs, target=target(), dtype="float16", tune="off", cache_dir=cache_dir
    )
    with torch.inference_mode():
        expected = bert(**inputs).last_hidden_state
    found = compiled(**inputs).last_hidden_state
    assert torch.isfinite(found).all()
    assert (found - expected).abs().max() <= 18 * HALF * expected.abs().max()
    assert compiled.report.fallbacks == 0


# ------------------------------------------------------------------- errors


def test_code_in_c_has_no_narrow_memory(model: TwoLayers, tmp_path: Path) -> None:
    with pytest.raises(CanaoError, match=r"code in C does not have; give target=\"opencl\""):
        canao.compile(model, (X,), dtype="float16", cache_dir=tmp_path)


def test_fast_products_are_float32(model: TwoLayers, tmp_path: Path) -> None:
    with pytest.raises(CanaoError, match="leave one of them out"):
        canao.compile(
            model, (X,), target=target(), dtype="float16", fusion="fast", cache_dir=tmp_path
        )


def test_unknown_dtype(model: TwoLayers, tmp_path: Path) -> None:
    with pytest.raises(CanaoError, match="choose one of 'float32', 'float16', 'bf"):
        canao.compile(model, (X,), target=target(), dtype="float8", cache_dir=tmp_path)
