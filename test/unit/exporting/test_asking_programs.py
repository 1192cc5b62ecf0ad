"""The program of an export that answers questions: built by each compiler, asked, refused."""

from __future__ import annotations

import struct
import subprocess
import zlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from run_command import run_command
from tokenizers import AddedToken, Tokenizer, normalizers, pre_tokenizers
from unit.answering.oracles import byte_pairs, word_pieces
from unit.apps.small_readers import SureReader, random_reader
from unit.exporting.awkward_texts import AWKWARD, AWKWARD_TEXTS
from unit.exporting.exported_models import COMPILERS, STRICT, make, run

from canao.apps import QuestionAnswerer
from canao.errors import UnsupportedModelError
from canao.exporting.answering.tokenizer_file import read_word_pieces

TEXT = "Ada Lovelace wrote the first program in 1843, for Babbage's engine.\n👩‍👧 Ada\u0301 too.\n"
QUESTION = "Who wrote the first program?"
FILES = ("model.c", "kernels.c", "tokenizer.c", "answering.c", "main.c")
EXAMPLE = Path(__file__).resolve().parents[3] / "docs" / "examples" / "asking.c"
SANITIZED = ("-g", "-fsanitize=address,undefined", "-fno-sanitize-recover=all")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("reader")
    random_reader().save_pretrained(path)
    word_pieces().save_pretrained(path)
    return path


