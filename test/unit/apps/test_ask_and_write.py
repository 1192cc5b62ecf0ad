"""`canao ask` and `canao write`: what they print, and what they say of files that are none."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from run_command import run_command
from unit.answering.oracles import word_pieces
from unit.apps.small_readers import random_reader
from unit.generation.small_decoders import small_decoder
from unit.generation.tokenizers_of_kinds import byte_level

from canao.apps.text_stream import TextStream
from canao.cli.apps.ask import read_text
from canao.cli.apps.plain_text import one_line, without_controls
from canao.errors import InputFileError

TEXT = "first line\r\n\tAda Lovelace wrote the first program. 👩‍👩‍👧\r\nlast [bold]line[/bold]\n"


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reader")
    random_reader().save_pretrained(path)
    word_pieces().save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def writer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("writer")
    small_decoder("grouped", positions=120, vocabulary=320).save_pretrained(path)
    byte_level().save_pretrained(path)
    return path


@pytest.fixture
def text(tmp_path: Path) -> Path:
    path = tmp_path / "text.txt"
    path.write_bytes(TEXT.encode())
    return path


def run(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> int:
    """Exit status of the command; models are run by PyTorch, which takes no compiling."""
    return run_command(monkeypatch, *arguments, "--pytorch")


def test_ask_says_where_the_answer_is(
    reader: Path, text: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("ask", text, "Who wrote it?", "--model", reader, "--always", "--top", 4)
    assert run(monkeypatch, *asked, "--json") == 0
    record = json.loads(capsys.readouterr().out)
    spans = [record, *record["others"]]
    assert len(spans) == 4
    for span in spans:
        assert TEXT[span["start"] : span["end"]] == span["answer"] != ""
        line, column = span["line"], span["column"]
        lines = TEXT.splitlines()
        assert lines[line - 1][column - 1 :].startswith(span["answer"].splitlines()[0])
    assert record["latency_ms"] <= record["total_ms"]
    assert (record["question"], record["windows"]) == ("Who wrote it?", 1)

    assert run(monkeypatch, *asked) == 0
    out = capsys.readouterr().out
    assert out.splitlines()[0] == one_line(record["answer"])
    assert f"line {record['line']}, column {record['column']}; score" in out
    assert all(one_line(span["answer"])[:30] in " ".join(out.split()) for span in spans)


def test_ask_reads_standard_input(
    reader: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    assert run(monkeypatch, "ask", "-", "Who?", "--model", reader, "--always", "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert TEXT[record["start"] : record["end"]] == record["answer"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "text.txt is empty"),
        (b" \r\n\t", "text.txt is empty"),
        (b"\x89PNG\0\0", "is no text: it has bytes of zero"),
        (b"caf\xe9", r"is no text in UTF-8 \(byte 3\)"),
        (b"a" * ((4 << 20) + 1), "is larger than 4 MiB"),
    ],
)
def test_files_that_are_no_text(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(content)
    with pytest.raises(InputFileError, match=message):
        read_text(str(path))


def test_texts_are_read_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "text.txt"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    assert read_text(str(path)) == TEXT


def test_missing_files_fail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for path in (tmp_path / "none.txt", tmp_path):
        assert run(monkeypatch, "ask", path, "Who?") == 1
        assert "cannot be read" in capsys.readouterr().err
    assert run(monkeypatch, "ask", path, "Who?", "--top", 0) == 2


def test_questions_without_a_model_fail(
    text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, "ask", text, "Who?", "--model", tmp_path / "none") == 1
    assert "none" in capsys.readouterr().err


def test_write_goes_on(
    writer: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ("write", "Once upon", "--model", writer, "--max-new-tokens", 12)
    assert run(monkeypatch, *asked, "--json") == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["prompt"], record["tokens"], record["ended"]) == ("Once upon", 12, "length")
    assert run(monkeypatch, *asked) == 0
    printed = capsys.readouterr()
    assert printed.out == without_controls(f"Once upon{record['text']}\n")
    assert "12 tokens; the first after" in printed.err
    assert run(monkeypatch, *asked, "--temperature", "-1") == 2
    assert run(monkeypatch, "write", "", "--model", writer) == 1
    assert "the prompt is empty" in capsys.readouterr().err


def test_ctrl_c_ends_a_text(
    writer: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    following = TextStream.__next__

    def pressed(stream: TextStream) -> Any:
        if stream.times.tokens >= 3:
            raise KeyboardInterrupt
        return following(stream)

    monkeypatch.setattr(TextStream, "__next__", pressed)
    assert run(monkeypatch, "write", "Once upon", "--model", writer) == 0
    printed = capsys.readouterr()
    assert printed.out.startswith("Once upon")
    assert printed.out.endswith("\n")
    assert "stopped: " in printed.err


def test_text_does_not_command_the_terminal() -> None:
    assert without_controls("a\x1b[31m\r\n\tb\x9b") == "a\ufffd[31m\ufffd\n\tb\ufffd"
    assert one_line(" a\x07\r\n b ") == "a\ufffd b"
