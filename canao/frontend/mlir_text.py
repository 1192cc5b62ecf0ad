"""What is wrong with MLIR text before a parser sees it.

xDSL's pattern for strings tries exponentially many ways to read one that is not
closed, and its parser descends one call or more a bracket. Python refuses numbers of more
than some thousands of digits.
"""

from __future__ import annotations

import re
from functools import partial

from canao.errors import InputFileError

_DEEPEST = 100
"""Brackets inside one another; lowered models have some 20."""

_MOST_DIGITS = 1000
"""Digits of a number; those of float64 written out have some 770."""

_LONGEST_LINE = 400
_MOST_LINES = 40
_LONG_WORD = re.compile(r"(\S{60})\S{20,}+")

_TOKEN = re.compile(
    r"(?P<comment>//[^\n]*+)"
    r'|(?P<string>"(?:[^"\\\n\v\f]++|\\(?:["nt\\]|[0-9A-Fa-f]{2}))*+)(?P<closed>"?)'
    rf"|(?P<number>[0-9]{{{_MOST_DIGITS + 1},}}+)"
    r"|(?P<other>->|>=|<=)"
    r"|(?P<opening>[(\[{<])"
    r"|(?P<closing>[)\]}>])"
)


def check_text(text: str, name: str, lines_before: int = 0) -> None:
    """Raise `InputFileError` with file, line and column for what no parser should see.

    `lines_before` is how many lines of the file come before a text that is part of it.
    """
    place = partial(located, text, name=name, lines_before=lines_before)
    depth = 0
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "opening":
            depth += 1
            if depth > _DEEPEST:
                what = f"more than {_DEEPEST} brackets inside one another; nest less"
                raise InputFileError(f"{place(token.start())}: {what}")
        elif kind == "closing":
            depth = max(0, depth - 1)
        elif kind == "number":
            what = f"a number of more than {_MOST_DIGITS} digits; write a smaller one"
            raise InputFileError(f"{place(token.start())}: {what}")
        elif kind == "closed" and not token["closed"]:
            if text[token.end() : token.end() + 1] == "\\":
                known = r"\n, \t, \", \\ or two hexadecimal digits"
                what = f"unknown escape in a string; write {known}"
                raise InputFileError(f"{place(token.end())}: {what}")
            what = 'the string is not closed; end it with " on its line'
            raise InputFileError(f"{place(token.start())}: {what}")


def shortened(message: str) -> str:
    """A message that repeats names from a text, which may be of any length, to be read by people.

    Words of more than 80 characters keep their beginning, lines of more than 400 too, and of
    more than 40 lines, as of a module that does not verify, the last 40 stay.
    """
    lines = _LONG_WORD.sub(r"\1...", message).splitlines()[-_MOST_LINES:]
    return "\n".join(
        line if len(line) <= _LONGEST_LINE else f"{line[:_LONGEST_LINE]}..." for line in lines
    )


def located(text: str, offset: int, name: str, lines_before: int = 0) -> str:
    """`file:line:column` of a place in a text that `lines_before` lines of the file precede."""
    line = lines_before + text.count("\n", 0, offset) + 1
    column = offset - (text.rfind("\n", 0, offset) + 1) + 1
    return f"{name}:{line}:{column}"
