"""Texts kept in files and read when they are asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from canao.errors import CacheError


class TextFiles(Mapping[str, str]):
    """A mapping from names to the texts of files."""

    def __init__(self, paths: Mapping[str, Path]) -> None:
        self._paths = dict(paths)

    def __getitem__(self, name: str) -> str:
        path = self._paths[name]
        try:
            return path.read_text(encoding="utf-8")
        except FileNotFoundError:
            raise CacheError(
                f"the text of stage '{name}' ({path}) is gone, perhaps pruned from the cache; "
                "compile the model again"
            ) from None

    def __iter__(self) -> Iterator[str]:
        return iter(self._paths)

    def __len__(self) -> int:
        return len(self._paths)
