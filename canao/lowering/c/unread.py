"""Declarations that nothing reads, left out of the lines of a function.

What is counted when a kernel runs is computed for all of its loops; some need none of it, and
compilers warn of variables that are not read.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

_DECLARED = re.compile(r"\s*const (?:\w+ )+(?P<name>\w+) = (?P<value>.*);")
_NAME = re.compile(r"[A-Za-z_]\w*")


def names_in(lines: Sequence[str]) -> set[str]:
    """All names in some lines."""
    return {name for line in lines for name in _NAME.findall(line)}


def without_unread(lines: Sequence[str], after: str = "") -> list[str]:
    """The lines without constants that neither later lines read nor the text `after` them.

    A constant is read only behind its declaration, up to the next one of its name.
    """
    read, kept = names_in([after]), list[str]()
    for line in reversed(lines):
        found = _DECLARED.fullmatch(line)
        if found and found["name"] not in read:
            continue
        if found:
            read.discard(found["name"])
        read.update(_NAME.findall(found["value"] if found else line))
        kept.append(line)
    return kept[::-1]
