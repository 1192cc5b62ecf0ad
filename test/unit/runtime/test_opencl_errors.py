"""Devices that fail: the driver itself refuses, or is made to say that it lost its device."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from unit.lowering.c_support import CC, parse
from unit.lowering.opencl_support import chosen_device, model_of
from unit.lowering.test_sanitizers import MODEL
from unit.runtime.build.test_opencl_devices import ADD

import canao
from canao.building.cache import Cache
from canao.building.opencl.binary import build_binary
from canao.errors import DeviceError
from canao.lowering.pipeline import lower
from canao.program import Program
from canao.runtime.memory import aligned_empty
from canao.runtime.opencl.job import Job
from canao.runtime.opencl.module import OpenCLModule


def in_groups() -> Program:
    """A program whose kernels share local memory."""
    device = model_of("gpu")
    assert device is not None
    return lower(parse(MODEL), target_unit=device.unit, threads=2, device=device)


@pytest.fixture(scope="module")
def program() -> Program:
    return in_groups()


@pytest.mark.parametrize(
    ("limits", "what"),
    [
        ({"local_bytes": 256}, r"needs \d+ bytes of local memory and .* has 256; "),
        ({"most_items": 8}, "needs 64 work-items in a group and .* has 8; "),
    ],
    ids=["local memory", "work-items"],
)
def test_kernel_that_needs_more(
    program: Program, limits: dict[str, int], what: str, tmp_path: Path
) -> None:
    """As a model has that was saved on another device; in the child that builds it, too."""
    job = Job.of(program, replace(chosen_device(), **limits))
    with pytest.raises(DeviceError, match=what + "choose another device"):
        OpenCLModule(job, [], source=program.source)
    with pytest.raises(DeviceError, match=what + "choose another device"):
        build_binary(program.source, job, Cache(tmp_path))


_DECLARED = re.compile(r"^ *__local (float|long|unsigned char) \w+\[(\d+)\] ", re.MULTILINE)
_WIDTHS = {"float": 4, "long": 8, "unsigned char": 1}


def test_local_memory_is_counted(program: Program) -> None:
    """What launches say is what the text declares."""
    assert program.launches is not None
    for step in program.launches.steps:
        _, _, rest = program.source.partition(f"void {step.kernel}(")
        body, _, _ = rest.partition("\n}\n")
        declared = _DECLARED.findall(body)
        assert step.local_bytes == sum(_WIDTHS[kind] * int(count) for kind, count in declared)
        arrays = [line for line in body.splitlines() if line.lstrip().startswith("__local ")]
        assert len(arrays) == len(declared)
    assert max(step.local_bytes for step in program.launches.steps) > 0


def test_memory_that_the_driver_does_not_give(program: Program) -> None:
    """The device claims more memory than there is; the driver refuses the buffer."""
    size = 1 << 60
    device = replace(chosen_device(), memory_bytes=1 << 62, most_bytes=1 << 61)
    job = replace(Job.of(program, device), arena_bytes=size)
    weights = [aligned_empty(spec.shape, spec.dtype) for spec in program.weights]
    with pytest.raises(DeviceError, match="has not enough memory to hold the buffers"):
        OpenCLModule(job, weights, source=program.source)


# Stands before the driver: `lose(1)` makes it say what a driver says whose device is gone.
_SHIM = """
#include <dlfcn.h>
#include <stdlib.h>
static int lost;
void lose(int now) { lost = now; }
int clFinish(void *queue) {
  void *driver = dlopen(getenv("REAL_OPENCL"), RTLD_NOW);
  int (*finish)(void *) = (int (*)(void *))dlsym(driver, "clFinish");
  int status = finish(queue);
  return lost ? -2 /* CL_DEVICE_NOT_AVAILABLE */ : status;
}
"""

_CHILD = """
import ctypes, sys
import numpy as np
import canao
x = np.arange(15, dtype=np.float32).reshape(3, 5)
lose = ctypes.CDLL(None).lose
model = canao.load(sys.argv[1])
assert (np.asarray(model(x)) == 2 * x).all()
lose(1)
try:
    model(x)
except canao.CanaoError as error:
    print(type(error).__name__, error)
lose(0)
assert (np.asarray(canao.load(sys.argv[1])(x)) == 2 * x).all()
print("loaded again")
"""


def library_of_opencl() -> str:
    """The path of the loader of drivers that pyopencl uses in this process."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    return next(line.split()[-1] for line in maps if "libOpenCL" in line)


def test_lost_device(tmp_path: Path) -> None:
    assert CC is not None
    model = canao.compile(ADD, None, target=canao.Target.opencl("cpu"), cache_dir=tmp_path / "c")
    path = model.save(tmp_path / "model")
    (tmp_path / "shim.c").write_text(_SHIM)
    shim = tmp_path / "shim.so"
    subprocess.run(
        [CC, "-shared", "-fPIC", "-o", str(shim), str(tmp_path / "shim.c"), "-ldl"], check=True
    )
    environment = {
        **os.environ,
        "LD_PRELOAD": str(shim),
        "REAL_OPENCL": library_of_opencl(),
        "CANAO_CACHE_DIR": str(tmp_path / "c"),
    }
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, str(path)],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    first, last = done.stdout.strip().splitlines()
    assert first.startswith("ExecutionError")
    assert "could not run the model" in first
    assert "DEVICE_NOT_AVAILABLE" in first
    assert "the device may be lost; load the model again" in first
    assert last == "loaded again"
