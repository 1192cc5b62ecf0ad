"""C text that ships with the package."""

from __future__ import annotations

from importlib.resources import files


def support_text(name: str) -> str:
    """The text of a header of `canao/lowering/c/support`."""
    path = files("canao") / "lowering" / "c" / "support" / name
    return path.read_text(encoding="utf-8")
