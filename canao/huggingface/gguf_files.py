"""GGUF files, parsed once where transformers asks for the same several times.

It parses a whole file anew for its configuration, its tokenizer and its weights, for seconds
each, and makes the table of the names of weights for every module of a model.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import RLock
from typing import Any

from canao.errors import MissingExtraError

_SUFFIX = ".gguf"
_ASKED_AGAIN = ("GGUFReader", "get_tensor_name_map")
_lock = RLock()
_open: list[Any] = []


def is_gguf(name: object) -> bool:
    """Whether a name is that of a GGUF file."""
    return isinstance(name, str | Path) and Path(name).suffix == _SUFFIX


def gguf_package() -> Any:
    """The package that reads GGUF files; `MissingExtraError` where it is not installed."""
    try:
        import gguf
    except ImportError as error:
        raise MissingExtraError("reading GGUF files", "gguf") from error
    return gguf


@contextmanager
def parsed_once(name: object) -> Generator[None]:
    """What is read of a GGUF file meanwhile is parsed once; other names are left alone.

    It may be nested. The file must stay as it is.
    """
    if not is_gguf(name):
        yield
        return
    gguf = gguf_package()
    with _lock:
        if _open:
            yield
            return
        found = {each: getattr(gguf, each) for each in _ASKED_AGAIN}
        _open.append(name)
        try:
            for each, made in found.items():
                setattr(gguf, each, cache(made))
            yield
        finally:
            for each, made in found.items():
                setattr(gguf, each, made)
            _open.clear()
