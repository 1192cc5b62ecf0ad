"""What is wrong with MLIR text before a parser sees it.

xDSL's pattern for strings tries exponentially many ways to read one that is not
closed, and its parser descends one call or more a bracket. Python refuses numbers of more
than some thousands of digits.
"""

from __future__ import annotations

import re

from canao.errors import InputFileError

_DEEPEST = 100
"""Brackets inside one another; lowered models have some 20."""

_MOST_DIGITS = 1000
"""Digits of a number; those of float64 written out have some 770."""

_TOKEN = re.compile(
    r"(?P<comment>//[^\n]*+)"
    r'|(?P<string>"(?:[^"\\\n\v\f]++|\\(?:["nt\\]|[0-9A-Fa-f]{2}))*+)(?P<closed>"?)'
    rf"|(?P<number>[0-9]{{{_MOST_DIGITS + 1},}}+)"
    r"|(?P<other>->|>=|<=)"
    r"|(?P<opening>[(\[{<])"
    r"|(?P<closing>[)\]}>])"
)


def check_text(text: str, name: str) -> None:
    """Raise `InputFileError` with file, line and column for what no parser should see."""
    depth = 0
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "opening":
            depth += 1
            if depth > _DEEPEST:
                what = f"more than {_DEEPEST} brackets inside one another; nest less"
                raise InputFileError(f"{located(text, token.start(), name)}: {what}")
        elif kind == "closing":
            depth = max(0, depth - 1)
        elif kind == "number":
            what = f"a number of more than {_MOST_DIGITS} digits; write a smaller one"
            raise InputFileError(f"{located(text, token.start(), name)}: {what}")
        elif kind == "closed" and not token["closed"]:
            raise InputFileError(_string_error(text, token.start(), token.end(), name))


def _string_error(text: str, start: int, end: int, name: str) -> str:
    if text[end : end + 1] == "\\":
        known = r"\n, \t, \", \\ or two hexadecimal digits"
        return f"{located(text, end, name)}: unknown escape in a string; write {known}"
    return f'{located(text, start, name)}: the string is not closed; end it with " on its line'


def located(text: str, offset: int, name: str) -> str:
    """`file:line:column` of a place in a text."""
    line = text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    return f"{name}:{line}:{column}"
