"""The virtual environments of the peers: one each, from a file of pinned requirements."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import filelock
import platformdirs

from canao.building.cache import digest
from canao.errors import PeerError

REQUIREMENTS = Path(__file__).with_name("requirements")
_STAMP = "canao-requirements"
# What would let packages of one environment into another.
_FOREIGN = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")


def default_home() -> Path:
    """Where environments, models and conversions are kept unless an option says otherwise."""
    return platformdirs.user_cache_path("canao") / "peers"


@dataclass(frozen=True)
class Environment:
    """A virtual environment; it may not exist yet."""

    name: str
    home: Path

    @property
    def directory(self) -> Path:
        """The virtual environment."""
        return self.home / "environments" / self.name

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.directory / "bin" / "python"

    @property
    def requirements(self) -> Path:
        """The pinned packages in it."""
        return REQUIREMENTS / f"{self.name}.txt"

    @property
    def fingerprint(self) -> str:
        """Changes with the pinned packages and the interpreter's version."""
        version = ".".join(map(str, sys.version_info[:3]))
        return digest(version, self.requirements.read_text(encoding="utf-8"))

    def is_ready(self) -> bool:
        """Whether it was installed to the end, from the requirements of today."""
        try:
            return (self.directory / _STAMP).read_text(encoding="utf-8") == self.fingerprint
        except OSError:
            return False

    def check(self) -> None:
        """`PeerError` with the command that installs it, if it is not ready."""
        if not self.is_ready():
            raise PeerError(
                f"the environment '{self.name}' is not installed in {self.home}; "
                f"run: canao bench setup {self.name}"
            )

    def install(self, pip_options: Sequence[str] = ()) -> bool:
        """Make it unless it is ready; returns whether that was needed.

        `pip_options` are passed on to `pip install`. If a step fails nothing
        is left behind.
        """
        self.directory.parent.mkdir(parents=True, exist_ok=True)
        with filelock.FileLock(self.directory.with_suffix(".lock")):
            if self.is_ready():
                return False
            shutil.rmtree(self.directory, ignore_errors=True)
            try:
                self._run(sys.executable, "-m", "venv", str(self.directory))
                self._run(
                    str(self.python),
                    *("-m", "pip", "install", "--disable-pip-version-check", "--no-input"),
                    *("--quiet", *pip_options),
                    *("--requirement", str(self.requirements)),
                )
                (self.directory / _STAMP).write_text(self.fingerprint, encoding="utf-8")
            except BaseException:
                shutil.rmtree(self.directory, ignore_errors=True)
                raise
        return True

    def _run(self, *command: str) -> None:
        done = subprocess.run(
            command,
            env=plain_variables(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if done.returncode:
            said = [line for line in done.stderr.splitlines() if "error" in line.lower()]
            reason = (said or done.stderr.splitlines() or ["no message"])[-1].strip()
            raise PeerError(
                f"the environment '{self.name}' could not be installed ({reason}); see that the "
                "package index can be reached and the disk has a few GB free, then run again: "
                f"canao bench setup {self.name}"
            )


def plain_variables() -> dict[str, str]:
    """The environment variables without those that mix virtual environments."""
    return {name: value for name, value in os.environ.items() if name not in _FOREIGN}
