"""Runs printed OpenCL C on the first CPU device: PoCL where no other driver is installed.

The variable CANAO_TEST_DEVICE names another device, such as gpu.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cache

import numpy as np
from unit.lowering.c_support import Array

from canao.machine.device_record import OpenCLDevice
from canao.machine.opencl_device import DeviceKind, DeviceModel
from canao.machine.opencl_devices import choose_device
from canao.program import Program
from canao.runtime.module import pointers
from canao.runtime.opencl.job import Job
from canao.runtime.opencl.module import OpenCLModule
from canao.runtime.weights import prepare_weights


@cache
def chosen_device() -> OpenCLDevice:
    """The device of the tests."""
    return choose_device(os.environ.get("CANAO_TEST_DEVICE", "cpu"))


def model_of(target: str) -> DeviceModel | None:
    """What lowering must know for a target of the tests: c, opencl, or opencl as on a GPU."""
    if target == "c":
        return None
    model = chosen_device().model
    if target == "opencl" or model.kind is DeviceKind.gpu:
        return model
    return replace(model, kind=DeviceKind.gpu, local_bytes=32768, private_bytes=512, most_items=64)


class DeviceBuild:
    """A program in OpenCL C."""

    def __init__(self, program: Program) -> None:
        self.program = program

    def run(self, inputs: Sequence[Array], weights: Mapping[str, Array]) -> list[Array]:
        """Builds the program and runs it twice; both runs must agree."""
        program = self.program
        module = OpenCLModule(
            Job.of(program, chosen_device()),
            prepare_weights(program, weights),
            source=program.source,
        )
        given = [np.ascontiguousarray(a) for a in inputs]
        runs: list[list[Array]] = []
        for _ in range(2):
            outputs = [np.zeros(spec.shape, spec.dtype) for spec in program.outputs]
            places = [pointers([a.ctypes.data for a in arrays]) for arrays in (given, outputs)]
            module.run(*places)
            runs.append(outputs)
        module.close()
        for first, second in zip(*runs, strict=True):
            np.testing.assert_array_equal(first, second)
        return runs[0]
