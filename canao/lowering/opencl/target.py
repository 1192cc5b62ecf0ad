"""OpenCL C as a target of `canao-opt`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.target import Target

from canao.lowering.opencl.print_opencl import print_opencl
from canao.machine.opencl_device import POCL


@dataclass(frozen=True)
class OpenCLTarget(Target):
    """Prints a lowered module as OpenCL C."""

    name = "opencl"

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        output.write(print_opencl(module, POCL).source)
