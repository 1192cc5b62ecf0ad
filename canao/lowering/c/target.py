"""C as a target of `canao-opt`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import IO

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp
from xdsl.utils.target import Target

from canao.lowering.c.print_c import print_c


@dataclass(frozen=True)
class CTarget(Target):
    """Prints a lowered module as C for at most `threads` threads."""

    name = "c"

    threads: int = 1

    def emit(self, ctx: Context, module: ModuleOp, output: IO[str]) -> None:
        output.write(print_c(module, self.threads).source)
