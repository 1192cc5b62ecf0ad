"""Processors that QEMU emulates: what a program costs there is the instructions it executes.

Emulated time means nothing: an instruction of vectors takes many times as long as one of
integers, and neither says anything of the processor that is meant.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from importlib.resources import files
from math import ceil
from pathlib import Path

from canao.building.cache import Cache, digest
from canao.building.library import explain_refusal, run_compiler
from canao.building.toolchain import find_compiler
from canao.devices.device import INSTRUCTIONS, Sample
from canao.devices.shell import LocalShell, Shell
from canao.devices.shell_device import ShellDevice
from canao.devices.state import State
from canao.devices.workspace import ShellWorkspace
from canao.errors import DeviceError, ExecutionError, ToolchainError
from canao.machine.target import Target
from canao.machine.targets import TARGETS

_ARCHITECTURE = re.compile(r"[a-z0-9_]+")
_VERSION = re.compile(r"version (\d+)\.(\d+)(\S*)")
_FLAGS = ("-std=c11", "-O2", "-fPIC", "-shared", "-fvisibility=hidden")
_SECOND_INTERFACE = (8, 2)
"""The version of QEMU from which on plugins have to say 2 as theirs."""
_ENOUGH, _MOST_RUNS = 10_000_000, 100
"""Printing a latency takes some hundred instructions more or fewer, by its digits: programs are
run until they executed so many, or so often, so that this does not show."""
_PREFIX = "qemu-"
_PLUGIN, _COUNT = "count.so", "instructions"
_CPUS = {"aarch64": "max", "arm": "max", "x86_64": "max"}
"""Where all features can be had at once, what that is called."""
_NAMES = {"arm": "armv7l"}
"""What `uname -m` has for an emulated processor, where that is not the emulator's name."""


