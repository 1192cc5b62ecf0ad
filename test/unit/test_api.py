"""compile, load and the errors of wrong calls, on small models."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from torch import nn

import canao
from canao.building import toolchain
from canao.machine.target import available_cores
from canao.tuning.choose_threads import Timer


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Linear(32, 64)
        self.down = nn.Linear(64, 32)
        self.norm = nn.LayerNorm(32)

    def forward(self, x: torch.Tensor, scale: torch.Tensor) -> dict[str, torch.Tensor]:
        y = self.norm(x + self.down(nn.functional.gelu(self.up(x))))
        return {"y": y * scale, "sum": y.sum(-1)}


X = torch.randn(9, 32, generator=torch.Generator().manual_seed(1))
SCALE = torch.full((1,), 0.5)


@pytest.fixture(scope="module")
def block() -> Block:
    torch.manual_seed(0)
    return Block().eval()


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def compiled(block: Block, cache_dir: Path) -> canao.CompiledModel:
    return canao.compile(block, (X, SCALE), threads=2, tune="off", cache_dir=cache_dir)


def check(model: Any, block: Block) -> None:
    with torch.no_grad():
        expected = block(X, SCALE)
        torch.testing.assert_close(model(X, scale=SCALE), expected, rtol=1e-5, atol=1e-5)


def test_results(compiled: canao.CompiledModel, block: Block) -> None:
    check(compiled, block)


def test_report(compiled: canao.CompiledModel) -> None:
    report = compiled.report
    assert report.fallbacks == 0
    assert 0 < report.layers_after <= report.layers_before
    assert report.flops >= 2 * 2 * 9 * 32 * 64
    assert {"export", "import", "build", "weights"} <= set(report.compile_seconds)
    assert {"torch", "canao", "simplified", "fused", "affine", "c"} <= set(compiled.stages)
    assert "torch.aten" in compiled.ir("torch")
    assert "canao.matmul" in compiled.ir("simplified")
    assert "canao_run" in compiled.source


def test_a_second_compile_comes_from_the_cache(block: Block, cache_dir: Path) -> None:
    canao.compile(block, (X, SCALE), threads=2, tune="off", cache_dir=cache_dir)
    stages: list[str] = []
    again = canao.compile(
        block, (X, SCALE), threads=2, tune="off", cache_dir=cache_dir, progress=stages.append
    )
    check(again, block)
    assert "lowering from cache" in again.compile_seconds
    assert again.compile_seconds["build"] < 0.1
    assert "canao.matmul" in again.ir("simplified")
    assert "build" in stages


def test_new_weights_use_the_same_code(block: Block, cache_dir: Path) -> None:
    torch.manual_seed(5)
    other = Block().eval()
    model = canao.compile(other, (X, SCALE), threads=2, tune="off", cache_dir=cache_dir)
    check(model, other)


def test_damaged_cache_entries_are_made_again(block: Block, tmp_path: Path) -> None:
    canao.compile(block, (X, SCALE), tune="off", cache_dir=tmp_path)
    for path in (tmp_path / "v1" / "entries").rglob("*"):
        if path.is_file():
            path.unlink()  # the library is loaded: its pages must stay as they are
            path.write_bytes(b"damaged")
    check(canao.compile(block, (X, SCALE), tune="off", cache_dir=tmp_path), block)


def test_save_and_load_in_another_process(
    compiled: canao.CompiledModel, block: Block, tmp_path: Path
) -> None:
    path = compiled.save(tmp_path / "saved")
    check(canao.load(path), block)
    torch.save({"x": X, "scale": SCALE, "y": compiled(X, SCALE)["y"]}, tmp_path / "io.pt")
    program = (
        "import sys, torch, canao\n"
        "io = torch.load(sys.argv[2])\n"
        "model = canao.load(sys.argv[1])\n"
        "assert torch.equal(model(io['x'], io['scale'])['y'], io['y'])\n"
        "assert 'torch_mlir' not in sys.modules and 'xdsl' not in sys.modules\n"
    )
    root = str(Path(canao.__file__).parent.parent)
    subprocess.run(
        [sys.executable, "-c", program, str(path), str(tmp_path / "io.pt")],
        env={**os.environ, "PYTHONPATH": root},
        check=True,
    )


def test_a_narrower_vector_unit(block: Block, cache_dir: Path) -> None:
    host = canao.Target.host()
    narrow = canao.Target(host.triple, tuple(f for f in host.features if "avx512" not in f))
    model = canao.compile(block, (X, SCALE), target=narrow, tune="off", cache_dir=cache_dir)
    check(model, block)
    assert "avx512f" not in model.cpu_flags


@pytest.mark.parametrize("threads", [1, 3])
def test_threads(block: Block, cache_dir: Path, threads: int) -> None:
    model = canao.compile(block, (X, SCALE), threads=threads, tune="off", cache_dir=cache_dir)
    check(model, block)
    assert model.measure(runs=3, warmup=1).threads == threads
    assert str(model.thread_choice) == f"{threads}, asked for"


def test_threads_without_measuring(block: Block, cache_dir: Path) -> None:
    model = canao.compile(block, (X, SCALE), tune="off", cache_dir=cache_dir)
    assert (model.threads, model.thread_choice.reason) == (available_cores(), "physical cores")


@pytest.mark.parametrize("fastest", [1, 2])
def test_the_fastest_number_of_threads(
    block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fastest: int
) -> None:
    def best_times(examples: Sequence[object]) -> Timer:
        assert len(examples) == 2
        return lambda candidate, counts: {n: 1.0 if n == fastest else 2.0 for n in counts}

    monkeypatch.setattr("canao.compiling.compile_model.available_cores", lambda: 2)
    monkeypatch.setattr("canao.compiling.compile_model.best_times", best_times)
    model = canao.compile(block, (X, SCALE), tune="default", cache_dir=tmp_path / "cache")
    assert (model.threads, model.program.threads) == (fastest, fastest)
    assert model.thread_choice.reason == "measured"
    assert model.thread_choice.ms["1"] == (1.0 if fastest == 1 else 2.0)
    assert "choosing threads" in model.compile_seconds
    torch.testing.assert_close(model(X, SCALE), block(X, SCALE))
    loaded = canao.load(model.save(tmp_path / "saved"))
    assert loaded.thread_choice == model.thread_choice
    assert canao.load(tmp_path / "saved", threads=1).thread_choice.reason == "asked for"
    again = canao.compile(block, (X, SCALE), tune="default", cache_dir=tmp_path / "cache")
    assert (again.threads, again.thread_choice.reason) == (fastest, "measured before")


def test_without_fusion(block: Block, cache_dir: Path, compiled: canao.CompiledModel) -> None:
    model = canao.compile(block, (X, SCALE), fusion=False, tune="off", cache_dir=cache_dir)
    check(model, block)
    assert model.report.layers_after > compiled.report.layers_after


MLIR = """
func.func @main(%x: tensor<4x8xf32>) -> tensor<4x8xf32> {
  %b = canao.weight "b" : tensor<8xf32>
  %y = canao.add %x, %b : (tensor<4x8xf32>, tensor<8xf32>) -> tensor<4x8xf32>
  func.return %y : tensor<4x8xf32>
}
"""


def test_mlir_with_weights_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "model.mlir"
    path.write_text(MLIR)
    bias = np.arange(8, dtype=np.float32)
    save_file({"b": bias}, tmp_path / "model.safetensors")
    model = canao.compile(path, None, tune="off", cache_dir=tmp_path)
    x = torch.ones(4, 8)
    torch.testing.assert_close(model(x), x + torch.from_numpy(bias))


def test_mlir_without_its_weights(tmp_path: Path) -> None:
    with pytest.raises(canao.CanaoError, match="'b'"):
        canao.compile(MLIR, None, tune="off", cache_dir=tmp_path)


def test_an_exported_program_brings_its_examples(tmp_path: Path) -> None:
    """Positional and named ones; what is given beside it takes their place."""

    class Remainder(torch.nn.Module):
        def forward(self, a: torch.Tensor, flag: bool, *, b: torch.Tensor) -> torch.Tensor:
            return a % b if flag else a

    a, b = torch.arange(3), torch.tensor([5, 2, 7])
    program = torch.export.export(Remainder(), (a, True), {"b": b})
    options: dict[str, Any] = {"threads": 1, "tune": "off", "cache_dir": tmp_path}
    compiled = canao.compile(program, None, **options)
    assert [example.tolist() for example in compiled.examples] == [a.tolist(), b.tolist()]
    assert compiled.measure(runs=2, warmup=0).median > 0
    assert torch.equal(compiled(a, True, b=b), a % b)
    other = canao.compile(program, {"a": a + 1, "flag": True, "b": b}, **options)
    assert other.examples[0].tolist() == (a + 1).tolist()


def test_malformed_mlir(tmp_path: Path) -> None:
    with pytest.raises(canao.InputFileError, match=r"<string>:3:\d+"):
        canao.compile(MLIR.replace('"b"', "b"), None, cache_dir=tmp_path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "cuda"}, "target='cuda'.*choose one of 'c'"),
        ({"threads": 0}, "threads=0"),
        ({"threads": True}, "threads=True"),
        ({"threads": 1.5}, "threads=1.5"),
        ({"fusion": "all"}, "fusion='all'"),
        ({"fusion": 1}, "fusion=1"),
        ({"tune": "max"}, "tune='max'"),
        ({"dtype": "float8"}, "dtype='float8'"),
        ({"target": canao.Target("mips-linux-gnu", ())}, "cannot run on this machine"),
    ],
)
def test_wrong_options(block: Block, options: dict[str, Any], message: str) -> None:
    with pytest.raises(canao.CanaoError, match=message):
        canao.compile(block, (X, SCALE), **options)


def test_no_compiler(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "/no/such/compiler")
    with pytest.raises(canao.ToolchainError, match="/no/such/compiler"):
        canao.compile(block, (X, SCALE))
    monkeypatch.delenv("CC")
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    toolchain._find.cache_clear()  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(canao.ToolchainError, match="no C compiler was found"):
        canao.compile(block, (X, SCALE))


def test_an_unusable_cache_directory(block: Block, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(canao.CacheError, match="pass another cache_dir"):
        canao.compile(block, (X, SCALE), cache_dir=tmp_path / "file")


def test_the_contract_is_exported_lazily() -> None:
    for name in canao.__all__:
        assert getattr(canao, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = canao.nothing
    program = (
        "import sys, canao; canao.CanaoError; dir(canao)\n"
        "heavy = {'torch', 'torch_mlir', 'numpy', 'xdsl', 'transformers', 'islpy', 'rich'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)\n"
    )
    root = str(Path(canao.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": root}
    subprocess.run([sys.executable, "-c", program], env=environment, check=True)


def test_torch_compile(block: Block, cache_dir: Path) -> None:
    from canao.dynamo_backend import canao_backend

    options: dict[str, Any] = {"tune": "off", "cache_dir": str(cache_dir)}
    model = torch.compile(block, backend=canao_backend, dynamic=False, options=options)
    with torch.no_grad():
        check(model, block)
        block.up.weight.mul_(2)
        check(model, block)
        block.up.weight.mul_(0.5)
    with pytest.raises(Exception, match="computes no gradients"):
        model(X, SCALE)
