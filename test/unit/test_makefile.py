"""What the Makefile says of a machine that lacks what it cannot install."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

MAKEFILE = Path(__file__).resolve().parents[2] / "Makefile"


@pytest.mark.parametrize(
    ("refused", "message"),
    [
        ("version_info", "canao needs Python 3.11 or newer; {python} is older"),
        ("ensurepip", "modules venv and ensurepip, which {python} lacks: install them"),
    ],
)
def test_an_interpreter_that_will_not_do(refused: str, message: str, tmp_path: Path) -> None:
    """One line says so before an environment is begun."""
    shutil.copy(MAKEFILE, tmp_path)
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\ncase "$*" in *{refused}*) echo noise >&2; exit 1;; esac\n')
    python.chmod(0o755)
    command = ["make", "--silent", ".venv/bin/python", f"PYTHON={python}"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    said = [line for line in done.stderr.splitlines() if line.startswith("canao ")]
    assert len(said) == 1
    assert message.format(python=python) in said[0]
    assert "creating" not in done.stdout
    assert not (tmp_path / ".venv").exists()
