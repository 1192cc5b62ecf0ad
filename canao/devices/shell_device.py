"""A device behind a shell: this machine, a host, a phone."""

from __future__ import annotations

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from canao.building.cache import Cache, digest
from canao.devices.device import MILLISECONDS, Limits
from canao.devices.shell import LocalShell, Shell
from canao.devices.workspace import ShellWorkspace, ask, is_plain
from canao.errors import DeviceError

_DESIGN = "model name|Hardware|CPU implementer|CPU part|CPU variant|uarch|isa"
"""What /proc/cpuinfo has for the design of a processor: on x86, on ARM, on RISC-V."""
_PROCESSORS = f"grep -E '^({_DESIGN})[[:space:]]*:' /proc/cpuinfo 2>/dev/null | sort -u; exit_as 0"
_MOST_TOLD = 400
"""Characters that are kept of that."""


@dataclass(frozen=True)
class ShellDevice:
    """See `canao.devices.device.Device`; costs are the milliseconds that programs print."""

    spec: str
    shell: Shell
    cache: Cache
    """Where the locks of devices are: whoever shares it takes turns."""
    limits: Limits = field(default_factory=Limits)

    @property
    def title(self) -> str:
        """See `Device`."""
        return self.shell.title

    @property
    def unit(self) -> str:
        """See `Device`."""
        return MILLISECONDS

    @property
    def most_threads(self) -> int | None:
        """See `Device`."""
        return None

    def architecture(self) -> str:
        """See `Device`."""
        return self._architecture

    @cached_property
    def _architecture(self) -> str:
        ran = ask(self.shell, "uname -m", self.limits)
        name = ran.stdout.strip()
        if ran.status or not name.replace("_", "").isalnum():
            raise DeviceError(f"{self.title} does not tell its processor (uname -m): '{name[:80]}'")
        return name

    def processor(self) -> str:
        """See `Device`: what Linux tells of the design of its cores, each kind once."""
        return self._processor

    @cached_property
    def _processor(self) -> str:
        ran = ask(self.shell, _PROCESSORS, self.limits)
        kinds = (" ".join(line.split()) for line in ran.stdout.splitlines())
        return "; ".join(kinds)[:_MOST_TOLD] or self.architecture()

    @contextmanager
    def opened(self) -> Generator[ShellWorkspace]:
        """See `Device`."""
        base, limits = self.shell.base.rstrip("/"), self.limits
        if not is_plain(base):
            raise DeviceError(
                f"the directory '{base}' of {self.title} has characters that need quoting; name "
                "one of letters, digits, dots and dashes"
            )
        path = f"{base}/canao-{secrets.token_hex(8)}"
        lock = self.cache.lock(_lock_name(self.shell.identity))
        with lock, self.shell.connected() as shell:
            made = ask(shell, f"umask 077 && mkdir {path}", limits)
            if made.status:
                raise DeviceError(
                    f"{self.title} has no room for files in {base} "
                    f"({made.stderr.strip()[-200:]}); name another directory there"
                )
            try:
                yield self._workspace(shell, path)
            finally:
                # Where the connection is lost for good, the error on its way says so.
                ask(shell, f"rm -rf {path}", limits, lost="")

    def _workspace(self, shell: Shell, path: str) -> ShellWorkspace:
        return ShellWorkspace(shell, path, self.limits)


def _lock_name(identity: str) -> str:
    return identity if identity == LocalShell.identity else digest("device", identity)
