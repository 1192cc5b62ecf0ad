"""What `canao-opt` does when it is used rightly and wrongly, seen from outside."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pytest

from canao.tools.canao_opt import main
from canao.tools.registry import get_all_passes

_HEAVY = ("torch", "torch_mlir", "transformers", "islpy", "numpy", "rich", "typer")
_SQUARE = """
func.func @main(%a: tensor<2xf32>) -> tensor<2xf32> {
  %b = canao.mul %a, %a : (tensor<2xf32>, tensor<2xf32>) -> tensor<2xf32>
  func.return %b : tensor<2xf32>
}
"""


@pytest.fixture
def square(tmp_path: Path) -> str:
    path = tmp_path / "square.mlir"
    path.write_text(_SQUARE)
    return str(path)


def test_help_imports_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from canao.tools.canao_opt import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit as end:\n    assert end.code == 0\n"
        f"print([name for name in {_HEAVY!r} if name in sys.modules], file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stderr.strip() == "[]"
    assert "--print-ir-after-all" in done.stdout
    assert "canao-simplify" in "".join(done.stdout.split())


def test_prints_what_it_read(square: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([square]) == 0
    assert "canao.mul %a, %a" in capsys.readouterr().out


def test_reads_standard_input(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(_SQUARE.encode())))
    assert main(["-"]) == 0
    assert "canao.mul" in capsys.readouterr().out


@pytest.mark.parametrize("name", list(get_all_passes()))
def test_every_pass_has_its_registered_name(name: str) -> None:
    assert get_all_passes()[name]().name == name


def test_unknown_pass_is_wrong_use(square: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([square, "-p", "cse,lp-fushion"]) == 2
    assert "did you mean 'lp-fusion'?" in capsys.readouterr().err


@pytest.mark.parametrize("pipeline", ["cse{", "cse{level=1}", "cse,,dce"])
def test_malformed_pipeline_is_wrong_use(
    pipeline: str, square: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([square, "-p", pipeline]) == 2
    assert capsys.readouterr().err.startswith("canao-opt: error: ")


def test_unknown_target_is_wrong_use(square: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as end:
        main([square, "-t", "fortran"])
    assert end.value.code == 2
    assert "choose from mlir, c" in capsys.readouterr().err


def test_malformed_text_is_located(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "broken.mlir"
    path.write_text('func.func @main() {\n  "canao.neg"(\n}\n')
    assert main([str(path)]) == 1
    assert capsys.readouterr().err.startswith(f"{path}:3:1: error: ")


def test_lines_are_counted_across_split_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "two.mlir"
    path.write_text(_SQUARE + '// -----\n\n"toy.op"() : () -> ()\n')
    assert main([str(path), "--split-input-file"]) == 1
    line = len(_SQUARE.splitlines()) + 3
    assert f"{path}:{line}:9: error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('"canao.neg"() : () -> ()', "operand"),
        (_SQUARE.replace("-> tensor<2xf32>\n  func", "-> tensor<3xf32>\n  func"), "error: "),
    ],
)
def test_broken_rules_are_reported(
    text: str, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "wrong.mlir"
    path.write_text(text)
    assert main([str(path)]) == 1
    err = capsys.readouterr().err
    assert says in err
    assert "Traceback" not in err


def test_missing_file_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["/does/not/exist.mlir"]) == 1
    assert "'/does/not/exist.mlir'" in capsys.readouterr().err


def test_binary_file_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "model.mlir"
    path.write_bytes(b"\x80\x02\xff\xfe")
    assert main([str(path)]) == 1
    assert capsys.readouterr().err.count("error: ") == 1
