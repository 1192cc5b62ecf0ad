"""What `make run` writes to a terminal and to a pipe: short, readable, never silent for long."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from unit.recordings import CLEAR, CODES, COLUMNS, ROOT, on_a_terminal, through_a_pipe

EXAMPLE = [sys.executable, str(ROOT / "examples" / "embed_sentences.py")]
SEARCH = """
import sys
from unit.nas.search_support import TableEvaluator, TableMeter
import canao
from canao.cli.console import console
from canao.cli.progress import shown_progress

with shown_progress("searching", "searched", on=console(), interval=0.5) as say:
    canao.search(
        TableEvaluator(seconds=0.3), meter=TableMeter(), sampler="random", trials=8,
        out=sys.argv[1] + "/out", cache_dir=sys.argv[1] + "/cache",
        progress=lambda progress: say(progress.line),
    )
"""
SILENCE = 30.0
"""Seconds; the promise is ten, and tests share their cores."""
UNDER_WAY = re.compile(r"  (\d+ min )?\d+ s: ")


def _told(lines: list[tuple[str, float]], interval: float) -> list[str]:
    """What a pipe was told is under way, now and then and never too seldom."""
    assert max(silence for _, silence in lines) <= SILENCE
    assert not any("\x1b" in line or "\r" in line for line, _ in lines)
    told = [line for line, _ in lines if UNDER_WAY.match(line)]
    assert len(told) <= sum(silence for _, silence in lines) / interval
    return told


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_the_example_of_make_run(tmp_path: Path) -> None:
    lines = through_a_pipe(EXAMPLE, XDG_CACHE_HOME=str(tmp_path))
    told = _told(lines, 9.0)
    lasting = [line for line, _ in lines if line not in told]
    written = on_a_terminal(EXAMPLE, XDG_CACHE_HOME=str(tmp_path))
    assert CLEAR in written
    shown = [CODES.sub("", line).rsplit("\r", 1)[-1] for line in written.split("\r\n")]
    for page in (lasting, shown):
        assert 20 <= len(page) <= 50
        assert all(len(line) <= COLUMNS for line in page)
        assert any(line.startswith("Largest difference from PyTorch") for line in page)


def test_a_small_search(tmp_path: Path) -> None:
    lines = through_a_pipe([sys.executable, "-c", SEARCH, str(tmp_path)])
    told = _told(lines, 0.5)
    assert len(lines) == len(told) + 2
    assert lines[0][0] == "searching ..."
    assert lines[-1][0].startswith("searched in ")
    found = [re.search(r"(\d+) of 8 trials", line) for line in told]
    taken = [int(words[1]) for words in found if words]
    assert taken == sorted(taken)
    assert len(set(taken)) >= 3
