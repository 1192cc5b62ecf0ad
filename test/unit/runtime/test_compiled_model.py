"""A compiled model without its compiler: called, saved, loaded, exported."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from canao import saved
from canao.building.cache import Cache
from canao.building.first_run import child_environment
from canao.building.library import build_library
from canao.building.toolchain import Compiler
from canao.built import Build
from canao.compiled_model import CompiledModel
from canao.errors import CanaoError, InputFileError, ShapeMismatchError, VerificationError
from canao.frontend.convention import Argument, CallConvention, InputTensor, Result
from canao.frontend.structure import LEAF, Structure
from canao.machine.target import Target
from canao.measuring.measure import time_calls
from canao.program import Program, TensorSpec
from canao.runtime.memory import aligned
from canao.runtime.module import NativeModule
from canao.runtime.tensor_file import write_tensors
from canao.runtime.weights import prepare_weights

W = np.linspace(-1, 1, 16, dtype=np.float32)
B = np.arange(16, dtype=np.float32)
X = torch.from_numpy(np.random.default_rng(0).standard_normal((33, 16)).astype(np.float32))
IDS = torch.tensor([1, 2, 3, 4])
CONVENTION = CallConvention(
    ("x", "ids"),
    (Argument("x", LEAF), Argument("ids", LEAF)),
    (InputTensor("x", (33, 16), "float32"), InputTensor("ids", (4,), "int64")),
    Structure("dict", ("y", "s"), (LEAF, LEAF)),
    (Result("computed", 0, "float32"), Result("computed", 1, "int64")),
)


def _load(path: Path, **options: Any) -> CompiledModel:
    return CompiledModel.opened(saved.load_model(path, **options))


@pytest.fixture
def model(
    cache: Cache, compiler: Compiler, host: Target, make_program: Callable[..., Program]
) -> CompiledModel:
    program = make_program()
    library = build_library(program.source, compiler, host, cache)
    weights = prepare_weights(program, {"w": W, "b": B})
    module = NativeModule(library.path, weights, program.arena_bytes, 2, len(program.calls))
    build = Build(
        host,
        compiler.version,
        library.path,
        cache_dir=cache.root.parent,
        seconds={"build": library.seconds},
        ir={"torch": "module {}", "canao": "module { }"},
    )
    return CompiledModel(program, module, CONVENTION, build, [X.numpy(), IDS.numpy()])


def check(model: CompiledModel, x: torch.Tensor = X) -> None:
    result = model(x, ids=IDS)
    assert list(result) == ["y", "s"]
    expected = (x * torch.from_numpy(W)).flip(0) + 2 * torch.from_numpy(B)
    torch.testing.assert_close(result["y"], expected)
    assert result["s"].tolist() == [10]


def test_call(model: CompiledModel) -> None:
    check(model)
    check(model, X.T.contiguous().T)
    check(model, torch.cat([X, X], 1)[:, 16:])
    check(model, X.clone().requires_grad_())


def test_results_are_fresh(model: CompiledModel) -> None:
    first = model(X, IDS)["y"]
    kept = first.clone()
    second = model(torch.zeros_like(X), IDS)["y"]
    assert first.data_ptr() != second.data_ptr()
    torch.testing.assert_close(first, kept)


def test_threads_of_python_share_a_model(model: CompiledModel) -> None:
    failures: list[BaseException] = []

    def call() -> None:
        try:
            for _ in range(20):
                check(model)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=call) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ((X[:32], IDS), r"'x' must have shape \(33, 16\), got \(32, 16\)"),
        ((X.double(), IDS), "'x' must have dtype float32, got float64"),
        ((X, IDS.int()), "'ids' must have dtype int64, got int32"),
        ((X,), "'ids' is missing"),
        ((X, IDS, IDS), "at most 2 inputs, got 3"),
        ((X, [1, 2, 3, 4]), "'ids' must be a tensor"),
    ],
)
def test_wrong_calls(model: CompiledModel, args: tuple[object, ...], message: str) -> None:
    with pytest.raises(ShapeMismatchError, match=message):
        model(*args)


def test_a_convention_of_another_program(model: CompiledModel) -> None:
    leaves = (InputTensor("x", (1000, 1000), "float32"), InputTensor("ids", (4,), "int64"))
    other = CallConvention(("x", "ids"), CONVENTION.arguments, leaves, LEAF, ())
    module = model._module  # pyright: ignore[reportPrivateUsage]
    with pytest.raises(VerificationError, match="1000"):
        CompiledModel(model.program, module, other, model.build, model.examples)


def test_measure_and_report(model: CompiledModel) -> None:
    latency = model.measure(runs=5, warmup=1)
    assert (latency.runs, latency.threads, latency.dtype) == (5, 2, "float32")
    assert 0 < latency.min <= latency.median <= latency.p90 <= latency.p99
    report = model.report
    assert report is model.report
    assert (report.layers_before, report.layers_after, report.fallbacks) == (3, 2, 0)
    assert report.peak_gflops > 0
    assert [row.calls for row in report.kernels] == [1, 1]
    assert report.cpu_utilization is not None
    assert 0 < report.cpu_utilization <= 1
    assert "scale" in str(report)


def test_stages(model: CompiledModel) -> None:
    assert model.stages == ("torch", "canao", "c")
    assert model.ir("canao") == "module { }"
    assert model.ir("c") == model.source
    with pytest.raises(CanaoError, match="'fused'; the stages are torch, canao, c"):
        model.ir("fused")


def test_save_and_load(model: CompiledModel, tmp_path: Path) -> None:
    path = model.save(tmp_path / "saved")
    model.save(path)
    check(_load(path))
    loaded = _load(path)
    samples = time_calls(lambda: _load(path), runs=3, warmup=0)
    assert min(samples) < 50, "milliseconds"
    assert loaded.program == model.program
    assert loaded.ir("torch") == "module {}"
    assert loaded.stages == model.stages
    assert loaded.compile_seconds == model.compile_seconds
    assert loaded.threads == 2
    assert _load(path, threads=1).threads == 1
    with pytest.raises(CanaoError, match="more than the 2 that"):
        _load(path, threads=3)
    assert sorted(tmp_path.iterdir()) == [tmp_path / "cache", path]
    loaded.close()


def test_a_saved_library_that_does_not_fit_is_rebuilt(model: CompiledModel, tmp_path: Path) -> None:
    path = model.save(tmp_path / "saved")
    (path / "module.so").write_bytes(b"damaged")
    check(_load(path, cache_dir=tmp_path / "cache"))
    manifest = json.loads((path / "canao.json").read_text())
    manifest["target"]["features"].append("a_feature_of_another_processor")
    (path / "canao.json").write_text(json.dumps(manifest))
    check(_load(path, cache_dir=tmp_path / "cache"))


def test_a_model_outlives_its_entry_in_the_cache(model: CompiledModel, tmp_path: Path) -> None:
    shutil.rmtree(model.build.library.parent)
    check(_load(model.save(tmp_path / "saved")))


def test_weights_of_another_shape(model: CompiledModel, tmp_path: Path) -> None:
    path = model.save(tmp_path / "saved")
    write_tensors(path / "weights.safetensors", {"0": W, "1": B[:8]})
    with pytest.raises(InputFileError, match="does not belong to its program"):
        _load(path)


_RESIDENT = """
import sys
from pathlib import Path
import numpy as np
from canao.api import load

