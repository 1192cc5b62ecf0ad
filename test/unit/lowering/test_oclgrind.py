"""Emitted kernels in oclgrind (a Debian package): accesses out of bounds, and data races."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from unit.lowering.c_support import parse
from unit.lowering.opencl_support import chosen_device, model_of
from unit.lowering.test_sanitizers import MODEL

from canao.exporting.opencl_program import export_opencl
from canao.lowering.pipeline import lower
from canao.program import Program
from canao.runtime.memory import aligned

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


def run_checked(directory: Path, program: Program, source: str) -> subprocess.CompletedProcess[str]:
    """Runs an exported program on zeros in oclgrind, which says on standard error what it finds."""
    oclgrind = shutil.which("oclgrind")
    assert oclgrind is not None, "install Debian's oclgrind and ocl-icd-opencl-dev"
    weights = [aligned(np.zeros(spec.shape, spec.dtype)) for spec in program.weights]
    export_opencl(program, weights, directory, chosen_device())
    (directory / "kernels.cl").write_text(source)
    # Optimised code reads ahead of conditions what other items write, and drops it.
    host = (directory / "model.c").read_text()
    (directory / "model.c").write_text(host.replace('"-cl-std', '"-cl-opt-disable -cl-std'))
    subprocess.run(["make", "-C", str(directory), "-s"], check=True)
    inputs = [directory / f"in{n}.bin" for n in range(len(program.inputs))]
    outputs = [directory / f"out{n}.bin" for n in range(len(program.outputs))]
    for path, spec in zip(inputs, program.inputs, strict=True):
        path.write_bytes(bytes(spec.bytes))
    command = [oclgrind, "--data-races", "--max-errors", "5"]
    command += [str(directory / "model"), *map(str, inputs), *map(str, outputs)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=900)


def compiled(target: str, fusion: bool, dtype: str = "float32") -> Program:
    device = model_of(target)
    assert device is not None
    return lower(
        parse(MODEL),
        target_unit=device.unit,
        threads=2,
        fusion=fusion,
        device=device,
        dtype=dtype,
    )


@pytest.mark.parametrize("dtype", ["float32", "float16"])
@pytest.mark.parametrize("fusion", [True, False], ids=["fused", "unfused"])
@pytest.mark.parametrize("target", ["opencl", "gpu"])
def test_clean(tmp_path: Path, target: str, fusion: bool, dtype: str) -> None:
    program = compiled(target, fusion, dtype)
    result = run_checked(tmp_path, program, program.source)
    assert (result.returncode, result.stderr) == (0, "")
    assert (tmp_path / "out0.bin").stat().st_size == program.outputs[0].bytes


def test_a_race_is_found(tmp_path: Path) -> None:
    """The same kernels without the barriers between stages."""
    program = compiled("gpu", fusion=True)
    lines = [line for line in program.source.splitlines() if "barrier(" not in line]
    result = run_checked(tmp_path, program, "\n".join(lines))
    assert "data race" in result.stderr


def test_an_access_out_of_bounds_is_found(tmp_path: Path) -> None:
    program = compiled("opencl", fusion=False)
    source = program.source.replace("_mem *)(m1 + ", "_mem *)(m1 + 100000 + ")
    assert source != program.source
    result = run_checked(tmp_path, program, source)
    assert "Invalid read" in result.stderr
