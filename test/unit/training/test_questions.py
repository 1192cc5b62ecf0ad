"""Questions about texts: read, cut, learnt, distilled, scored; compiled as in PyTorch."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from run_command import run_command
from safetensors.torch import load_file
from unit.training.question_support import (
    SIZES,
    broken,
    knowing,
    question_task,
    questions,
    save_encoder,
    write_questions,
)
from unit.training.training_support import stop_at

from canao.errors import CanaoError, InputFileError
from canao.nas.models.inherit import inherit
from canao.nas.models.sized_bert import architecture_of, load_model, read_config
from canao.nas.space.architecture import Architecture
from canao.nas.training.candidates.candidate import train_candidate
from canao.nas.training.candidates.teacher import open_teacher
from canao.nas.training.data.encode import Schedule, load_tokenizer
from canao.nas.training.data.tasks import Task, open_task
from canao.nas.training.evaluation.evaluate import evaluate_task
from canao.nas.training.fit.distil import DistilRecipe
from canao.nas.training.fit.fine_tune import fine_tune
from canao.nas.training.fit.trainer import Recipe
from canao.nas.training.kinds.cuttings import Cuttings
from canao.nas.training.kinds.spans import Spans

RECIPE = Recipe(batch_size=4, learning_rate=3e-3, save_every=2)
LEARN = replace(RECIPE, save_every=1000)
DISTIL = DistilRecipe(batch_size=4, learning_rate=3e-3, save_every=2)
SMALL = Architecture(16, 2, (24, 16))
KIND = Spans()


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="module")
def task(tmp_path_factory: pytest.TempPathFactory) -> Task:
    return question_task(tmp_path_factory.mktemp("data"))


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory, encoder: Path, task: Task) -> Path:
    directory = tmp_path_factory.mktemp("taught")
    fine_tune(encoder, task, directory=directory / "a", epochs=30, recipe=LEARN)
    return directory / "a"


def _same(one: Path, other: Path) -> bool:
    mine, theirs = (load_file(path / "model.safetensors") for path in (one, other))
    return all(torch.equal(mine[name], theirs[name]) for name in theirs | mine)


def test_articles_are_held_out_whole(task: Task) -> None:
    told, held = ({one.title for one in part.questions} for part in (task.train, task.heldout))
    assert told
    assert held
    assert not told & held
    assert len(task.train) + len(task.heldout) == 12
    assert "by a hash of their article" in task.notes[-1]


def test_questions_are_learnt(taught: Path, task: Task) -> None:
    record = json.loads((taught / "training.json").read_text())
    assert record["steps"] == 90
    assert record["scores"]["dev"]["f1"] >= 0.9
    assert record["losses"][-1][1] < 0.5 * record["losses"][0][1]


def test_a_stopped_training_ends_as_one_that_was_not(
    encoder: Path, task: Task, tmp_path: Path
) -> None:
    """Beyond the first epoch, so that texts are cut anew."""
    cut = replace(task, spec=replace(task.spec, training_length=20))
    unbroken, halted = tmp_path / "unbroken", tmp_path / "halted"
    fine_tune(encoder, cut, directory=unbroken, epochs=2, recipe=RECIPE)
    for step in (1, 5):
        with pytest.raises(KeyboardInterrupt):
            fine_tune(
                encoder, cut, directory=halted, epochs=2, recipe=RECIPE, progress=stop_at(step)
            )
    fine_tune(encoder, cut, directory=halted, epochs=2, recipe=RECIPE)
    assert _same(unbroken, halted)


def test_cuttings_have_an_answer_or_say_that_there_is_none(encoder: Path, task: Task) -> None:
    tokenizer, asked = load_tokenizer(encoder), questions(task)
    window = 18
    rows = Cuttings.of(asked, tokenizer, window, 3)
    assert max(rows.lengths) == window
    shown, without = set[tuple[int, str]](), 0
    for index in range(40 * len(rows)):
        row = rows[index]
        assert len(row["input_ids"]) == rows.lengths[index % len(rows)]
        start, end = row["start_positions"], row["end_positions"]
        if start == end == 0:
            without += 1
            continue
        text = tokenizer.decode(row["input_ids"][start : end + 1])
        golds = {gold.text.lower() for gold in asked.questions[index % len(rows)].golds}
        assert text in golds
        assert row["token_type_ids"][start] == row["token_type_ids"][end] == 1
        shown.add((index % len(rows), text))
    assert 0 < without < 4 * len(rows)
    # Every answer that an annotator gave is learnt at some time.
    assert len(shown) == sum(len(one.golds) for one in asked.questions)
    assert rows[17] == Cuttings.of(asked, tokenizer, window, 3)[17]
    draws = [[rows[n + epoch * len(rows)] for n in range(len(rows))] for epoch in (0, 1)]
    assert draws[0] != draws[1]


def test_a_question_that_fills_a_window(encoder: Path, task: Task) -> None:
    with pytest.raises(InputFileError, match=r"question q0 takes .* of a window of 10 tokens"):
        Cuttings.of(questions(task), load_tokenizer(encoder), 10, 0)


def test_an_epoch_follows_another_where_rows_are_drawn_anew() -> None:
    same, fresh = (list(Schedule([3] * 5, 2, 6, 1, fresh=fresh)) for fresh in (False, True))
    assert [[n % 5 for n in batch] for batch in fresh] == same
    assert sorted(n for batch in fresh for n in batch) == list(range(10))


def test_scores_by_hand(task: Task) -> None:
    """F1 of each answer: 1, 4/5, 1, 0, and 0 where none is given."""
    some = questions(task).take(range(5))
    texts = [one.context for one in some.questions]
    said = ["Alps", "flows to the North Sea", "Egypt,", "Egypt"]
    places: list[tuple[int, int] | None] = [
        (text.index(answer), text.index(answer) + len(answer))
        for text, answer in zip(texts, said, strict=False)
    ]
    found = KIND.score(task.spec, some, [*places, None])
    # "flows to North Sea" against "to North Sea": 3 words of 4 and of 3, so 6/7.
    assert found["f1"] == pytest.approx((1 + 6 / 7 + 1 + 0 + 0) / 5)
    assert found["exact"] == pytest.approx(2 / 5)


def test_scores_of_version_2(tmp_path: Path) -> None:
    """No answer is right where there is none, and wrong elsewhere."""
    task = question_task(tmp_path, version_2=True)
    asked = questions(task)
    assert asked.unanswerable
    assert sum(not one.golds for one in asked.questions) == 6
    silent = KIND.score(task.spec, asked, [None] * 12)
    assert silent == {"f1": 0.5, "exact": 0.5}
    # Of "The" the script leaves nothing, which is right four times; "Wat" and "Oak" are not.
    spoken = KIND.score(task.spec, asked, [(0, 3)] * 12)
    assert spoken == pytest.approx({"f1": 4 / 12, "exact": 4 / 12})


def _wrong_start(entry: dict[str, Any]) -> None:
    entry["answers"][0]["answer_start"] += 1


def _no_id(entry: dict[str, Any]) -> None:
    del entry["id"]


def _no_answers(entry: dict[str, Any]) -> None:
    entry["answers"] = []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_wrong_start, r"qas\[1\]\.answers\[0\] says 'to the North Sea' at character"),
        (_no_id, r"qas\[1\] has no 'id'"),
        (_no_answers, r"qas\[1\] has no answers"),
    ],
)
def test_faults_in_files(
    change: Callable[[dict[str, Any]], None], message: str, tmp_path: Path
) -> None:
    folder = write_questions(tmp_path / "quiz")
    (folder / "train.json").write_text(json.dumps(broken(change)))
    with pytest.raises(
        InputFileError, match=rf"train\.json: data\[0\]\.paragraphs\[0\]\.{message}"
    ):
        open_task(str(folder))


def test_folders_without_questions(tmp_path: Path) -> None:
    with pytest.raises(InputFileError, match=r"has no file of SQuAD; .* train\.json"):
        open_task("squad", tmp_path)
    with pytest.raises(CanaoError, match="name their folder"):
        open_task("qa")
    folder = write_questions(tmp_path / "SQuAD")
    assert open_task("squad", tmp_path).place == open_task("qa", folder).place == str(folder)


def test_spans_are_those_of_pytorch(taught: Path, task: Task) -> None:
    """Texts of several windows: the longest has 17 tokens, a window room for 5 to 8."""
    narrow = replace(task, spec=replace(task.spec, max_length=16))
    (split,) = evaluate_task(taught, narrow, threads=1).splits
    assert (split.rows, split.differing, split.exact, split.agrees) == (12, 0, True, True)
    assert split.compiled == split.pytorch
    assert split.largest_difference < 1e-4
    assert len(KIND.rows(questions(task), load_tokenizer(taught), narrow.spec)) > 24
    assert not replace(split, differing=1).agrees


def test_spans_that_differ_are_counted(task: Task) -> None:
    assert KIND.differing(task.spec, [(0, 1), None, (2, 3)], [(0, 1), (0, 1), (2, 4)]) == 2


def test_a_model_for_something_else(encoder: Path, task: Task, tmp_path: Path) -> None:
    settings = read_config(encoder)
    settings.architectures = ["BertForSequenceClassification"]
    settings.save_pretrained(tmp_path)
    for name in ("tokenizer.json", "tokenizer_config.json", "model.safetensors"):
        (tmp_path / name).symlink_to(encoder / name)
    with pytest.raises(CanaoError, match="is no head for question answering of 2 outputs"):
        evaluate_task(tmp_path, task)


def test_a_model_of_the_teachers_own_sizes_is_the_teacher(taught: Path, task: Task) -> None:
    teacher = open_teacher(taught, task)
    assert teacher.knows_task
    copy, lineage = inherit(SIZES, teacher.model, teacher.importance, seed=0)
    assert lineage.blocks == (0, 1)
    for name, weight in teacher.model.state_dict().items():
        assert torch.equal(copy.state_dict()[name], weight), name


def test_a_smaller_model_is_distilled(taught: Path, task: Task, tmp_path: Path) -> None:
    """It goes on from a checkpoint bit by bit, and from fewer steps to more."""
    unbroken, halted = tmp_path / "unbroken", tmp_path / "halted"

    def distil(directory: Path, steps: int, **more: Any) -> Path:
        found = train_candidate(
            SMALL, task, taught, steps=steps, seed=1, directory=directory, recipe=DISTIL, **more
        )
        assert 0 <= found.accuracy == found.scores["heldout"]["f1"] <= 1
        return found.directory

    with pytest.raises(KeyboardInterrupt):
        distil(halted, 4, progress=stop_at(3))
    assert _same(distil(unbroken, 4), distil(halted, 4))
    longer = distil(halted, 6)
    assert architecture_of(read_config(longer)) == SMALL
    assert type(load_model(longer)).__name__ == "SizedBertForQuestionAnswering"
    assert json.loads((longer / "run.json").read_text())["after"] == 4


def test_divergence_leaves_padding_out() -> None:
    generator = torch.Generator().manual_seed(0)
    mask = torch.tensor([[1, 1, 1, 0], [1, 1, 0, 0]])
    drawn = torch.randn(4, 2, 4, generator=generator)
    mine, theirs = (SimpleNamespace(start_logits=drawn[n], end_logits=drawn[n + 1]) for n in (0, 2))
    expected = 0.0
    for a, b in ((drawn[0], drawn[2]), (drawn[1], drawn[3])):
        for row, count in ((0, 3), (1, 2)):
            p = (b[row, :count] / 2).softmax(0)
            q = (a[row, :count] / 2).softmax(0)
            expected += float((p * (p / q).log()).sum()) * 4 / 2 / 2
    assert KIND.divergence(mine, theirs, mask, 2.0).item() == pytest.approx(expected, rel=1e-5)
    assert KIND.divergence(mine, mine, mask, 2.0).item() == 0


def test_from_the_command_line(
    encoder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, out = write_questions(tmp_path / "squad"), tmp_path / "out"
    train = ("--data", folder, "--model", encoder, "--epochs", 0.5, "--out", out, "--json")
    assert run_command(monkeypatch, "train", "qa", *train) == 0
    record = json.loads(capsys.readouterr().out)
    assert (record["task"], record["recipe"]["batch_size"]) == ("squad", 8)
    assert record["recipe"]["learning_rate"] == 2e-4
    results = tmp_path / "results.json"
    judge = ("--model", out, "--data", folder, "--threads", 1, "--out", results)
    assert run_command(monkeypatch, "eval", "squad", *judge) == 0
    assert "0 answers" in capsys.readouterr().out
    (result,) = json.loads(results.read_text())["results"]
    assert result["splits"][0]["differing"] == 0
    assert run_command(monkeypatch, "train", "qa", "--task", "qa", *train) == 2
    assert "name one task" in capsys.readouterr().err


@pytest.mark.slow
def test_a_search(
    encoder: Path,
    task: Task,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Teacher, two candidates, the better one to the end: all in children, scored by F1."""
    out = tmp_path / "out"
    where = ("--task", task.place, "--teacher", encoder, "--teacher-epochs", 4, "--out", out)
    how = ("--trials", 2, "--steps", 2, "--final-steps", 4, "--seq", 32, "--finalists", 1)
    assert run_command(monkeypatch, "search", *where, *how, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    for name in ("f1", "exact"):
        value = found["facts"][f"{name} (dev)"]
        assert 0 <= value <= 1
        assert found["facts"][f"{name} (dev, compiled)"] == value
    assert type(load_model(out / "best")).__name__.endswith("BertForQuestionAnswering")


def test_knowing_a_task(encoder: Path, task: Task, tmp_path: Path) -> None:
    """A model that says it was trained on the task teaches with its logits."""
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json", "model.safetensors"):
        (tmp_path / name).write_bytes((encoder / name).read_bytes())
    assert not open_teacher(tmp_path, task).knows_task
    assert open_teacher(knowing(tmp_path, task), task).knows_task
