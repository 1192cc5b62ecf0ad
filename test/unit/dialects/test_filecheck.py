"""What the lit tests cover: every operation is printed and read back, every pass is run."""

from __future__ import annotations

import re
import shlex
from itertools import pairwise
from pathlib import Path

import pytest
from xdsl.irdl import IRDLOperation

from canao.tools.registry import get_all_dialects, get_all_passes

FILECHECK = Path(__file__).resolve().parents[2] / "filecheck"
OWN = tuple(name for name in get_all_dialects() if name.startswith("canao"))
"""The dialects that are canao's own."""

_RUN = re.compile(r"^// RUN: (.*)$", re.MULTILINE)


def _run_lines(path: Path) -> list[str]:
    return _RUN.findall(path.read_text())


def _passes_of(run: str) -> set[str]:
    """The names in the pipelines of a line that runs `canao-opt`, without their options."""
    words = shlex.split(run)
    pipelines = [after for word, after in pairwise(words) if word in {"-p", "--passes"}]
    return {name for p in pipelines for name in re.sub(r"\{[^}]*\}", "", p).split(",")}


@pytest.mark.parametrize("dialect", OWN)
def test_operations_are_read_as_they_are_printed(dialect: str) -> None:
    """Each stands in `ops.mlir`, which lit prints and reads again in both forms."""
    path = FILECHECK / "dialects" / dialect / "ops.mlir"
    runs = _run_lines(path)
    assert any("%s | canao-opt | filecheck" in run for run in runs)
    assert any("%s --print-op-generic | canao-opt | filecheck" in run for run in runs)
    read = [line for line in path.read_text().splitlines() if not line.startswith("//")]
    checks = [line for line in path.read_text().splitlines() if line.startswith("// CHECK")]
    operations = [op.name for op in get_all_dialects()[dialect]().operations]
    assert operations
    for name in operations:
        word = re.compile(rf"(?<![\w.]){re.escape(name)}(?![\w.])")
        assert any(word.search(line) for line in read), f"{name} is not read"
        assert any(word.search(line) for line in checks), f"what {name} prints is not checked"


def test_every_pass_has_a_test() -> None:
    runs = [run for path in FILECHECK.rglob("*.mlir") for run in _run_lines(path)]
    # a run that must fail tests the message, not the pass
    run = {name for line in runs if not line.startswith("not ") for name in _passes_of(line)}
    assert [name for name in get_all_passes() if name not in run] == []


def test_every_operation_is_an_irdl_definition() -> None:
    """So that a form to print and read exists for each, and the tests above see it."""
    for dialect in OWN:
        for op in get_all_dialects()[dialect]().operations:
            assert issubclass(op, IRDLOperation), op.name
