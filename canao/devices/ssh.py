"""Hosts by the ssh of the system: its configuration, its keys, its list of known hosts."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from canao.devices.processes import Finished, run_limited
from canao.devices.shell import Shell
from canao.errors import DeviceError

_HOST = re.compile(r"(?!-)[A-Za-z0-9_.%+@:\[\]-]+")
_ADVICE = (
    ("Host key verification failed", "connect once by hand and compare its key: ssh {host}"),
    ("REMOTE HOST IDENTIFICATION", "its key has changed; find out why before you remove the old"),
    ("Permission denied", "it wants a key: ssh-copy-id {host}, and load yours into ssh-agent"),
    ("Could not resolve", "correct the name, or give it a HostName in ~/.ssh/config"),
    ("Connection refused", "start its ssh server, or correct the port"),
    ("timed out", "see that it is on and reachable"),
    ("No route to host", "see that it is on and reachable"),
)
_SIGN_OF_LIFE = ("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3")
_CONNECT_SECONDS = 15
_LONGEST_SOCKET = 80
"""Longer paths are none for a socket once ssh has added to them."""


@dataclass(frozen=True)
class SshShell:
    """The shell of a host, by OpenSSH's client.

    Nothing is typed: keys come from files or an agent, and a host whose key is not known is
    refused, whatever the user's configuration says of that.
    """

    host: str
    """A name of ~/.ssh/config, or user@host."""
    port: int | None = None
    base: str = "/tmp"  # noqa: S108 - each run makes a directory of its own there, for itself alone
    options: tuple[str, ...] = ()
    """More options of ssh and scp, such as `-F FILE`."""

    def __post_init__(self) -> None:
        if not _HOST.fullmatch(self.host):
            raise DeviceError(f"'{self.host}' is no host of ssh; write ssh:user@host:port")

    @property
    def title(self) -> str:
        """See `Shell`."""
        return f"{self.host} (ssh)"

    @property
    def identity(self) -> str:
        """See `Shell`: the address, by whatever name it is meant."""
        return self._address

    @cached_property
    def _address(self) -> str:
        found = self._client("-G", "--", self.host)
        settings = dict(line.split(" ", 1) for line in found.stdout.splitlines() if " " in line)
        if found.status or "hostname" not in settings:
            raise DeviceError(f"ssh does not understand '{self.host}': {found.last_words}")
        return f"ssh {settings['hostname']} {settings.get('port', '22')}"

    def _options(self, port: str) -> list[str]:
        safe = ("BatchMode=yes", "StrictHostKeyChecking=yes", "LogLevel=ERROR")
        words = [*self.options, *_SIGN_OF_LIFE, "-o", f"ConnectTimeout={_CONNECT_SECONDS}"]
        for option in safe:
            words += ["-o", option]
        return words if self.port is None else [*words, port, str(self.port)]

    @contextmanager
    def connected(self) -> Generator[Shell]:
        """See `Shell`: a first client logs in, and the others go through its connection.

        Else the arithmetic of each log-in would run on the host between measurements.
        """
        with tempfile.TemporaryDirectory(prefix="canao-") as room:
            socket = f"{room}/ssh"
            if len(socket) > _LONGEST_SOCKET:
                yield self
                return
            first = ["-M", "-N", "-f", "-S", socket, "--", self.host]
            begun = self._client(*first, seconds=3.0 * _CONNECT_SECONDS)
            if begun.status or begun.late:
                raise DeviceError(self.explain(begun))
            try:
                yield replace(self, options=(*self.options, "-o", f"ControlPath={socket}"))
            finally:
                self._client("-O", "exit", "-S", socket, "--", self.host)

    def _client(self, *words: str, seconds: float = _CONNECT_SECONDS) -> Finished:
        command = ["ssh", *self._options("-p"), *words]
        return run_limited(command, seconds=seconds, output_bytes=1 << 20)

    def say(self, script: str, *, seconds: float, output_bytes: int) -> Finished:
        """See `Shell`: the script goes by standard input, so that no shell takes it apart."""
        command = ["ssh", *self._options("-p"), "-T", "--", self.host, "sh -s"]
        return run_limited(command, seconds=seconds, output_bytes=output_bytes, stdin=script)

    def push(self, files: Mapping[str, Path], *, seconds: float) -> None:
        """See `Shell`."""
        for target, file in files.items():
            self._copy(str(file.absolute()), f"{self._place}:{target}", seconds)

    def pull(self, source: str, file: Path, *, seconds: float) -> None:
        """See `Shell`."""
        self._copy(f"{self._place}:{source}", str(file.absolute()), seconds)

    @property
    def _place(self) -> str:
        """The host as scp takes it: the address of IPv6 in brackets."""
        user, at, name = self.host.rpartition("@")
        bare = name.strip("[]")
        return f"{user}{at}[{bare}]" if ":" in bare else self.host

    def _copy(self, source: str, target: str, seconds: float) -> None:
        command = ["scp", "-q", *self._options("-P"), "--", source, target]
        done = run_limited(command, seconds=seconds, output_bytes=1 << 16)
        if done.late:
            raise DeviceError(f"{source} was not copied to {target} within {seconds:g} s")
        if done.status:
            raise DeviceError(f"{source} was not copied to {target} ({self.explain(done)})")

    def explain(self, finished: Finished) -> str:
        """See `Shell`."""
        said = finished.last_words
        for words, advice in _ADVICE:
            if words in finished.stderr:
                told = advice.format(host=self.host)
                return f"{self.title} cannot be used: {said}; {told}"
        return f"the connection to {self.title} was lost: {said or 'nothing was said'}"
