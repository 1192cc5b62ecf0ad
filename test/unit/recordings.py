"""What programs write to a terminal and to a pipe."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = 80
CLEAR, CODES = "\x1b[2K", re.compile(r"\x1b\[[?0-9;]*[A-Za-z]")
"""What clears a line of a terminal, and all codes that steer one."""


def _environment(more: Mapping[str, str]) -> dict[str, str]:
    paths = f"{ROOT}{os.pathsep}{ROOT / 'test'}"
    mine = {"PYTHONPATH": paths, "COLUMNS": str(COLUMNS), "TERM": "xterm"}
    return {**os.environ, **mine, **more}


def on_a_terminal(command: Sequence[str], **more: str) -> str:
    """All that a program writes to a terminal of 80 columns; `more` are environment variables."""
    mine, its = pty.openpty()
    child = subprocess.Popen(command, stdin=its, stdout=its, stderr=its, env=_environment(more))
    os.close(its)
    parts: list[bytes] = []
    while True:
        try:
            part = os.read(mine, 65536)
        except OSError:  # Linux's word for the end of a terminal
            break
        if not part:
            break
        parts.append(part)
    os.close(mine)
    assert child.wait() == 0
    return b"".join(parts).decode()


def through_a_pipe(command: Sequence[str], **more: str) -> list[tuple[str, float]]:
    """The lines that a program writes to a pipe, each with the seconds of silence before it."""
    before = time.monotonic()
    child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=_environment(more))
    assert child.stdout is not None
    lines: list[tuple[str, float]] = []
    for line in child.stdout:
        now = time.monotonic()
        lines.append((line.rstrip("\n"), now - before))
        before = now
    assert child.wait() == 0
    return lines
