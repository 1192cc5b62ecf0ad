"""What goes wrong with hosts: keys, names, lost connections, disks that are full."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Generator
from dataclasses import replace
from pathlib import Path

import pytest
from unit.devices.conftest import SshServer, cut_when, free_port, is_running, ssh_server, wait_until

from canao.building.cache import Cache
from canao.devices.device import Limits
from canao.devices.shell_device import ShellDevice
from canao.devices.specs import open_device
from canao.devices.ssh import SshShell
from canao.errors import DeviceError


def _device(server: SshServer, cache: Cache, base: Path) -> ShellDevice:
    shell = SshShell("phone", base=str(base), options=("-F", str(server.config)))
    return ShellDevice("ssh:phone", shell, cache, Limits(seconds=60, answer_seconds=20))


@pytest.fixture
def own_server(tmp_path: Path) -> Generator[SshServer]:
    """A server for one test, which may end it."""
    room = tmp_path / "sshd"
    room.mkdir()
    with ssh_server(room) as running:
        yield running


def _changed(server: SshServer, room: Path, old: str, new: str) -> SshServer:
    """The server with other words in the configuration of its client."""
    text = server.config.read_text()
    assert old in text
    (room / "config").write_text(text.replace(old, new))
    return replace(server, config=room / "config")


def test_a_host_whose_key_is_not_known(server: SshServer, cache: Cache, tmp_path: Path) -> None:
    """It is refused, though the user's configuration would take any."""
    known = f"UserKnownHostsFile {server.room}/known_hosts"
    lax = _changed(server, tmp_path, known, "StrictHostKeyChecking no\n  UserKnownHostsFile none")
    with (
        pytest.raises(DeviceError, match=r"connect once by hand and compare its key: ssh phone"),
        _device(lax, cache, tmp_path).opened(),
    ):
        pass


def test_a_host_that_wants_another_key(server: SshServer, cache: Cache, tmp_path: Path) -> None:
    made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(tmp_path / "other")]
    subprocess.run(made, check=True)
    mine = f"IdentityFile {server.room}/user"
    other = _changed(server, tmp_path, mine, f"IdentityFile {tmp_path}/other")
    with (
        pytest.raises(DeviceError, match=r"Permission denied.*it wants a key: ssh-copy-id phone"),
        _device(other, cache, tmp_path).opened(),
    ):
        pass


def test_a_host_where_nobody_listens(cache: Cache) -> None:
    with (
        pytest.raises(DeviceError, match=r"Connection refused; start its ssh server"),
        open_device(f"ssh:127.0.0.1:{free_port()}", cache).opened(),
    ):
        pass


def test_a_directory_that_is_not_there(server: SshServer, cache: Cache, tmp_path: Path) -> None:
    with (
        pytest.raises(DeviceError, match=r"has no room for files in .*; name another directory"),
        _device(server, cache, tmp_path / "none").opened(),
    ):
        pass
    with (
        pytest.raises(DeviceError, match="characters that need quoting"),
        _device(server, cache, tmp_path / "a b").opened(),
    ):
        pass


def test_a_disk_that_is_full(cache: Cache, tmp_path: Path) -> None:
    """The server's files may be of 64 blocks at most: writing more fails in the midst of it."""
    room, base = tmp_path / "sshd", tmp_path / "base"
    room.mkdir()
    base.mkdir()
    large = tmp_path / "large.bin"
    large.write_bytes(bytes(4 << 20))
    limited = room / "limited-sftp"
    limited.write_text("#!/bin/sh\ntrap '' XFSZ\nulimit -f 64\nexec /usr/lib/openssh/sftp-server\n")
    limited.chmod(0o755)
    with ssh_server(room, str(limited)) as server:
        opened = _device(server, cache, base).opened()
        with opened as space, pytest.raises(DeviceError, match=r"was not copied to .*large.bin"):
            space.push({"one/large.bin": large})
        assert list(base.iterdir()) == []


@pytest.mark.parametrize("ended", ["one connection", "the server"])
def test_a_connection_that_is_lost(
    own_server: SshServer, cache: Cache, tmp_path: Path, programs: dict[str, Path], ended: str
) -> None:
    """In the middle of a run: an error, and the program does not go on for ever."""
    device = _device(own_server, cache, tmp_path)
    device = replace(device, limits=replace(device.limits, seconds=3))

    cutter = threading.Thread(
        target=cut_when,
        args=((tmp_path / "pid").exists, own_server.pid),
        kwargs={"whole": ended == "the server"},
    )
    lost = pytest.raises(DeviceError, match=r"the connection to phone \(ssh\) was lost")
    with lost, device.opened() as space:
        space.push({"one/hang": programs["hang"]})
        cutter.start()
        space.run("one", ["./hang", str(tmp_path / "pid")])
    cutter.join()
    wait_until(lambda: not is_running(int((tmp_path / "pid").read_text())))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("ssh:", "names no device"),
        ("ssh", "names no device"),
        ("ssh:host:no", "'no' is no port"),
        ("ssh:host:70000", "'70000' is no port"),
        ("ssh:-oProxyCommand=x", "is no host of ssh"),
        ("ssh:a b", "is no host of ssh"),
        ("adb:-s", "is no serial number"),
        ("adb:a;b", "is no serial number"),
        ("qemu:../x", "is no processor of QEMU"),
        ("qemu:z80", r"there is no qemu-z80; .* installed: .*aarch64"),
        ("local:x", "names no device"),
        ("usb:1", "names no device; write local, qemu:"),
    ],
)
def test_specs_that_make_no_sense(cache: Cache, spec: str, message: str) -> None:
    with pytest.raises(DeviceError, match=message):
        open_device(spec, cache)


def test_specs() -> None:
    def shell(spec: str) -> object:
        device = open_device(spec, Cache())
        assert isinstance(device, ShellDevice)
        return device.shell

    assert shell("ssh:me@phone:8022/data/me") == SshShell("me@phone", 8022, "/data/me")
    assert shell("ssh:phone") == SshShell("phone")
    assert shell("ssh:me@[fe80::1]") == SshShell("me@[fe80::1]")
