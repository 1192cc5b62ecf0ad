"""Models on an OpenCL device: built once, saved, exported, and errors that say what to do."""

from __future__ import annotations

import json
import os
import re
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from unit.lowering.opencl_support import chosen_device

import canao
from canao.building.cache import Cache
from canao.building.opencl import binary as build_module
from canao.building.opencl.binary import build_binary
from canao.building.trial_inputs import write_examples
from canao.errors import DeviceError, ExecutionError, ToolchainError
from canao.machine.opencl_device import DeviceModel
from canao.program import Program
from canao.runtime.opencl.job import Job
from canao.runtime.opencl.module import OpenCLModule
from canao.runtime.opencl.session import driver_error

ROWS = 100
LOOKUP = f"""
func.func @main(%table: tensor<{ROWS}x8xf32>, %ids: tensor<1x6xi64>) -> tensor<1x6x8xf32> {{
  %rows = canao.gather %table at %ids : (tensor<{ROWS}x8xf32>, tensor<1x6xi64>) -> tensor<1x6x8xf32>
  %twice = canao.add %rows, %rows : (tensor<1x6x8xf32>, tensor<1x6x8xf32>) -> tensor<1x6x8xf32>
  func.return %twice : tensor<1x6x8xf32>
}}"""


class Dense(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dense = torch.nn.Linear(24, 40)
        self.norm = torch.nn.LayerNorm(40)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(torch.nn.functional.gelu(self.dense(x)))


@pytest.fixture(scope="module")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("opencl-cache")


@pytest.fixture(scope="module")
def model() -> Dense:
    torch.manual_seed(0)
    return Dense().eval()


X = torch.linspace(-2, 2, 7 * 24).reshape(7, 24)


def target() -> canao.Target:
    return canao.Target.opencl("cpu")


@pytest.fixture(scope="module")
def compiled(model: Dense, cache_dir: Path) -> canao.CompiledModel:
    return canao.compile(model, (X,), target=target(), tune="off", cache_dir=cache_dir)


def test_results_and_report(model: Dense, compiled: canao.CompiledModel) -> None:
    with torch.inference_mode():
        torch.testing.assert_close(compiled(X), model(X), rtol=1e-5, atol=1e-6)
    report = compiled.report
    assert report.fallbacks == 0
    assert report.gpu_utilization is not None
    assert 0 < report.gpu_utilization <= 1
    assert report.transfer_ms is not None
    assert report.transfer_ms > 0
    assert report.transfer_bytes == 4 * (7 * 24 + 7 * 40)
    assert all(row.ms > 0 for row in report.kernels)
    assert "OpenCL" in report.target
    assert "transfers" in str(report)
    assert "__kernel" in compiled.source
    assert compiled.ir("opencl") == compiled.source
    assert compiled.stages[-1] == "opencl"


def test_weights_are_uploaded_once(compiled: canao.CompiledModel) -> None:
    job = Job.of(compiled.program, chosen_device())
    assert compiled.report.transfer_bytes == sum(job.inputs) + sum(job.outputs)


def test_binary_is_built_once(
    model: Dense,
    compiled: canao.CompiledModel,
    cache_dir: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("it was built again")

    monkeypatch.setattr(build_module, "_run_child", refuse)
    again = canao.compile(model, (X,), target=target(), tune="off", cache_dir=cache_dir)
    assert again.source == compiled.source
    assert torch.equal(again(X), compiled(X))


def test_saved_and_loaded(compiled: canao.CompiledModel, tmp_path: Path) -> None:
    compiled.save(tmp_path / "model")
    loaded = canao.load(tmp_path / "model")
    assert torch.equal(loaded(X), compiled(X))
    assert loaded.build.target.device == compiled.build.target.device


def by_another_driver(path: Path) -> None:
    """Makes a saved model look as if another driver had made its binary."""
    manifest = json.loads((path / "canao.json").read_text())
    manifest["target"]["device"]["driver"] = "another"
    (path / "canao.json").write_text(json.dumps(manifest))


def test_saved_by_another_driver(
    compiled: canao.CompiledModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The binary is of no use here: the kernels are built again."""
    monkeypatch.setenv("CANAO_CACHE_DIR", str(tmp_path / "cache"))
    path = compiled.save(tmp_path / "model")
    by_another_driver(path)
    loaded = canao.load(path)
    assert torch.equal(loaded(X), compiled(X))
    assert loaded.build.target.device == target().device


def test_tuned(model: Dense, tmp_path: Path) -> None:
    wide = torch.nn.Linear(256, 192).eval()
    x = torch.randn(96, 256)
    tuned = canao.compile(wide, (x,), target=target(), tune="default", cache_dir=tmp_path)
    (kernel,) = tuned.program.kernels
    assert len(kernel.variants_tried) > 1
    with torch.inference_mode():
        torch.testing.assert_close(tuned(x), wide(x), rtol=1e-4, atol=1e-5)


def test_failed_check(tmp_path: Path) -> None:
    table, good = torch.randn(ROWS, 8), torch.tensor([[0, 1, 2, ROWS - 1, 5, 0]])
    model = canao.compile(LOOKUP, (table, good), target=target(), tune="off", cache_dir=tmp_path)
    bad = good.clone()
    bad[0, 3] = ROWS
    with pytest.raises(ExecutionError, match=f"index out of range for a table of {ROWS} rows"):
        model(table, bad)
    torch.testing.assert_close(model(table, good), 2 * table[good])


def test_closed(model: Dense, cache_dir: Path) -> None:
    closed = canao.compile(model, (X,), target=target(), tune="off", cache_dir=cache_dir)
    closed.close()
    with pytest.raises(ExecutionError, match="was closed"):
        closed(X)


# ------------------------------------------------------------------- errors


def job_of(program: Program, **limits: int) -> Job:
    return Job.of(program, replace(chosen_device(), **limits))


@pytest.mark.parametrize(
    ("limits", "what"),
    [({"memory_bytes": 1000}, "needs memory of"), ({"most_bytes": 700}, "needs a buffer of")],
    ids=["memory", "buffer"],
)
def test_device_that_is_too_small(
    compiled: canao.CompiledModel, limits: dict[str, int], what: str
) -> None:
    with pytest.raises(DeviceError, match=f"{what} .*choose another device"):
        OpenCLModule(job_of(compiled.program, **limits), [], source="")


def test_device_without_float64(compiled: canao.CompiledModel, tmp_path: Path) -> None:
    job = Job.of(compiled.program, replace(chosen_device(), float64=False))
    with pytest.raises(DeviceError, match="computes in float64"):
        build_binary("__kernel void k() { double4 a; }", job, Cache(tmp_path))


def test_kernel_that_does_not_build(compiled: canao.CompiledModel, tmp_path: Path) -> None:
    with pytest.raises(ToolchainError, match=r"(?s)refused the emitted code.*no_such_name"):
        build_binary(
            "__kernel void k() { no_such_name; }", job_of(compiled.program), Cache(tmp_path)
        )


def with_body(compiled: canao.CompiledModel, body: str) -> str:
    """The source of a model whose first kernel does something else."""
    assert compiled.program.launches is not None
    name = compiled.program.launches.steps[0].kernel
    head, _, rest = compiled.source.partition(f"void {name}(")
    arguments, _, rest = rest.partition(")")
    _, _, others = rest.partition("\n}")
    return f"{head}void {name}({arguments}) {{ {body} }}{others}"


def test_kernel_that_crashes(compiled: canao.CompiledModel, tmp_path: Path) -> None:
    source = with_body(compiled, "*(__global volatile int *)8 = 1;")
    with pytest.raises(ExecutionError, match=r"crashed .*choose another device"):
        build_binary(source, job_of(compiled.program), Cache(tmp_path))


def test_examples_are_what_the_first_run_sees(tmp_path: Path) -> None:
    """A kernel crashes unless its input is the example: on zeros it does."""
    given = torch.tensor([-7.0, 3.0])
    model = canao.compile(
        torch.nn.ReLU(), (given,), target=target(), tune="off", cache_dir=tmp_path
    )
    body = "if (*(__global const float *)base_input != -7) *(__global volatile int *)8 = 1;"
    source, job = with_body(model, body), job_of(model.program)
    with pytest.raises(ExecutionError, match="crashed"):
        build_binary(source, job, Cache(tmp_path))
    assert build_binary(source, job, Cache(tmp_path), [given.numpy()]).path.is_file()


def test_a_model_is_built_on_its_examples(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both when it is compiled and when it is loaded where its device is not."""
    seen: list[torch.Tensor] = []

    def note(path: Path, examples: list[np.ndarray]) -> None:
        seen.extend(torch.tensor(array) for array in examples)
        write_examples(path, examples)

    monkeypatch.setattr(build_module, "write_examples", note)
    given = torch.tensor([-7.0, 3.0])
    model = canao.compile(
        torch.nn.ReLU(), (given,), target=target(), tune="off", cache_dir=tmp_path
    )
    path = model.save(tmp_path / "model")
    by_another_driver(path)
    monkeypatch.setenv("CANAO_CACHE_DIR", str(tmp_path / "another"))
    canao.load(path)
    assert [tensor.tolist() for tensor in seen] == [given.tolist()] * 2


def test_kernel_that_hangs(compiled: canao.CompiledModel, tmp_path: Path) -> None:
    with pytest.raises(ExecutionError, match="did not end within"):
        build_binary(compiled.source, job_of(compiled.program), Cache(tmp_path), time_limit=0.01)


@pytest.mark.parametrize(
    ("said", "kind", "expected"),
    [
        ("clEnqueue failed: MEM_OBJECT_ALLOCATION_FAILURE", DeviceError, "not enough memory"),
        ("clFinish failed: DEVICE_NOT_AVAILABLE", ExecutionError, "the device may be lost"),
    ],
)
def test_what_drivers_say(said: str, kind: type[Exception], expected: str) -> None:
    error = driver_error(chosen_device(), "run the model", said)
    assert isinstance(error, kind)
    assert expected in str(error)
    assert said in str(error)


def test_scratch_that_is_large_is_in_global_memory() -> None:
    from unit.lowering.c_support import parse
    from unit.lowering.opencl_support import DeviceBuild
    from unit.lowering.schedules.test_variants import SOFTMAX

    from canao.interpreters.canao import evaluate
    from canao.lowering.pipeline import lower

    small: DeviceModel = replace(chosen_device().model, private_bytes=256)
    program = lower(parse(SOFTMAX), target_unit=small.unit, threads=2, device=small)
    assert "__global uchar *restrict const scratch" in program.source
    rng = np.random.default_rng(0)
    inputs = [rng.standard_normal(s.shape).astype(np.float32) for s in program.inputs]
    (expected,) = evaluate(parse(SOFTMAX), inputs, {})
    (found,) = DeviceBuild(program).run(inputs, {})
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


# ------------------------------------------------------------------- export


def steps_in(path: Path) -> list[tuple[str, str]]:
    """The kernel of each step of an exported host, and the block beside it."""
    text = (path / "model.c").read_text()
    rows = text.partition("canao_steps[CANAO_STEPS + 1] = {\n")[2].partition("  {0,")[0]
    return re.findall(r'^  \{"(\w+)",.*?\},(?: /\* (.*) \*/)?$', rows, re.MULTILINE)


def steps_of(compiled: canao.CompiledModel) -> list[tuple[str, str]]:
    assert compiled.program.launches is not None
    return [(step.kernel, step.block) for step in compiled.program.launches.steps]


def test_exported_steps_say_their_blocks(tmp_path: Path) -> None:
    def block() -> torch.nn.Module:
        return torch.nn.Sequential(torch.nn.Linear(24, 24), torch.nn.GELU())

    layers = torch.nn.Sequential(block(), block()).eval()
    model = canao.compile(layers, (X,), target=target(), tune="off", cache_dir=tmp_path)
    (kernel,) = [row.name for row in model.report.kernels]
    assert f"void {kernel}(" in model.source
    found = steps_in(model.export(tmp_path / "program"))
    assert found == steps_of(model) == [(kernel, "0.0"), (kernel, "1.0")]


def test_exported_program(
    model: Dense, compiled: canao.CompiledModel, tmp_path: Path, drivers: Path
) -> None:
    path = compiled.export(tmp_path / "program")
    subprocess.run(["make", "-C", str(path), "CFLAGS=-O1 -Wall -Wextra -Werror"], check=True)
    X.numpy().tofile(path / "in0.bin")
    environment = {**os.environ, "OCL_ICD_VENDORS": str(drivers)}
    command = [str(path / "model"), "--time", "2", str(path / "in0.bin"), str(path / "out0.bin")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    assert "latency" in done.stdout
    found = np.fromfile(path / "out0.bin", np.float32).reshape(7, 40)
    with torch.inference_mode():
        np.testing.assert_allclose(found, model(X).numpy(), rtol=1e-5, atol=1e-6)
    assert steps_in(path) == steps_of(compiled)
    metadata = json.loads((path / "metadata.json").read_text())
    assert [entry["shape"] for entry in metadata["inputs"]] == [[7, 24]]


def test_exported_program_without_a_device(
    compiled: canao.CompiledModel, tmp_path: Path, drivers: Path
) -> None:
    path = compiled.export(tmp_path / "program")
    subprocess.run(["make", "-C", str(path), "CFLAGS=-O0"], check=True)
    X.numpy().tofile(path / "in0.bin")
    environment = {**os.environ, "OCL_ICD_VENDORS": str(drivers), "CANAO_DEVICE": "no such"}
    command = [str(path / "model"), str(path / "in0.bin"), str(path / "out0.bin")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 1
    assert "there is no OpenCL device" in done.stderr
    assert not (path / "out0.bin").exists()
