"""Released models: their files are checked, halves are read as float32, cards have figures."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from unit.training.question_support import question_task, save_encoder

from canao.errors import CanaoError, InputFileError
from canao.huggingface.pretrained import load_pretrained
from canao.nas.models.sized_bert import load_model
from canao.nas.space.architecture import Architecture
from canao.nas.training.candidates.candidate import train_candidate
from canao.nas.training.fit.fine_tune import fine_tune
from canao.released import models
from canao.released.models import CHECKSUMS, check_files, released_model, released_models

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that was trained, distilled and released."""
    place = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CANAO_CACHE_DIR", str(place / "cache"))
        encoder, task = save_encoder(place / "encoder"), question_task(place)
        fine_tune(encoder, task, directory=place / "teacher", epochs=0.5)
        small = train_candidate(
            Architecture(16, 2, (24, 16)),
            task,
            place / "teacher",
            steps=1,
            seed=0,
            directory=place / "small",
        )
    scores = {"exact": 0.5, "f1": 0.625}
    split = {"rows": 12, "pytorch": scores, "compiled": scores, "differing": 0}
    (place / "figures.json").write_text(json.dumps({"results": [{"splits": [split]}]}))
    out = place / "room" / "minilm-squad"
    arguments = [small.directory, "--teacher", place / "teacher", "--out", out]
    tool = [sys.executable, ROOT / "tools" / "release_model.py", *arguments]
    figures = ["--evaluation", place / "figures.json"]
    for more in ([], figures):
        made = subprocess.run([*tool, *more], capture_output=True, text=True, check=True)
        assert str(out) in made.stdout
    (out.parent / "trained").symlink_to(small.directory)
    return out


def test_weights_are_halves_that_are_read_as_float32(released: Path) -> None:
    stored = load_file(released / "model.safetensors")
    trained = load_file(released.parent / "trained" / "model.safetensors")
    assert {weight.dtype for weight in stored.values()} == {torch.float16}
    for model in (load_model(released), load_pretrained(released)):
        assert type(model).__name__ == "SizedBertForQuestionAnswering"
        for name, weight in model.state_dict().items():
            assert weight.dtype == torch.float32
            assert torch.equal(weight, trained[name].half().float()), name


def test_the_card_says_how_good_the_model_is(released: Path) -> None:
    card = (released / "README.md").read_text()
    assert "| this model | 12 | 50.00 | 62.50 | 50.00 | 62.50 | 0 |" in card
    assert "CC BY-SA 4.0" in card
    assert "0.5 epochs of 12 questions" in card


def test_files_are_those_that_were_released(
    released: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = shutil.copytree(released, tmp_path / "minilm-squad")
    monkeypatch.setattr(models, "_ROOM", tmp_path)
    released_model.cache_clear()
    assert released_models() == ("minilm-squad",)
    assert released_model() == copy
    with pytest.raises(
        CanaoError, match=r"no model 'x' is released .* there is minilm-squad; name a model"
    ):
        released_model("x")
    config = copy / "config.json"
    config.write_text(config.read_text().replace("gelu", "relu"))
    with pytest.raises(InputFileError, match=r"config\.json is not the file that was released"):
        check_files(copy)
    config.unlink()
    with pytest.raises(InputFileError, match=r"config\.json cannot be read"):
        check_files(copy)
    (copy / CHECKSUMS).write_text('{"../config.json": "0"}')
    with pytest.raises(InputFileError, match="is no list of checksums"):
        check_files(copy)
    released_model.cache_clear()