@pytest.fixture(scope="module")
def exported(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program made by the command, and a text."""
    path = tmp_path_factory.mktemp("exported") / "program"
    with pytest.MonkeyPatch.context() as patch:
        options = ("--answering", "--out", path, "--tune", "off", "--threads", 1)
        assert run_command(patch, "export", folder, *options) == 0
    (path / "text.txt").write_text(TEXT)
    make(path, CFLAGS="-O1")
    return path


@pytest.fixture(scope="module")
def sanitized(exported: Path) -> Path:
    """The same program, which ends where it reads outside of arrays; but for the kernels."""
    files = [name for name in FILES if name != "kernels.c"]
    command = ["gcc", "-O1", *SANITIZED, *files, "kernels.o", "-pthread", "-lm", "-o", "sanitized"]
    subprocess.run(command, cwd=exported, check=True)
    return exported / "sanitized"


def answers(done: subprocess.CompletedProcess[str]) -> list[tuple[float, int, int, str]]:
    assert (done.returncode, done.stderr) == (0, "")
    rows = (line.split("\t") for line in done.stdout.splitlines())
    return [(float(score), int(start), int(end), text) for score, start, end, text in rows]


def test_the_program_answers_as_python_does(exported: Path, folder: Path) -> None:
    wanted = QuestionAnswerer(folder, backend="pytorch").answer(QUESTION, TEXT, top=7)
    found = answers(run(exported, "--ask", "text.txt", QUESTION, "--top", 7))
    spans = [*([wanted] if wanted.found else []), *wanted.others]
    assert [row[3] for row in found if row[1] < row[2]] == [" ".join(s.text.split()) for s in spans]
    for score, start, end, text in found:
        if start < end:
            assert " ".join(TEXT.encode()[start:end].decode().split()) == text
        else:
            assert (text, score) == ("(no answer)", pytest.approx(wanted.score, abs=1e-5))


@settings(max_examples=40, deadline=None)
@given(st.one_of(AWKWARD_TEXTS.map(str.encode), st.binary(max_size=40)))
def test_nothing_is_read_outside_of_arrays(sanitized: Path, text: bytes) -> None:
    drawn = sanitized.with_name("drawn.txt")
    drawn.write_bytes(text)
    check_sanitized(sanitized, drawn, "--top", "9")


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_nothing_is_read_outside_of_a_forged_tokenizer(
    sanitized: Path, data: st.DataObject
) -> None:
    """Its checksum fits, and some of its numbers do not."""
    forged = bytearray((sanitized.parent / "tokenizer.bin").read_bytes())
    heads, all_of_it = st.integers(0, 19), st.integers(0, len(forged) // 4 - 17)
    for place in data.draw(st.lists(st.one_of(heads, all_of_it), min_size=1, max_size=30)):
        value = data.draw(st.one_of(st.integers(0, 300), st.integers(0, 2**32 - 1)))
        struct.pack_into("<I", forged, 64 + 4 * place, value)
    struct.pack_into("<I", forged, 24, zlib.crc32(forged[64:]))
    tokenizer, text = sanitized.with_name("forged.bin"), sanitized.with_name("forged.txt")
    tokenizer.write_bytes(forged)
    text.write_text(data.draw(AWKWARD_TEXTS) + AWKWARD)
    check_sanitized(sanitized, text, "--tokenizer", str(tokenizer))


def check_sanitized(program: Path, text: Path, *options: str) -> None:
    """It answers, or says in a line why not."""
    command = [str(program), "--ask", str(text), "Which one?", *options]
    done = subprocess.run(
        command,
        env={"ASAN_OPTIONS": "allocator_may_return_null=1:detect_leaks=1"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    said = [line for line in done.stderr.splitlines() if b"WARNING: AddressSanitizer" not in line]
    assert done.returncode == int(bool(said)), done.stderr
    assert len(said) <= 1, done.stderr


def test_what_is_wrong_is_said_in_a_sentence(exported: Path, tmp_path: Path) -> None:
    damaged, empty, latin = (tmp_path / name for name in ("t.bin", "empty.txt", "latin.txt"))
    data = (exported / "tokenizer.bin").read_bytes()
    damaged.write_bytes(data[:500] + b"x" + data[501:])
    empty.write_text(" \n")
    latin.write_bytes("Zürich".encode("latin-1"))
    text = exported / "text.txt"
    for arguments, message in (
        (("--ask", text, QUESTION, "--tokenizer", damaged), "its checksum is wrong"),
        (("--ask", text, QUESTION, "--tokenizer", exported / "weights.bin"), "it is no tokenizer"),
        (("--ask", text, QUESTION, "--tokenizer", tmp_path / "none"), "No such file"),
        (("--ask", text, QUESTION, "--weights", damaged), "it is no file of weights"),
        (("--ask", empty, QUESTION), "the text is empty"),
        (("--ask", latin, QUESTION), "it is no text in UTF-8"),
        (("--ask", text, " "), "the question is empty"),
        (("--ask", text, "why " * 100), "the question is too long"),
        (("--ask", tmp_path / "missing", QUESTION), "No such file"),
    ):
        done = run(exported, *arguments)
        assert (done.returncode, done.stdout) == (1, "")
        assert message in done.stderr
        assert done.stderr.count("\n") == 1
    for wrong in (
        (),
        ("--ask", text),
        ("--top", "0", "--ask", text, "a"),
        ("--ask", text, "a", "b"),
    ):
        assert run(exported, *wrong).returncode == 2
    damaged.write_bytes(data[:5000])
    done = run(exported, "--ask", text, QUESTION, "--tokenizer", damaged)
    assert (done.returncode, done.stdout) == (1, "")
    assert "cut off" in done.stderr


@pytest.mark.parametrize("compiler", COMPILERS)
def test_no_compiler_warns(exported: Path, compiler: str, tmp_path: Path) -> None:
    for name in FILES:
        command = [*COMPILERS[compiler].split(), *STRICT.split(), "-std=c11", "-O0"]
        command += ["-Wno-psabi", "-c", str(exported / name), "-o", str(tmp_path / "o")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


def test_the_documented_program(exported: Path, folder: Path) -> None:
    objects = [name.replace(".c", ".o") for name in FILES[:-1]]
    command = ["gcc", "-Wall", "-Wextra", "-Werror", "-pedantic", "-I.", str(EXAMPLE), *objects]
    subprocess.run([*command, "-pthread", "-lm", "-o", "documented"], cwd=exported, check=True)
    done = subprocess.run(
        ["./documented"], cwd=exported, check=True, capture_output=True, text=True
    )
    text = "Ada Lovelace wrote the first program."
    wanted = QuestionAnswerer(folder, backend="pytorch").answer("Who wrote it?", text, top=3)
    spans = [(each.score, each.text) for each in (wanted, *wanted.others)]
    assert done.stdout.splitlines() == [f"{score:.3f} {text}" for score, text in spans]


CXX = """
#include <cstdio>
#include <cstring>
#include "answering.h"
#include "tokenizer.h"
int main(int, char **arguments) {
  other_model_status status;
  other_model *model = other_model_open(arguments[1], 1, 0, &status);
  other_answerer *answerer = other_answerer_open(model, arguments[2], &status);
  if (!answerer) return std::puts(other_model_text(status)), 1;
  other_answer found[2];
  int count = 0;
  const char *text = "the first program of all";
  status = other_answerer_ask(answerer, text, std::strlen(text), "Who?", 4, found, 2, &count);
  if (!status) std::printf("%.*s\\n", int(found[0].end - found[0].start), text + found[0].start);
  other_answerer_close(answerer);
  other_model_close(model);
  return status;
}
"""


def test_called_from_cxx_under_another_name(tmp_path: Path) -> None:
    model = SureReader("first", "program")
    answerer = QuestionAnswerer(model, word_pieces(), batch=2, tune="off", threads=1)
    path = answerer.export(tmp_path / "other", name="other")
    parts = [name.removesuffix(".c") for name in FILES[:-1]]
    for part in parts:
        command = ["gcc", "-O1", "-c", f"{part}.c", "-o", f"{part}.o"]
        subprocess.run(command, cwd=path, check=True, capture_output=True)
    (path / "caller.cc").write_text(CXX)
    objects = [f"{part}.o" for part in parts]
    strict = ["-Wall", "-Wextra", "-Werror", "-pedantic", "-pthread"]
    subprocess.run(["g++", *strict, "caller.cc", *objects, "-lm", "-o", "c"], cwd=path, check=True)
    command = ["./c", "weights.bin", "tokenizer.bin"]
    done = subprocess.run(command, cwd=path, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b"first program\n")
    symbols = subprocess.run(
        ["nm", "-g", "--defined-only", *objects],
        cwd=path, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip
    names = [line.split()[2] for line in symbols.splitlines() if len(line.split()) == 3]
    assert names
    assert all(name.startswith("other_") for name in names)


def changed(**parts: Any) -> Tokenizer:
    """BERT's tokenizer with some parts of another kind."""
    made = Tokenizer.from_str(word_pieces().backend_tokenizer.to_str())
    for name, part in parts.items():
        setattr(made, name, part)
    return made


def with_added(content: str) -> Tokenizer:
    made = changed()
    made.add_tokens([AddedToken(content)])
    return made


@pytest.mark.parametrize(
    ("tokenizer", "message"),
    [
        (changed(normalizer=normalizers.NFKC()), "its normalizer is NFKC"),
        (changed(normalizer=normalizers.Sequence([])), "its normalizer is Sequence"),
        (changed(pre_tokenizer=pre_tokenizers.Whitespace()), "its pre_tokenizer is Whitespace"),
        (with_added("lovelace"), "it has an added token, 'lovelace'"),
    ],
)
def test_tokenizers_that_are_refused(tokenizer: Tokenizer, message: str) -> None:
    with pytest.raises(UnsupportedModelError, match=message):
        read_word_pieces(tokenizer.to_str())


def test_another_model_of_tokens_is_refused_and_nothing_is_written(tmp_path: Path) -> None:
    model = SureReader("first", "program")
    answerer = QuestionAnswerer(model, byte_pairs(), backend="canao", tune="off", threads=1)
    with pytest.raises(UnsupportedModelError, match="cannot be exported"):
        answerer.export(tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_wrong_uses_of_the_command(folder: Path, tmp_path: Path) -> None:
    with pytest.MonkeyPatch.context() as patch:
        out = ("--out", tmp_path / "out")
        assert run_command(patch, "export", folder, *out, "--answering", "--decoder") == 2
        device = "--device", "qemu:aarch64"
        assert run_command(patch, "export", folder, *out, "--answering", *device) == 1
        assert run_command(patch, "export", folder, *out, "--max-length", 64) == 2
        for option in (("--seq", 64), ("--batch", 2), ("--dynamic",), ("--attn", "eager")):
            assert run_command(patch, "export", folder, *out, "--answering", *option) == 2
        missing = tmp_path / "missing"
        assert run_command(patch, "export", missing, *out, "--answering") == 1
    assert not (tmp_path / "out").exists()
