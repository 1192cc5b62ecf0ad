"""What devices promise, kept by this machine, an emulator of it, and a real ssh server."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Generator
from pathlib import Path

import pytest
from unit.devices.adb_server import Phone, adb_server
from unit.devices.conftest import SshServer, is_running, wait_until

from canao.building.cache import Cache
from canao.devices.adb import AdbShell
from canao.devices.device import Device, Limits
from canao.devices.shell import LocalShell
from canao.devices.shell_device import ShellDevice
from canao.devices.specs import open_device
from canao.devices.ssh import SshShell
from canao.errors import DeviceError, ExecutionError
from canao.machine.target import Target

Make = Callable[[Limits], Device]
NATIVE = Target.host().architecture


@pytest.fixture(params=["local", "qemu", "ssh", "adb", "old adb"])
def make(
    request: pytest.FixtureRequest, cache: Cache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Generator[Make]:
    """Makes a device with limits; its directories are made in `tmp_path / "base"`."""
    base = tmp_path / "base"
    base.mkdir()

    def make(limits: Limits) -> Device:
        if request.param == "local":
            return ShellDevice("local", LocalShell(str(base)), cache, limits)
        if request.param == "qemu":
            return open_device(f"qemu:{NATIVE}", cache, limits)
        if request.param.endswith("adb"):
            return ShellDevice("adb:R58", AdbShell("R58", str(base)), cache, limits)
        server: SshServer = request.getfixturevalue("server")
        shell = SshShell("phone", base=str(base), options=("-F", str(server.config)))
        return ShellDevice("ssh:phone", shell, cache, limits)

    with adb_server(Phone("R58", old=request.param == "old adb")) as phone:
        monkeypatch.setenv("ADB_SERVER_SOCKET", f"tcp:127.0.0.1:{phone.port}")
        yield make


def test_files_go_there_and_back(make: Make, programs: dict[str, Path], tmp_path: Path) -> None:
    data = tmp_path / "odd name.bin"
    data.write_bytes(os.urandom(100_000))
    device = make(Limits())
    assert device.architecture() == NATIVE
    with device.opened() as space:
        space.push({"one/work": programs["work"], "one/in0.bin": data})
        space.pull("one/in0.bin", tmp_path / "back.bin")
        assert (tmp_path / "back.bin").read_bytes() == data.read_bytes()
        ran = space.run("one", ["./work", "1000"])
        assert (ran.status, ran.stdout) == (0, "499500\n")
        # Words are words, whatever is in them.
        assert space.run("one", ["./work", "$(touch x)'; exit 3 #", "10"]).stdout == "45\n"
        with pytest.raises(DeviceError, match="is no name for a file"):
            space.push({"../outside": data})
        with pytest.raises(DeviceError, match="missing"):
            space.pull("one/missing", tmp_path / "none")
    assert list((tmp_path / "base").iterdir()) == []


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("crash", r"crash on .* crashed \(SIGSEGV\)"),
        ("illegal", r"illegal on .* used an instruction that its processor lacks \(SIGILL\)"),
        ("fail", r"fail on .* ended with status 255: cannot use weights.bin: cut off"),
        ("absent", r"absent on .* ended with status"),
    ],
)
def test_programs_that_fail(
    make: Make, programs: dict[str, Path], program: str, message: str
) -> None:
    with make(Limits()).opened() as space:
        files = {name: file for name, file in programs.items() if name == program}
        space.push(
            {f"one/{name}": file for name, file in files.items()} or {"one/x": programs["fail"]}
        )
        with pytest.raises(ExecutionError, match=message):
            space.run("one", [f"./{program}"])
        # The device goes on.
        space.push({"two/work": programs["work"]})
        assert space.run("two", ["./work", "10"]).stdout == "45\n"


def test_a_program_that_hangs_is_ended_there(
    make: Make, programs: dict[str, Path], tmp_path: Path
) -> None:
    with make(Limits(seconds=1)).opened() as space:
        space.push({"one/hang": programs["hang"]})
        with pytest.raises(ExecutionError, match=r"did not end within 1 s and was stopped"):
            space.run("one", ["./hang", str(tmp_path / "pid")])
        pid = int((tmp_path / "pid").read_text())
        wait_until(lambda: not is_running(pid))


def test_a_program_that_writes_without_end(make: Make, programs: dict[str, Path]) -> None:
    with make(Limits(output_bytes=10_000)).opened() as space:
        space.push({"one/flood": programs["flood"]})
        with pytest.raises(ExecutionError, match="wrote more than 10000 bytes and was stopped"):
            space.run("one", ["./flood"])


def test_no_latency(make: Make, programs: dict[str, Path]) -> None:
    device = make(Limits())
    with device.opened() as space:
        space.push({"one/garbage": programs["garbage"]})
        expected = "printed no latency but 'latency: fast.*31m'"
        if device.unit == "instructions":
            expected = "is no program that canao exported"
        with pytest.raises(ExecutionError, match=expected) as caught:
            space.sample("one", ["./garbage"], runs=2)
        assert "\033" not in str(caught.value)


def test_one_at_a_time(make: Make) -> None:
    device = make(Limits())
    order: list[str] = []

    def other() -> None:
        with device.opened():
            order.append("other")

    with device.opened():
        waiting = threading.Thread(target=other)
        waiting.start()
        waiting.join(1)
        assert waiting.is_alive()
        order.append("first")
    waiting.join()
    assert order == ["first", "other"]
