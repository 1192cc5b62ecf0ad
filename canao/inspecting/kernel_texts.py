"""The part of an emitted text that is a kernel's."""

from __future__ import annotations

import re

from canao.errors import VerificationError

_COMMENT = r"(?:^/\*(?:(?!\*/)[\s\S])*\*/\n)?"
"""The comment before a function, which tells what it does."""


def kernel_text(source: str, name: str) -> str:
    """The function of a kernel with the comment before it, in C or in OpenCL C."""
    head = rf"^[^\n;/*]*\bvoid {re.escape(name)}\((?:[^;{{]|\n)*\{{"
    found = re.search(rf"{_COMMENT}{head}[\s\S]*?^\}}$", source, re.MULTILINE)
    if found is None:
        raise VerificationError(
            f"the emitted text has no function '{name}'; compile the model again"
        )
    return found.group()
