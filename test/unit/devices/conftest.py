"""Programs that behave and misbehave, an ssh server, and a server of adb."""

from __future__ import annotations

import getpass
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from canao.building.cache import Cache

_PROGRAMS = {
    "work": """
#include <stdio.h>
#include <stdlib.h>
int main(int count, char **words) {
  long turns = strtol(words[count - 1], NULL, 10);
  volatile long sum = 0;
  for (long n = 0; n < turns; ++n) sum += n;
  printf("%ld\\n", sum);
  return 0;
}""",
    "crash": "#include <signal.h>\nint main(void) { raise(SIGSEGV); return 0; }",
    "illegal": "#include <signal.h>\nint main(void) { raise(SIGILL); return 0; }",
    "hang": """
#include <stdio.h>
#include <unistd.h>
int main(int count, char **words) {
  FILE *file = fopen(words[count - 1], "w");
  fprintf(file, "%ld\\n", (long)getpid());
  fclose(file);
  for (;;) pause();
}""",
    "fail": """
#include <stdio.h>
int main(void) { fputs("cannot use weights.bin: cut off\\n", stderr); return 255; }""",
    "flood": """
#include <stdio.h>
int main(void) { for (;;) puts("garbage"); }""",
    "garbage": """
#include <stdio.h>
int main(void) { puts("latency: fast\\033[31m"); return 0; }""",
}


@pytest.fixture(scope="session")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Small programs in C, by what they do."""
    room = tmp_path_factory.mktemp("programs")
    for name, text in _PROGRAMS.items():
        (room / f"{name}.c").write_text(text)
        command = ["cc", "-O1", "-o", str(room / name), str(room / f"{name}.c")]
        subprocess.run(command, check=True)
    return {name: room / name for name in _PROGRAMS}


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def is_running(pid: int) -> bool:
    """Whether a process is there that does something."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return text.rpartition(")")[2].split()[0] != "Z"


def wait_until(true: Callable[[], bool], seconds: float = 30.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


@dataclass(frozen=True)
class SshServer:
    """A server of ssh on this machine, with keys of its own."""

    port: int
    config: Path
    """The configuration of a client that may log in."""
    pid: int
    room: Path

    @property
    def user(self) -> str:
        return getpass.getuser()


@contextmanager
def ssh_server(room: Path, subsystem: str = "internal-sftp") -> Generator[SshServer]:
    """A server that takes one key, on a port of the loopback."""
    for name in ("host", "user"):
        made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(room / name)]
        subprocess.run(made, check=True)
    (room / "authorized").write_bytes((room / "user.pub").read_bytes())
    port = free_port()
    (room / "sshd_config").write_text(
        f"""Port {port}
ListenAddress 127.0.0.1
HostKey {room}/host
PidFile {room}/sshd.pid
AuthorizedKeysFile {room}/authorized
PubkeyAuthentication yes
PasswordAuthentication no
KbdInteractiveAuthentication no
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
Subsystem sftp {subsystem}
"""
    )
    key = (room / "host.pub").read_text().split()
    (room / "known_hosts").write_text(f"[127.0.0.1]:{port} {key[0]} {key[1]}\n")
    config = room / "client_config"
    config.write_text(
        f"""Host phone
  HostName 127.0.0.1
  Port {port}
  User {getpass.getuser()}
  IdentityFile {room}/user
  IdentitiesOnly yes
  UserKnownHostsFile {room}/known_hosts
  GlobalKnownHostsFile /dev/null
"""
    )
    # Where the server runs as root it wants this directory, whatever its configuration says.
    if getpass.getuser() == "root":
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
    log = (room / "log").open("wb")
    server = subprocess.Popen(
        ["/usr/sbin/sshd", "-D", "-e", "-f", str(room / "sshd_config")], stdout=log, stderr=log
    )
    try:
        wait_until(lambda: _answers(port) or server.poll() is not None)
        assert server.poll() is None, (room / "log").read_text()
        yield SshServer(port, config, server.pid, room)
    finally:
        server.terminate()
        server.wait()
        log.close()


def cut_when(true: Callable[[], bool], server: int, *, whole: bool = False) -> None:
    """End the connections of a server of ssh once something is true, and the `whole` of it."""
    wait_until(true, seconds=150)  # what is true when a program runs may wait for compilers
    serving = _descendants(server)
    mine = [pid for pid in serving if b"sshd" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    for pid in [server, *mine] if whole else mine:
        os.kill(pid, signal.SIGKILL)


def _descendants(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [found for child in map(int, children) for found in (child, *_descendants(child))]


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), 1) as connection:
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Generator[SshServer]:
    """One server for all tests that do nothing to it."""
    with ssh_server(tmp_path_factory.mktemp("sshd")) as running:
        yield running
