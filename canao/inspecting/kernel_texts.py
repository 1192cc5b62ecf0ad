"""The part of an emitted text that is a kernel's."""

from __future__ import annotations

import re

from canao.errors import VerificationError


def kernel_text(source: str, name: str) -> str:
    """The function of a kernel with the comment before it, in C or in OpenCL C.

    The comment begins with the kernel's name; the function may have another, where the language
    has a use of its own for that.
    """
    comment = rf"^/\* {re.escape(name)}: (?:(?!\*/)[\s\S])*\*/\n"
    found = re.search(rf"{comment}[\s\S]*?^\}}$", source, re.MULTILINE)
    if found is None:
        raise VerificationError(f"the emitted text has no kernel '{name}'; compile the model again")
    return found.group()
