"""`canao export --android` used wrongly: one error, a status, and nothing written."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_command import run_command

WRONG_USE, FAILED = 2, 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "or --android for an app"),
        (("--android", "{app}", "--web", "{app}"), "--web is not for --android"),
        (("--out", "{app}", "--android", "{app}"), "--out is not for --android"),
        (("--android", "{app}", "--seq", "64"), "--seq is not for --android"),
        (("--android", "{app}", "--decoder"), "--decoder is not for --android"),
        (("--android", "{app}", "--target", "native"), "--target is not for --android"),
        (("--out", "{app}", "--package", "org.x"), "--package is for --android: give it too"),
    ],
)
def test_wrong_use(
    options: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = [word.format(app=tmp_path / "app") for word in options]
    assert run_command(monkeypatch, "export", tmp_path, *words) == WRONG_USE
    assert message in " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--name", "a\tb"), "cannot be the name of an app"),
        (("--package", "x"), "cannot be the package of an app"),
        ((), "holds no model of Hugging Face"),
    ],
)
def test_one_error(
    options: tuple[str, ...],
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ("export", tmp_path / "none", "--android", tmp_path / "app", *options)
    assert run_command(monkeypatch, *words) == FAILED
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line
    assert list(tmp_path.iterdir()) == []


def test_a_directory_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is refused before a model is read."""
    (tmp_path / "mine").write_text("mine")
    assert run_command(monkeypatch, "export", tmp_path, "--android", tmp_path) == FAILED
    assert "exists already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
