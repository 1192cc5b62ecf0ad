"""What commands print for people is printed as it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from rich.table import Table

import canao.cli
from canao.cli.commands import devices
from canao.cli.console import console
from canao.cli.models import CompileOptions, open_model
from canao.errors import MissingExtraError

BRACKETS = "a [model] in [/tmp/x] by :warning: [bold]pip install 'canao[opencl]'[/bold]"


def test_brackets_in_messages(capsys: pytest.CaptureFixture[str]) -> None:
    console().print(BRACKETS, soft_wrap=True)
    assert capsys.readouterr().out == f"{BRACKETS}\n"
    console(stderr=True).print(BRACKETS, soft_wrap=True)
    assert capsys.readouterr().err == f"{BRACKETS}\n"


def test_brackets_in_tables(capsys: pytest.CaptureFixture[str]) -> None:
    table = Table("[head]", box=None, title="[title]")
    table.add_row("[cell]")
    console().print(table)
    assert capsys.readouterr().out.split() == ["[title]", "[head]", "[cell]"]


def test_no_other_console_is_made() -> None:
    root = Path(canao.cli.__file__).parent
    made = [path.name for path in root.glob("*.py") if "Console(" in path.read_text("utf-8")]
    assert made == ["console.py"]


def test_devices_tell_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    note = str(MissingExtraError("OpenCL devices", "opencl"))
    assert "'canao[opencl]'" in note
    found = {"cpu": "Core [0]", "opencl": [], "opencl_note": note}
    monkeypatch.setattr("canao.cli.devices.describe_devices", lambda cache_dir: dict(found))
    devices(cache_dir=tmp_path)
    printed = capsys.readouterr().out
    assert note in printed
    assert "Core [0]" in printed


def test_brackets_in_paths(tmp_path: Path) -> None:
    missing = tmp_path / "[bold]model[/bold]"
    with pytest.raises(canao.CanaoError) as error:
        open_model(missing, CompileOptions(), quiet=False)
    assert str(missing) in str(error.value)
