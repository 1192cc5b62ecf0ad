"""What runs the model of an application."""

from __future__ import annotations

from typing import Literal

from canao.compiling.options import check_threads
from canao.errors import CanaoError

Backend = Literal["canao", "pytorch"]
BACKENDS: tuple[Backend, ...] = ("canao", "pytorch")


def check_backend(backend: object, threads: int | None) -> None:
    """`CanaoError` for what is no backend, or no number of threads."""
    if backend not in BACKENDS:
        known = ", ".join(map(repr, BACKENDS))
        raise CanaoError(f"backend={backend!r} is not known; choose one of {known}")
    if threads is not None:
        check_threads(threads)
