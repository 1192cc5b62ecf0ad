"""Files and directories appear in one step, or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from canao.errors import InputFileError
from canao.files import replace_text, replacing


def test_a_file_takes_the_place_of_another(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "a.txt"
    replace_text(path, "one")
    replace_text(path, "two")
    assert path.read_text() == "two"
    assert list(path.parent.iterdir()) == [path]


def test_a_directory_takes_the_place_of_another(tmp_path: Path) -> None:
    path = tmp_path / "model"
    for name in ("old", "new"):
        with replacing(path) as room:
            room.mkdir()
            (room / name).write_text(name)
    assert [each.name for each in path.iterdir()] == ["new"]
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("kept")
    with pytest.raises(UnicodeEncodeError):
        replace_text(path, "half \ud800")
    assert path.read_text() == "kept"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["x" * 300, "file/inside"])
def test_what_the_file_system_refuses(tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputFileError, match=r"cannot be written .*name another place"):
        replace_text(tmp_path / name, "text")
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
