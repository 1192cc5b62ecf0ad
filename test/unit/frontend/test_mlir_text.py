"""Text that a parser would read for ever, or too deep, is refused at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from canao.errors import InputFileError
from canao.frontend.imported import parse_mlir
from canao.frontend.mlir_text import check_text
from canao.tools.canao_opt import main

LONG = "a" * 2000
MALFORMED = {
    "not closed": (f'func.func @"{LONG}\n', "1:12: the string is not closed"),
    "not closed at the end": (f'\n  "{LONG}', "2:3: the string is not closed"),
    "unknown escape": (f'"{LONG}\\q"() : () -> ()', "1:2002: unknown escape in a string"),
    "half an escape": (f'"{LONG}\\4"() : () -> ()', "1:2002: unknown escape in a string"),
    "regions": ('"a.b"() ({' * 10_000, "brackets inside one another"),
    "lists": (f'"a.b"() {{x = {"[" * 10_000}{"]" * 10_000}}} : () -> ()', "inside one another"),
    "types": (f"func.func @f(%a: {'tuple<' * 10_000}i32)", "inside one another"),
    "digits": (f"func.func @f(%a: tensor<{'1' * 10**6}xf32>)", "1:25: a number of more than 1000"),
    "second line": ('// "a comment\n"', "2:1: the string is not closed"),
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize(("text", "message"), MALFORMED.values(), ids=list(MALFORMED))
def test_malformed_text(
    text: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputFileError, match=message):
        parse_mlir(text + "\n")
    path = tmp_path / "bad.mlir"
    path.write_text(text)
    assert main([str(path)]) == 1
    said = capsys.readouterr().err
    assert message in said
    assert len(said.splitlines()) == 1
    assert len(said) < 300


def test_sound_text_passes() -> None:
    nested = "{" * 90 + "}" * 90
    check_text(f'// "\n"a\\22b\\n\\\\" -> () >= {nested} "" "x" <{"<>" * 500}>', "text")


@pytest.mark.timeout(60)
def test_a_very_long_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "long.mlir"
    path.write_text(f"// {'x' * 10_000_000}\nfunc.func @main() {{ oops {'y ' * 5_000_000}}}\n")
    assert main([str(path)]) == 1
    assert len(capsys.readouterr().err) < 300


@pytest.mark.parametrize(
    ("extent", "message"),
    [("99999999999", "larger than this machine's memory"), ("9" * 23, "larger than")],
)
def test_sizes_beyond_memory(extent: str, message: str, tmp_path: Path) -> None:
    kind = f"tensor<{extent}xf32>"
    path = tmp_path / "big.mlir"
    path.write_text(
        f"func.func @main(%a: {kind}) -> {kind} {{\n"
        f"  %b = canao.neg %a : ({kind}) -> {kind}\n  func.return %b : {kind}\n}}\n"
    )
    done = subprocess.run(
        [sys.executable, "-m", "canao.cli", "compile", str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_a_constant_beyond_memory() -> None:
    kind = "tensor<999999999999xf32>"
    text = f"func.func @main() -> {kind} {{\n  %b = canao.constant dense<1.0> : {kind}\n}}\n"
    with pytest.raises(InputFileError, match="larger than memory"):
        parse_mlir(text)
