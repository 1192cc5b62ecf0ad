"""Comments in C, whatever they are made from."""

from __future__ import annotations

import re
from collections.abc import Sequence

# No backslash, which could join lines, and no question mark, which could begin a trigraph.
_UNFIT = re.compile(r"[^A-Za-z0-9 _.,:;()<>\[\]{}@$%&+=*/'-]")
_MARKS = re.compile(r"\*(?=/)|/(?=\*)")


def comment(lines: Sequence[str]) -> str:
    """A comment of some lines: nothing in them can end it or begin another."""
    fit = [_MARKS.sub(r"\g<0> ", _UNFIT.sub("_", line)) for line in lines]
    return "/* " + "\n * ".join(fit) + " */"
