"""Exported generators: the same tokens as compiled ones, and draws within what was asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from run_command import run_command
from unit.exporting.exported_models import STRICT, make, run
from unit.generation.small_decoders import small_decoder

import canao


@pytest.fixture(scope="module", params=["grouped", "gpt2"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A generator, and its program."""
    generator = canao.CompiledGenerator(small_decoder(request.param), tune="off", threads=2)
    path = generator.export(tmp_path_factory.mktemp(request.param) / "program")
    make(path, CFLAGS=STRICT)
    return generator, path


def _tokens(path: Path, prompt: list[int], *options: object) -> list[int]:
    done = run(path, "--prompt-ids", ",".join(map(str, prompt)), *options)
    assert done.returncode == 0, done.stderr
    return [int(line) for line in done.stdout.split()]


@pytest.mark.parametrize(
    "prompt", [[5], [5, 9, 200, 17], list(range(1, 290)), [7] * 395], ids=lambda ids: str(len(ids))
)
def test_the_same_tokens(exported: Any, prompt: list[int]) -> None:
    """Short prompts, some longer than a run takes, and up to the limit of a text."""
    generator, path = exported
    wanted = generator.generate(prompt, max_new_tokens=24)
    assert wanted
    for threads in (1, 2):
        found = _tokens(path, prompt, "--max-new-tokens", 24, "--threads", threads, "--time", 2)
        assert found == wanted


def test_stops(exported: Any) -> None:
    generator, path = exported
    prompt = [5, 9, 200, 17]
    whole = _tokens(path, prompt, "--stop-ids", "none", "--max-new-tokens", 20)
    stop = whole[-1]
    found = _tokens(path, prompt, "--stop-ids", f"299,{stop}", "--max-new-tokens", 20)
    assert found == whole[: whole.index(stop)]
    assert _tokens(path, prompt, "--max-new-tokens", 0) == []
    about = json.loads((path / "metadata.json").read_text())["decoder"]
    assert (about["longest"], about["vocabulary"]) == (generator.decoder.longest, 300)


def test_draws(exported: Any) -> None:
    """A seed decides them; they stay among the likeliest and follow their chances."""
    generator, path = exported
    prompt = [5, 9, 200, 17]
    options = ("--temperature", 1.5, "--top-k", 8, "--max-new-tokens", 6, "--seed")
    draws = [tuple(_tokens(path, prompt, *options, seed)) for seed in range(120)]
    assert draws[3] == tuple(_tokens(path, prompt, *options, 3))
    from canao.decoding.stream import Stream

    logits = Stream(generator.decoder).feed(prompt)
    likeliest = np.argsort(logits)[::-1][:8]
    chances = np.exp(logits[likeliest].astype(float) / 1.5)
    chances /= chances.sum()
    first = [draw[0] for draw in draws]
    assert set(first) <= set(likeliest.tolist())
    counts = np.array([first.count(token) for token in likeliest])
    # Five standard deviations: with fixed seeds it either holds or does not.
    assert (np.abs(counts - 120 * chances) <= 5 * np.sqrt(120 * chances) + 1).all()
    nearly_greedy = _tokens(path, prompt, "--temperature", 1, "--top-p", 1e-6)
    assert nearly_greedy == _tokens(path, prompt)


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--prompt-ids", ""),
        ("--prompt-ids", "1,"),
        ("--prompt-ids", "1,,2"),
        ("--prompt-ids", "300"),
        ("--prompt-ids", "-1"),
        ("--prompt-ids", "1 2"),
        ("--prompt-ids", ",".join(["1"] * 401)),
        ("--prompt-ids", "1", "--threads", "3"),
        ("--prompt-ids", "1", "--top-p", "0"),
        ("--prompt-ids", "1", "--temperature", "-1"),
        ("--prompt-ids", "1", "--temperature", "nan"),
        ("--prompt-ids", "1", "--top-k", "x"),
        ("--prompt-ids", "1", "--max-new-tokens"),
        ("--prompt-ids", "1", "--what", "1"),
    ],
)
def test_wrong_use(exported: Any, options: tuple[str, ...]) -> None:
    done = run(exported[1], *options)
    assert done.returncode == 2
    assert "--prompt-ids IDS" in done.stderr


def test_a_damaged_file_is_refused(exported: Any) -> None:
    path: Path = exported[1]
    data = bytearray((path / "weights.bin").read_bytes())
    data[-1] ^= 1
    (path / "bad.bin").write_bytes(data)
    done = run(path, "--prompt-ids", "1", "--weights", "bad.bin")
    assert (done.returncode, "checksum is wrong" in done.stderr) == (1, True)


def test_the_command_exports_generators(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder without a tokenizer, for short texts, with names of its own."""
    model = small_decoder("gpt2")
    model.save_pretrained(tmp_path / "small")
    command = ("export", tmp_path / "small", "--out", tmp_path / "program", "--max-length", 40)
    options = ("--decoder", "--name", "small", "--tune", "off")
    assert run_command(monkeypatch, *command, *options) == 0
    path = tmp_path / "program"
    assert "small_decoder_open" in (path / "model.h").read_text()
    assert json.loads((path / "metadata.json").read_text())["decoder"]["longest"] == 40
    make(path, CFLAGS=STRICT)
    prompt = torch.tensor([[5, 9, 200, 17]])
    wanted = model.generate(prompt, max_new_tokens=8, do_sample=False)[0, 4:]
    assert _tokens(path, prompt[0].tolist(), "--max-new-tokens", 8) == wanted.tolist()
    assert run_command(monkeypatch, *command) == 2
    said = " ".join(capsys.readouterr().err.replace("│", " ").split())
    assert "--max-length is for --android or --web or --answering or --decoder" in said
