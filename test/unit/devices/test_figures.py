"""What is told of a device, and figures of exported programs."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

import canao
from canao.building.cache import Cache
from canao.devices.device import Limits
from canao.devices.fit import target_for
from canao.devices.measure_programs import Request
from canao.devices.shell import LocalShell
from canao.devices.specs import open_device
from canao.devices.state import Core, choose_cores, parse_state, state_script
from canao.devices.workspace import ask
from canao.errors import DeviceError
from canao.machine.target import Target
from canao.report.on_device import measure_on

NATIVE = Target.host().architecture
X = torch.linspace(-1, 1, 8 * 32).reshape(8, 32)


def _layers(count: int) -> nn.Module:
    torch.manual_seed(count)
    # With something between them: linear layers alone are one by the law of linear maps.
    parts = [part for _ in range(count) for part in (nn.Linear(32, 32), nn.GELU())]
    return nn.Sequential(*parts).eval()


@pytest.fixture(scope="module")
def models() -> dict[str, Any]:
    """A model of one layer and one of three, for one thread."""
    named = {"small": _layers(1), "large": _layers(3)}
    return {n: canao.compile(m, (X,), threads=1, tune="off") for n, m in named.items()}


def test_results_and_times(models: dict[str, Any]) -> None:
    found = measure_on(models, "local", Request(runs=2, rounds=3, warmup=1))
    for name, model in models.items():
        assert torch.equal(found[name].results, model(X))
        figure = found[name].figure
        assert (figure.unit, figure.threads, figure.warmup, figure.cores) == ("ms", 1, 1, ())
        assert 0 < figure.least <= figure.cost <= figure.most
        assert len(figure.samples) == 3
        assert json.loads(figure.to_json())["device"] == "this machine"
    assert " ms, 1 thread, all cores" in str(found["small"].figure)


def test_counts_of_instructions() -> None:
    """They are the same each time but for printing, and grow with the work."""
    named = {"small": _layers(1), "large": _layers(3)}
    # An emulator may lack what this processor has.
    device = f"qemu:{NATIVE}"
    models = {n: canao.compile(m, (X,), device=device, tune="off") for n, m in named.items()}
    first, second = (measure_on(models, f"qemu:{NATIVE}", Request(runs=7)) for _ in range(2))
    for name in models:
        assert (first[name].results - named[name](X)).abs().max() < 1e-5
        counts = [found[name].figure.cost for found in (first, second)]
        # A clock that is read when the emulator was interrupted takes a few instructions more.
        assert counts[0] == pytest.approx(counts[1], rel=2e-2)
    small, large = (first[name].figure.cost for name in models)
    assert 2 * small < large < 4 * small
    figure = first["small"].figure
    assert (figure.unit, figure.runs, len(figure.samples)) == ("instructions", 1, 1)
    assert "instructions" in str(figure)
    assert "ms" not in str(figure)


def test_built_by_the_device(models: dict[str, Any]) -> None:
    found = measure_on({"m": models["small"]}, "local", Request(runs=1, rounds=1), there=True)
    assert (found["m"].results - models["small"](X)).abs().max() < 1e-6


def test_several_threads_are_not_counted() -> None:
    compiled = canao.compile(_layers(1), (X,), threads=2, tune="off")
    with pytest.raises(DeviceError, match=r"measures 1 thread, not 2.*; give threads=1"):
        measure_on({"m": compiled}, f"qemu:{NATIVE}")


def test_another_processor(models: dict[str, Any]) -> None:
    with pytest.raises(DeviceError, match=r"qemu-riscv64 .* is riscv64; compile for its canao.T"):
        measure_on(models, "qemu:riscv64")
    assert target_for(open_device("qemu:aarch64", Cache())).name == "aarch64-linux-musl"
    assert target_for(open_device("local", Cache())) == Target.host()


def test_cores_that_are_kept_to(models: dict[str, Any]) -> None:
    core = min(os.sched_getaffinity(0))
    request = Request(runs=1, rounds=1, cores=str(core))
    figure = measure_on({"m": models["small"]}, "local", request)["m"].figure
    assert figure.cores == (core,)
    assert f"cores {core}" in str(figure)
    with pytest.raises(DeviceError, match="no cores 1000 online"):
        measure_on({"m": models["small"]}, "local", Request(cores="1000"))


PHONE = {
    "class/thermal/thermal_zone0": {"type": "cpu-0-0", "temp": "41200"},
    "class/thermal/thermal_zone1": {"type": "battery", "temp": "30500"},
    "class/thermal/thermal_zone2": {"type": "off", "temp": "-274000"},
    **{
        f"devices/system/cpu/cpu{number}": {
            "online": "0" if number == 3 else "1",
            "cpu_capacity": "1024" if number > 5 else "380",
            "cpufreq/cpuinfo_max_freq": "2841600" if number > 5 else "1785600",
            "cpufreq/scaling_max_freq": "2016000" if number == 7 else "2841600",
            "cpufreq/scaling_cur_freq": "1708800",
            "cpufreq/scaling_governor": "schedutil",
        }
        for number in range(8)
    },
}


@pytest.fixture
def phone(tmp_path: Path) -> Path:
    """What Linux tells of itself on a phone with six small cores and two large ones."""
    for folder, files in PHONE.items():
        for name, text in files.items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text + "\n")
    (tmp_path / "devices/system/cpu/cpufreq").mkdir()
    return tmp_path


def test_the_state_of_a_phone(phone: Path) -> None:
    told = ask(LocalShell(str(phone)), state_script(str(phone)), Limits()).stdout
    state = parse_state(told)
    assert state.celsius == (("cpu-0-0", 41.2), ("battery", 30.5))
    assert [core.number for core in state.cores] == [0, 1, 2, 4, 5, 6, 7]
    assert state.cores[-1] == Core(7, 2841600, 2016000, 1708800, 1024, "schedutil")
    assert state.limited == (7,)
    assert str(state) == "41.2 degrees C, clocks 1708 to 1708 MHz, cores 7 limited"
    assert choose_cores(state.cores, "big", "it") == (6, 7)
    assert choose_cores(state.cores, "little", "it") == (0, 1, 2, 4, 5)
    assert choose_cores(state.cores, "0,4-6", "it") == (0, 4, 5, 6)
    with pytest.raises(DeviceError, match="no cores 3 online; it has 0,1,2,4,5,6,7"):
        choose_cores(state.cores, "3", "it")
    assert choose_cores(state.cores, "all", "it") == ()


def test_a_state_that_is_not_told(tmp_path: Path) -> None:
    told = ask(LocalShell(str(tmp_path)), state_script(str(tmp_path)), Limits()).stdout
    assert str(parse_state(told)) == "temperature not told, clocks not told"
    for words in ("big", "little"):
        with pytest.raises(DeviceError, match="does not tell how fast its cores are"):
            choose_cores((Core(0),), words, "it")
    alike = tuple(Core(number, capacity=1024) for number in range(2))
    with pytest.raises(DeviceError, match="all cores of it are alike"):
        choose_cores(alike, "big", "it")
    for words in ("fast", "1-", "4-1", "", "-1"):
        with pytest.raises(DeviceError, match="names no cores"):
            choose_cores(alike, words, "it")


def test_requests_that_make_no_sense(models: dict[str, Any]) -> None:
    with pytest.raises(DeviceError, match="at least one run and one round"):
        measure_on(models, "local", Request(runs=0))