def resident():
    with open("/proc/self/smaps_rollup") as file:
        return next(int(line.split()[1]) for line in file if line.startswith("Rss")) / 1024

before = resident()
model = load(sys.argv[1])
loaded = resident()
model.measure(runs=2, warmup=0)
print(loaded - before, resident() - before)
"""


def test_memory_of_a_loaded_model(
    cache: Cache,
    compiler: Compiler,
    host: Target,
    make_program: Callable[..., Program],
    tmp_path: Path,
) -> None:
    """Weights are mapped: loading reads none of them, running keeps no second copy."""
    mib = 64
    body = f"for (int i = 0; i < {mib << 18}; ++i) total += w[i];"
    hook = (
        f"const float *w = (const float *)weights[0]; volatile float sum; float total = 0; "
        f"{body} sum = total; (void)sum;"
    )
    program = make_program(hook)
    table = TensorSpec("w", "float32", (mib << 18,))
    program = replace(program, weights=(table, program.weights[1]))
    library = build_library(program.source, compiler, host, cache)
    weights = [aligned(np.ones(spec.shape, spec.dtype)) for spec in program.weights]
    module = NativeModule(library.path, weights, program.arena_bytes, 2, len(program.calls))
    build = Build(host, compiler.version, library.path, cache_dir=cache.root.parent)
    model = CompiledModel(program, module, CONVENTION, build, [X.numpy(), IDS.numpy()])
    path = model.save(tmp_path / "saved")
    child = subprocess.run(
        [sys.executable, "-P", "-c", _RESIDENT, str(path)],
        env=child_environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    loaded, running = map(float, child.stdout.split())
    assert loaded < 0.1 * mib, "MiB"
    assert 0.9 * mib < running < 1.15 * mib, "MiB"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("canao.json", None),
        ("canao.json", "{"),
        ("canao.json", '{"format": 99}'),
        ("program.json", "{}"),
        ("convention.json", "[]"),
        ("weights.safetensors", "xx"),
    ],
)
def test_a_damaged_saved_model(
    model: CompiledModel, tmp_path: Path, name: str, content: str | None
) -> None:
    file = model.save(tmp_path / "saved") / name
    if content is None:
        file.unlink()
    else:
        file.write_text(content)
    with pytest.raises(InputFileError, match="saved"):
        _load(tmp_path / "saved")


def test_saving_never_replaces_what_is_not_a_model(model: CompiledModel, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("text")
    with pytest.raises(InputFileError, match="not a saved model"):
        model.save(tmp_path / "mine")
    with pytest.raises(InputFileError, match="is a file"):
        model.save(tmp_path / "mine" / "thesis.txt")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "text"


@pytest.fixture
def exported(model: CompiledModel, tmp_path: Path, compiler: Compiler) -> Path:
    path = model.export(tmp_path / "exported")
    flags = ["-std=gnu11", "-O2", "-Wall", "-Wextra", "-Werror", "-pedantic", "-pthread"]
    command = [*compiler.command, *flags, "main.c", "model.c", "kernels.c", "-o", "model", "-lm"]
    result = subprocess.run(command, cwd=path, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    X.numpy().tofile(path / "x.bin")
    IDS.numpy().tofile(path / "ids.bin")
    return path


FILES = ("x.bin", "ids.bin", "y.bin", "s.bin")


def run(path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["./model", *arguments], cwd=path, capture_output=True, text=True, timeout=60, check=False
    )


def test_an_exported_program(model: CompiledModel, exported: Path) -> None:
    result = run(exported, *FILES, "--time", "3", "--threads", "2")
    assert result.returncode == 0, result.stderr
    assert "ms median" in result.stdout
    assert "3 runs, 2 threads" in result.stdout
    y = np.fromfile(exported / "y.bin", "<f4").reshape(33, 16)
    np.testing.assert_allclose(y, model(X, IDS)["y"].numpy(), rtol=1e-6)
    assert np.fromfile(exported / "s.bin", "<i8").tolist() == [10]
    metadata = json.loads((exported / "metadata.json").read_text())
    assert [spec["shape"] for spec in metadata["inputs"]] == [[33, 16], [4]]
    assert all(spec["offset"] % 64 == 0 for spec in metadata["weights"])


WRONG_USES = [
    (FILES[:3], 2, "usage"),
    ((*FILES, "more"), 2, "usage"),
    ((*FILES, "--threads", "0"), 2, "usage"),
    ((*FILES, "--time"), 2, "usage"),
    ((*FILES, "--what", "1"), 2, "usage"),
    (("none.bin", *FILES[1:]), 1, "none.bin: No such file"),
    (("ids.bin", *FILES[1:]), 1, "ids.bin: wrong size"),
    ((*FILES, "--weights", "x.bin"), 1, "cannot use x.bin: it is no file of weights"),
    ((*FILES[:3], "no/s.bin"), 1, "cannot write no/s.bin"),
]


def test_wrong_use_of_an_exported_program(exported: Path) -> None:
    for arguments, status, message in WRONG_USES:
        result = run(exported, *arguments)
        assert result.returncode == status, arguments
        assert message in result.stderr


def test_an_exported_makefile(exported: Path) -> None:
    make = shutil.which("make")
    assert make, "make is needed to test the exported Makefile"
    (exported / "model").unlink()
    subprocess.run([make], cwd=exported, check=True, capture_output=True)
    assert run(exported, "--help").returncode == 0
