"""Phones by adb: what Debian's client asks of its server, and what can go wrong."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Generator
from pathlib import Path

import pytest
from unit.devices.adb_server import VERSION, Phone, adb_server
from unit.devices.conftest import free_port

from canao.building.cache import Cache
from canao.devices.adb import AdbShell, attached_phones
from canao.devices.device import Limits
from canao.devices.shell_device import ShellDevice
from canao.errors import DeviceError


@pytest.fixture
def phone(monkeypatch: pytest.MonkeyPatch) -> Generator[Phone]:
    """A phone that is attached."""
    found = Phone("R58-N_1.x:5555")
    with adb_server(found) as server:
        monkeypatch.setenv("ADB_SERVER_SOCKET", f"tcp:127.0.0.1:{server.port}")
        yield found


def _device(phone: Phone, cache: Cache, base: Path) -> ShellDevice:
    limits = Limits(seconds=5, answer_seconds=10)
    return ShellDevice("adb", AdbShell(phone.serial, str(base)), cache, limits)


def test_the_dialogue(
    phone: Phone, cache: Cache, tmp_path: Path, programs: dict[str, Path]
) -> None:
    """What the client asks, in order; the server is asked for nothing else."""
    with _device(phone, cache, tmp_path).opened() as space:
        phone.asked.clear()
        space.push({"one/work": programs["work"]})
        pushed = list(phone.asked)
        phone.asked.clear()
        ran = space.run("one", ["./work", "1000"])
        space.pull("one/work", tmp_path / "back")
    assert ran.stdout == "499500\n"
    assert (tmp_path / "back").read_bytes() == programs["work"].read_bytes()
    begin = ["host:version", f"host-serial:{phone.serial}:features"]
    begin.append(f"host:tport:serial:{phone.serial}")
    shell, copy = [*begin, "shell"], [*begin, "sync:", "STAT", "SEND"]
    assert [asked.split("|")[0] for asked in map(_kind, pushed)] == [*shell, *copy]
    assert [_kind(asked) for asked in phone.asked] == [
        *shell, *begin, "sync:", "STAT", "RECV", *shell,
    ]  # fmt: skip
    assert pushed[-1].endswith(f"/one/work,{programs['work'].stat().st_mode}")


def _kind(asked: str) -> str:
    """A request without the script or the path that it has."""
    for kind in ("shell", "STAT", "SEND", "RECV"):
        if asked.startswith(kind):
            return kind
    return asked


def test_phones_are_listed(phone: Phone) -> None:
    (found,) = attached_phones()
    assert (found.serial, found.state, found.model) == (phone.serial, "device", "Test_Phone")


@pytest.mark.parametrize(
    ("state", "message"),
    [
        ("unauthorized", "unlock the phone and allow this computer"),
        ("offline", "device offline; unplug it and plug it in again"),
    ],
)
def test_a_phone_that_does_not_answer(
    phone: Phone, cache: Cache, tmp_path: Path, state: str, message: str
) -> None:
    phone.state = state
    with pytest.raises(DeviceError, match=message), _device(phone, cache, tmp_path).opened():
        pass


def test_another_phone(phone: Phone, cache: Cache, tmp_path: Path) -> None:
    device = _device(Phone("other"), cache, tmp_path)
    with pytest.raises(DeviceError, match=r"device 'other' not found; adb devices lists"):
        device.architecture()


def test_a_phone_that_is_full(
    phone: Phone, cache: Cache, tmp_path: Path, programs: dict[str, Path]
) -> None:
    phone.room = 1000
    opened = _device(phone, cache, tmp_path).opened()
    full = pytest.raises(DeviceError, match=r"No space left on device.*; free some space on the")
    with opened as space, full:
        space.push({"one/work": programs["work"]})


def test_a_phone_that_is_unplugged(
    phone: Phone, cache: Cache, tmp_path: Path, programs: dict[str, Path]
) -> None:
    opened = _device(phone, cache, tmp_path).opened()
    lost = pytest.raises(DeviceError, match=r"the connection to .* \(adb\) was lost")
    with opened as space, lost:
        space.push({"one/work": programs["work"]})
        phone.hangs_up = True
        space.run("one", ["./work", "10"])


def test_no_adb(
    phone: Phone, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(DeviceError, match=r"adb could not be started .*; install it"):
        attached_phones()


def test_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    """None is started to look at phones."""
    port = free_port()
    monkeypatch.setenv("ADB_SERVER_SOCKET", f"tcp:127.0.0.1:{port}")
    with pytest.raises(DeviceError, match="the server of adb does not run; to see phones"):
        attached_phones()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), 1)


def test_the_client_is_of_this_protocol() -> None:
    said = subprocess.run(["adb", "--version"], capture_output=True, text=True, check=True).stdout
    assert f"version 1.0.{VERSION}" in said
