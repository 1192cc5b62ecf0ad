"""What the Makefile says of a machine that lacks what it cannot install."""

from __future__ import annotations

import os
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
    python = _program(
        tmp_path / "python", f'case "$*" in *{refused}*) echo noise >&2; exit 1;; esac'
    )
    done = _make(tmp_path, ".venv/bin/python", f"PYTHON={python}")
    assert message.format(python=python) in _only_line(done)
    assert "creating" not in done.stdout
    assert not (tmp_path / ".venv").exists()


def test_a_full_disk(tmp_path: Path) -> None:
    """An environment is begun only where there is room for it."""
    python = _program(tmp_path / "python", "exit 0")
    _program(tmp_path / "bin" / "df", "echo head; echo disk 9000000 8000000 1000000 89% /")
    done = _make(tmp_path, ".venv/bin/python", f"PYTHON={python}")
    assert f"needs 5 GB for the packages that it installs, and the disk of {tmp_path} has less" in (
        _only_line(done)
    )
    assert "creating" not in done.stdout


@pytest.mark.parametrize("stamp", ["run", "dev"])
def test_an_index_that_cannot_be_reached(stamp: str, tmp_path: Path) -> None:
    """It is asked for one package before all are."""
    for name in ("models", "data", "android"):
        (tmp_path / "requirements").mkdir(exist_ok=True)
        (tmp_path / "requirements" / f"{name}.txt").touch()
    (tmp_path / "pyproject.toml").touch()
    _program(tmp_path / ".venv" / "bin" / "python", f"echo $* >> {tmp_path}/calls; exit 1")
    done = _make(tmp_path, f".venv/{stamp}.stamp")
    assert "PyPI, which pip cannot reach: see to the network" in _only_line(done)
    assert "installing" not in done.stdout
    (call,) = (tmp_path / "calls").read_text().splitlines()
    assert "--dry-run" in call


def test_packages_that_may_not_be_installed(tmp_path: Path) -> None:
    """Who may not install packages of the system is told which are missing, before all else."""
    for name, text in (("cc", "exit 1"), ("id", "echo 1000"), ("sudo", "exit 1")):
        _program(tmp_path / "bin" / name, text)
    done = _make(tmp_path, "test")
    assert "missing here: install opencl-headers" in done.stderr.splitlines()[0]
    assert not (tmp_path / ".venv").exists()


def _program(path: Path, text: str) -> Path:
    """A shell script in place of a program."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return path


def _make(directory: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """How make ends in a directory whose programs in `bin` come before others."""
    shutil.copy(MAKEFILE, directory)
    path = f"{directory / 'bin'}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "MAKEFLAGS": ""}
    done = subprocess.run(
        ["make", "--silent", *arguments],
        cwd=directory,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    return done


def _only_line(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of canao among errors."""
    (said,) = [line for line in done.stderr.splitlines() if line.startswith("canao")]
    return said
