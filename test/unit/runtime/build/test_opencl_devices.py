"""Choosing OpenCL devices, and what is said where there is none."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from unit.lowering.opencl_support import chosen_device

import canao
from canao.errors import CanaoError, DeviceError, MissingExtraError
from canao.machine.opencl_device import DeviceKind
from canao.machine import opencl_devices as devices_module
from canao.machine.opencl_devices import choose_device, list_devices, pyopencl

ADD = """
func.func @main(%x: tensor<3x5xf32>) -> tensor<3x5xf32> {
  %y = canao.add %x, %x : (tensor<3x5xf32>, tensor<3x5xf32>) -> tensor<3x5xf32>
  func.return %y : tensor<3x5xf32>
}"""


def test_pocl_is_found_without_a_system_driver() -> None:
    assert any(d.platform == "Portable Computing Language" for d in list_devices())


@pytest.mark.parametrize("wanted", ["cpu", "pthread", "portable computing", None])
def test_choice(wanted: str | None) -> None:
    assert choose_device(wanted) in list_devices()


def test_choice_by_number() -> None:
    for number, device in enumerate(list_devices()):
        assert choose_device(number) == device == choose_device(str(number))


def test_gpus_come_before_pocl(monkeypatch: pytest.MonkeyPatch) -> None:
    gpu = replace(chosen_device(), name="G", kind=DeviceKind.gpu, platform="Vendor")
    monkeypatch.setattr(devices_module, "list_devices", lambda: (gpu, chosen_device()))
    assert choose_device() == choose_device("gpu") == choose_device("vendor") == gpu
    assert choose_device("cpu") == chosen_device()


@pytest.mark.parametrize("wanted", ["no such device", 99, -1])
def test_unknown_device(wanted: str | int) -> None:
    with pytest.raises(DeviceError, match=r"no OpenCL device is called .*; there are 0: "):
        canao.Target.opencl(wanted)


def test_no_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices_module, "list_devices", tuple)
    with pytest.raises(DeviceError, match=r"there is no OpenCL device.*canao\[opencl\]"):
        choose_device()


def test_missing_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyopencl", None)
    pyopencl.cache_clear()
    try:
        with pytest.raises(MissingExtraError, match=r"pip install 'canao\[opencl\]'"):
            pyopencl()
    finally:
        pyopencl.cache_clear()


def test_importing_canao_does_not_load_pyopencl() -> None:
    import subprocess

    text = "import sys, canao, canao.api; print('pyopencl' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", text], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_threads_are_the_drivers(tmp_path: Path) -> None:
    with pytest.raises(CanaoError, match="threads=2 has no meaning"):
        canao.compile(ADD, None, target="opencl", threads=2, cache_dir=tmp_path)
