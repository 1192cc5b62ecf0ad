"""The `canao` command line.

Exit status: 0, 1 if it failed, 2 if it was used wrongly.
"""

from __future__ import annotations

import os
import sys

from canao.errors import CanaoError

_FAILED = 1


def main() -> None:
    """Entry point of `canao`."""
    # Libraries draw bars of their own, which read this when they are imported.
    os.environ.setdefault("TQDM_DISABLE", "1")
    from canao.cli.commands import app

    try:
        app()
    except CanaoError as error:
        print(f"canao: {error}", file=sys.stderr)
        sys.exit(_FAILED)