@dataclass(frozen=True)
class Emulator:
    """A user-mode emulator of QEMU."""

    architecture: str
    path: str

    @staticmethod
    def find(architecture: str) -> Emulator:
        """The emulator of an architecture; `DeviceError` if it is not installed."""
        if not _ARCHITECTURE.fullmatch(architecture):
            raise DeviceError(f"'{architecture}' is no processor of QEMU; write qemu:aarch64")
        for name in (f"qemu-{architecture}", f"qemu-{architecture}-static"):
            path = shutil.which(name)
            if path:
                return Emulator(architecture, path)
        known = ", ".join(e.architecture for e in installed_emulators()) or "none"
        raise DeviceError(
            f"there is no qemu-{architecture}; install it (apt install qemu-user), or choose one "
            f"that is installed: {known}"
        )

    @cached_property
    def version(self) -> tuple[int, int]:
        """The first two numbers of its version."""
        said = self._said("--version")
        found = _VERSION.search(said)
        if found is None:
            raise DeviceError(f"{self.path} does not tell its version; install QEMU again")
        return int(found[1]), int(found[2])

    @cached_property
    def takes_plugins(self) -> bool:
        """Whether it was built with the interface that counts instructions."""
        return "-plugin" in self._said("-help")

    def _said(self, option: str) -> str:
        try:
            done = subprocess.run(
                [self.path, option], capture_output=True, text=True, timeout=30, check=False
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise DeviceError(f"{self.path} cannot be started ({error})") from error
        return done.stdout + done.stderr


def installed_emulators() -> list[Emulator]:
    """The emulators that are on PATH for processors that code is made for."""
    programs = {program for row in TARGETS for program in row.emulator[:1]}
    programs.add(f"{_PREFIX}{Target.host().architecture}")
    found = ((name.removeprefix(_PREFIX), shutil.which(name)) for name in sorted(programs))
    return [Emulator(name, path) for name, path in found if path]


@dataclass(frozen=True)
class QemuWorkspace(ShellWorkspace):
    """See `Workspace`; a sample counts instructions."""

    emulator: tuple[str, ...] = ()
    plugin: Path = field(default_factory=Path)

    def state(self) -> State:
        """See `Workspace`: nothing that decides how many instructions are executed."""
        return State()

    def sample(
        self, folder: str, words: Sequence[str], *, runs: int, cores: Sequence[int] = ()
    ) -> Sample:
        """See `Workspace`: the instructions of more runs beside those of one.

        What a program does once, such as reading its weights, is in both and falls away.
        """
        once = self._counted(folder, words, 1)
        more = self._counted(folder, words, 1 + runs)
        if 0 < more - once < _ENOUGH:
            runs = min(ceil(_ENOUGH * runs / (more - once)), _MOST_RUNS)
            more = self._counted(folder, words, 1 + runs)
        if more <= once:
            raise ExecutionError(
                f"{words[0]} executed {more} instructions in {1 + runs} runs and {once} in one: it "
                "is no program that canao exported"
            )
        cost = (more - once) / runs
        return Sample(cost, cost, cost)

    def _counted(self, folder: str, words: Sequence[str], runs: int) -> int:
        """The instructions of a program from its start to its end."""
        out = f"{self.path}/{_COUNT}"
        counting = (*self.emulator, "-plugin", f"{self.plugin},out={out}")
        counted = ShellWorkspace(self.shell, self.path, self.limits, partial(_behind, counting))
        counted.run(folder, [words[0], "--time", str(runs), *words[1:]])
        try:
            return int(Path(out).read_text(encoding="ascii"))
        except (OSError, ValueError) as error:
            raise ExecutionError(
                f"{counting[0]} did not count the instructions of {words[0]} ({error})"
            ) from error
        finally:
            Path(out).unlink(missing_ok=True)


def _behind(emulator: Sequence[str], words: Sequence[str]) -> list[str]:
    return [*emulator, *words]


@dataclass(frozen=True)
class QemuDevice(ShellDevice):
    """An emulated processor of this machine."""

    emulator: Emulator = field(kw_only=True)

    @property
    def cpu(self) -> str:
        """The processor that is emulated, by its name of QEMU; empty for its usual one."""
        return _CPUS.get(self.emulator.architecture, "")

    @property
    def title(self) -> str:
        """See `Device`."""
        major, minor = self.emulator.version
        cpu = f" ({self.cpu})" if self.cpu else ""
        return f"qemu-{self.emulator.architecture} {major}.{minor}{cpu}"

    @property
    def unit(self) -> str:
        """See `Device`."""
        return INSTRUCTIONS

    @property
    def most_threads(self) -> int | None:
        """See `Device`: a thread that waits for others executes instructions too."""
        return 1

    def architecture(self) -> str:
        """See `Device`."""
        name = self.emulator.architecture
        return _NAMES.get(name, name)

    def processor(self) -> str:
        """See `Device`: that which is emulated."""
        return self.title

    def _workspace(self, shell: Shell, path: str) -> ShellWorkspace:
        command = (self.emulator.path, *(("-cpu", self.cpu) if self.cpu else ()))
        return QemuWorkspace(
            shell,
            path,
            self.limits,
            partial(_behind, command),
            emulator=command,
            plugin=counting_plugin(self.emulator, self.cache),
        )


def emulated_shell(base: str, architecture: str) -> LocalShell:
    """The shell of this machine, under a lock for emulators of one architecture."""
    return LocalShell(base, f"qemu {architecture}", f"qemu-{architecture}")


def counting_plugin(emulator: Emulator, cache: Cache) -> Path:
    """The plugin that counts instructions, compiled here once for each interface of QEMU."""
    if not emulator.takes_plugins:
        raise DeviceError(
            f"{emulator.path} was built without plugins, so it cannot count instructions; install "
            "that of your distribution, or QEMU 7 or later"
        )
    version = 2 if emulator.version >= _SECOND_INTERFACE else 1
    source = files("canao.devices").joinpath("support", "count_instructions.c").read_text("utf-8")
    compiler = find_compiler()
    key = digest("plugin", source, str(version), *compiler.command, compiler.version, *_FLAGS)
    with cache.lock(key):
        found = cache.find(key)
        if found is not None:
            return found.file(_PLUGIN)
        with cache.scratch() as room:
            unit, made = room / "count.c", room / _PLUGIN
            unit.write_text(source, encoding="utf-8")
            flags = (*_FLAGS, f"-DCANAO_PLUGIN_VERSION={version}")
            words = [*compiler.command, *flags, "-o", str(made), str(unit)]
            result = run_compiler(words, room)
            if result.returncode or not made.exists():
                raise ToolchainError(explain_refusal(compiler, flags, result, room))
            return cache.store(key, {_PLUGIN: made}, {}).file(_PLUGIN)
