"""The command `canao`, run within a test."""

from __future__ import annotations

import sys

import pytest

from canao.cli import main


def run_command(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """The exit status of `canao` with these arguments."""
    monkeypatch.setattr(sys, "argv", ["canao", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        main()
    code = ended.value.code
    return code if isinstance(code, int) else 0
