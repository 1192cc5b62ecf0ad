"""Stands where a module would be that another machine runs: it has weights and no code to call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NoReturn

import numpy as np
import numpy.typing as npt

from canao.errors import ExecutionError
from canao.runtime.in_use import InUse
from canao.runtime.module import Array, Pointers


class ForeignModule:
    """The weights of a program for another machine; `ExecutionError` for whoever would run it."""

    def __init__(
        self, title: str, weights: Sequence[Array], arena_bytes: int, threads: int
    ) -> None:
        self.threads = threads
        self.weights = tuple(weights)
        self.arena_bytes = arena_bytes
        self.in_use = InUse()
        self._title = title

    def run(self, inputs: Pointers, outputs: Pointers) -> None:
        """Refused."""
        self._refuse()

    def bind(self, inputs: Pointers, outputs: Pointers) -> Callable[[], int]:
        """Refused."""
        self._refuse()

    def profile(self, inputs: Pointers, outputs: Pointers) -> npt.NDArray[np.float64]:
        """Refused."""
        self._refuse()

    def close(self) -> None:
        """Nothing to release."""
        self.in_use.close()

    def _refuse(self) -> NoReturn:
        raise ExecutionError(
            f"the model was compiled for {self._title}, whose code this machine cannot run; write "
            "it out with .export(dir) and run it there, or compile it without `target` to call it "
            "here"
        )
