"""Literals of C."""

from __future__ import annotations


def c_string(text: str) -> str:
    """A C string literal of any text, in UTF-8."""
    plain = set(range(0x20, 0x7F)) - set(b'"\\?')
    escaped = "".join(
        chr(byte) if byte in plain else f"\\{byte:03o}" for byte in text.encode("utf-8")
    )
    return f'"{escaped}"'
