"""Environments of the peers, of packages that are at hand: nothing is downloaded."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

import canao.peers.environment as module
from canao.errors import CanaoError, PeerError
from canao.peers.catalogue import ENVIRONMENTS, environment_names
from canao.peers.environment import REQUIREMENTS, Environment, plain_variables


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Environment:
    """One with an empty file of requirements."""
    requirements = tmp_path / "requirements"
    requirements.mkdir()
    (requirements / "empty.txt").write_text("# nothing\n")
    monkeypatch.setattr(module, "REQUIREMENTS", requirements)
    return Environment("empty", tmp_path)


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The modules that an installation runs; here they make an interpreter and no more."""
    modules: list[str] = []

    def run(command: Sequence[str], **_: object) -> subprocess.CompletedProcess[str]:
        modules.append(command[2])
        if command[2] == "venv":
            python = Path(command[3]) / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.touch()
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(module.subprocess, "run", run)
    return modules


def test_an_environment_is_made_once(environment: Environment) -> None:
    assert not environment.is_ready()
    with pytest.raises(PeerError, match="run: canao bench setup empty"):
        environment.check()
    assert environment.install()
    assert environment.python.exists()
    environment.check()
    assert not environment.install()


def test_other_requirements_make_it_again(environment: Environment, steps: list[str]) -> None:
    environment.install()
    environment.requirements.write_text("# nothing else\n")
    assert not environment.is_ready()
    assert environment.install()
    assert environment.is_ready()
    assert steps == ["venv", "pip"] * 2


def test_a_failed_install_leaves_nothing(environment: Environment) -> None:
    environment.requirements.write_text("./no-such-package-here\n")
    with pytest.raises(PeerError, match=r"could not be installed \(.*canao bench setup empty"):
        environment.install()
    assert not environment.directory.exists()


def test_what_was_left_half_made_is_replaced(environment: Environment, steps: list[str]) -> None:
    (environment.directory / "bin").mkdir(parents=True)
    (environment.directory / "bin" / "junk").touch()
    assert environment.install()
    assert environment.python.exists()
    assert not (environment.directory / "bin" / "junk").exists()
    assert steps == ["venv", "pip"]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_requirements_are_pinned(name: str) -> None:
    lines = (REQUIREMENTS / f"{name}.txt").read_text().splitlines()
    listed = [line for line in lines if line and not line.startswith("#")]
    pinned = re.compile(r"[\w.-]+==[\w.]+")
    assert [line for line in listed if not pinned.fullmatch(line)] == []
    assert "torch==2.13.0" in listed


def test_environments_are_named_by_peer_or_environment() -> None:
    assert environment_names(["inductor", "pytorch", "litert"]) == ["pytorch", "litert"]
    with pytest.raises(CanaoError, match="choose from"):
        environment_names(["canao"])


def test_no_package_leaks_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/somewhere")
    assert "PYTHONPATH" not in plain_variables()
    assert sys.executable
