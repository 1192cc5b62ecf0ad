"""Text that a parser would read for ever, or too deep, is refused at once."""

from __future__ import annotations

import re
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


NAME = "a" * 10_000_000
_MAIN = "func.func @main(%a: tensor<4xf32>) {{\n  {}\n  func.return\n}}\n"
LONG_NAMES = {
    "value": f"%{NAME} = canao.neg %a : (tensor<4xf32>) -> tensor<5xf32>",
    "unknown value": f"%b = canao.neg %{NAME} : (tensor<4xf32>) -> tensor<4xf32>",
    "operation": f"%b = canao.{NAME} %a : (tensor<4xf32>) -> tensor<4xf32>",
    "quoted operation": f'"{NAME}"() : () -> ()',
    "type": f"%b = canao.neg %a : (tensor<4xf32>) -> !{NAME}",
    "attribute": f"%b = canao.neg %a {{x = #{NAME}}} : (tensor<4xf32>) -> tensor<4xf32>",
    "block": f"cf.br ^{NAME}",
    "string": f'%b = canao.weight "{"a b " * 2_500_000}" : tensor<5xi1>\n'
    "  %c = canao.neg %b : (tensor<5xi1>) -> tensor<5xi1>",
    "predicate": f'%b = canao.cmp "{NAME}" %a, %a : (tensor<4xf32>, tensor<4xf32>) -> tensor<4xi1>',
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("line", LONG_NAMES.values(), ids=list(LONG_NAMES))
def test_names_of_any_length(line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "names.mlir"
    path.write_text(_MAIN.format(line))
    assert main([str(path)]) == 1
    said = capsys.readouterr().err
    assert "error: " in said
    assert len(said) < 2000


def test_names_of_any_length_in_models() -> None:
    with pytest.raises(InputFileError, match=r"2:\d+: ") as raised:
        parse_mlir(_MAIN.format(LONG_NAMES["operation"]))
    assert len(str(raised.value)) < 1000


def test_models_are_verified() -> None:
    """A result of another shape would be read and written out of bounds."""
    line = "%b = canao.neg %a : (tensor<4xf32>) -> tensor<5xf32>"
    with pytest.raises(InputFileError, match=r"must have the broadcast shape \(4,\)"):
        parse_mlir(_MAIN.format(line))


NUMBERS = {
    "axis": "%b = canao.reduce_sum %a axes [99999999999999999999] "
    ": (tensor<4xf32>) -> tensor<1xf32>",
    "width": "%b = canao.slice %a starts [0] steps [-99999999999999999999] "
    ": (tensor<4xf32>) -> tensor<4xf32>",
    "integer": "%b = canao.constant dense<[99999999999999999999, 3]> : tensor<2xi64>",
    "small integer": "%b = canao.constant dense<300> : tensor<2xi8>",
    "float": "%b = canao.constant dense<[1e300, 1.0]> : tensor<2xf32>",
    "bytes": '%b = canao.constant dense<"0x4294967296FF"> : tensor<2xf32>',
    "bits": "%b = canao.constant dense<0xFFFFFFFFFF> : tensor<2xf32>",
    "elements": "%b = canao.constant dense<1.0> : tensor<99999x99999xf32>",
    "elements of a vector": "%b = arith.constant dense<1> : vector<99999999999xi8>",
}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("line", NUMBERS.values(), ids=list(NUMBERS))
def test_numbers_that_types_do_not_hold(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "numbers.mlir"
    path.write_text(_MAIN.format(line))
    assert main([str(path)]) == 1
    said = capsys.readouterr().err
    assert re.match(rf"{path}:[23]:\d+: error: ", said) or said.startswith("canao-opt: error: ")
    assert len(said) < 1000
    if "arith" not in line:
        with pytest.raises(InputFileError):
            parse_mlir(path)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("extent", [99999999999, 9223372036854775807, 10**23])
def test_sizes_beyond_memory_pass_through_passes(
    extent: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is allocated for a tensor that nobody computes."""
    kind = f"tensor<{extent}xf32>"
    path = tmp_path / "big.mlir"
    path.write_text(
        f"func.func @main(%a: {kind}) -> {kind} {{\n"
        "  %c = canao.constant dense<2.0> : tensor<f32>\n"
        f"  %d = canao.broadcast %c : (tensor<f32>) -> {kind}\n"
        f"  %b = canao.mul %a, %d : ({kind}, {kind}) -> {kind}\n  func.return %b : {kind}\n}}\n"
    )
    assert main([str(path), "-p", "canao-simplify,lp-fusion,outline-weights"]) == 0
    assert "canao.mul" in capsys.readouterr().out


def test_text_is_located_in_split_input(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "split.mlir"
    path.write_text('func.func @a() {\n  func.return\n}\n// -----\n\nfunc.func @"b\n')
    assert main([str(path), "--split-input-file"]) == 1
    assert f"{path}:6:12: the string is not closed" in capsys.readouterr().err


def test_a_chain_of_many_operations(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """What is long without being nested is no fault."""
    kind = "tensor<4xf32>"
    lines = [f"  %{n + 1} = canao.exp %{n} : ({kind}) -> {kind}" for n in range(2000)]
    body = "\n".join(lines)
    path = tmp_path / "chain.mlir"
    path.write_text(
        f"func.func @main(%0: {kind}) -> {kind} {{\n{body}\n  func.return %2000 : {kind}\n}}\n"
    )
    assert main([str(path), "-p", "cse,dce,keep-roundings"]) == 0
    assert capsys.readouterr().out.count("canao.exp") == 2000


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
