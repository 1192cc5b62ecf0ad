"""`canao search` on data of one's own: a teacher, candidates in children, the best handed over."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from optuna.trial import TrialState
from run_command import run_command
from unit.nas.search_support import TableMeter
from unit.training.training_support import WHOLE, examples, save_teacher

import canao
from canao.errors import CanaoError, CandidateError, SearchError
from canao.machine.target import Target
from canao.nas import search as search_module
from canao.nas.measuring.compiling import example_inputs
from canao.nas.models.sized_bert import architecture_of, load_model, read_config
from canao.nas.space.architecture import Architecture
from canao.nas.space.space import SearchSpace, Sizes
from canao.nas.training.candidates import task_trainer
from canao.nas.training.candidates.task_trainer import Source, TaskTrainer, Tuning
from canao.nas.training.data.columns import Examples
from canao.nas.training.data.tasks import open_task
from canao.nas.training.fit.fine_tune import knows
from canao.nas.training.task_options import TaskOptions

SMALL = Architecture(24, 3, (16, 8))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a task of one's own."""
    folder = tmp_path_factory.mktemp("data") / "films"
    folder.mkdir()
    for name, part in (("train", examples(64, 1)), ("dev", examples(24, 3))):
        (folder / f"{name}.tsv").write_text(_table(part))
    return folder


def _table(part: Examples) -> str:
    names = {0.0: "neg", 1.0: "pos"}
    rows = zip(part.texts, part.labels, strict=True)
    return "sentence\tlabel\n" + "".join(f"{text}\t{names[label]}\n" for text, label in rows)


def _arguments(films: Path, teacher: Path, out: Path) -> tuple[object, ...]:
    arguments = ("--task", films, "--teacher", teacher, "--trials", 1, "--out", out, "--json")
    return (*arguments, "--steps", 2, "--final-steps", 4, "--seq", 16, "--finalists", 1)


def test_from_data_to_a_compiled_model(
    teacher: Path,
    films: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    arguments = _arguments(films, teacher, out)
    with monkeypatch.context() as patch:
        _children(patch, CHILD="unit.training.crash_at_the_end")
        # The teacher will be measured in earnest; that is slow enough.
        patch.setattr(search_module, "DeviceLatency", lambda *_, **__: TableMeter())
        assert run_command(monkeypatch, "search", *arguments) == 1
    said = capsys.readouterr().err
    assert "could not be made to the end: training crashed (SIGSEGV)" in said
    assert (out / "report.html").is_file()
    assert not (out / "best").exists()
    # The same search tries that again, and nothing else.
    assert run_command(monkeypatch, "search", *arguments) == 0
    found = json.loads(capsys.readouterr().out)
    best, facts = Architecture.from_mapping(found["best"]["architecture"]), found["facts"]
    for name in ("accuracy (dev)", "teacher's accuracy (dev)"):
        assert 0 <= facts[name] <= 1
        compiled = name.replace("(dev)", "(dev, compiled)")
        assert facts[compiled] == pytest.approx(facts[name], abs=0.001)
    assert facts["latency_ms"] > 0
    assert facts["teacher's latency_ms"] > 0
    assert architecture_of(read_config(out / "best")) == best
    assert (out / "best" / "tokenizer.json").is_file()
    assert "teacher's accuracy (dev)" in (out / "best" / "README.md").read_text()
    assert "After the last training" in (out / "report.html").read_text()
    inputs = example_inputs(16, 1, 20)
    expected = load_model(out / "best").eval()(**inputs).logits.detach().numpy()
    compiled = canao.load(out / "best" / "compiled")(**inputs).logits
    assert np.allclose(compiled.detach().numpy(), expected, atol=1e-4)
    _check_settings(arguments, monkeypatch, capsys)


def _check_settings(
    arguments: tuple[object, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Other settings of training are an error; a worker takes them from the study."""
    for option, value, message in (
        ("--steps", "2,3", "another training (steps [2], now [2, 3])"),
        ("--final-steps", 5, "another training (final_steps 4, now 5)"),
        ("--bfloat16", None, "another training (recipe bf16 False, now True)"),
        ("--seed", 1, "another settings (seed 0, now 1)"),
    ):
        more = (option,) if value is None else (option, value)
        assert run_command(monkeypatch, "search", *arguments, *more) == 1
        assert message in capsys.readouterr().err
    worker = (*arguments, "--worker", "--steps", "2,3", "--final-steps", 5)
    assert run_command(monkeypatch, "search", *worker) == 0


def _children(patch: pytest.MonkeyPatch, **children: str) -> None:
    """Let modules of the tests stand in for children."""
    for name, module in children.items():
        patch.setattr(task_trainer, name, module)
    patch.setenv("PYTHONPATH", str(Path(__file__).resolve().parents[2]))


def _trainer(films: Path, teacher: Path) -> TaskTrainer:
    return TaskTrainer(open_task(str(films)), teacher, source=Source(str(films)))


def test_a_child_finds_what_this_process_does(films: Path, teacher: Path, tmp_path: Path) -> None:
    trainer = _trainer(films, teacher)
    there = trainer.accuracy(SMALL, steps=2, seed=0, directory=tmp_path / "there")
    here = replace(trainer, source=None)
    assert there == here.accuracy(SMALL, steps=2, seed=0, directory=tmp_path / "here")


def test_a_training_that_hangs(films: Path, teacher: Path, tmp_path: Path) -> None:
    trainer = replace(_trainer(films, teacher), time_limit=0.2)
    with pytest.raises(CandidateError, match=r"training hung: it did not end within 0\.2 s"):
        trainer.accuracy(SMALL, steps=2, seed=0, directory=tmp_path)


@pytest.mark.parametrize(
    ("blocks", "reason"),
    [
        ((), "training crashed"),
        ((1,), "training failed: the loss is nan"),
        ((1, 1), "training ran out of memory"),
    ],
)
def test_a_training_that_dies(
    films: Path,
    teacher: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    blocks: tuple[int, ...],
    reason: str,
) -> None:
    _children(monkeypatch, CHILD="unit.training.bad_training")
    wanted = replace(SMALL, intermediate_sizes=(8, *blocks))
    trainer = replace(_trainer(films, teacher), memory_bytes=2 << 30)
    with pytest.raises(CandidateError, match=reason):
        trainer.accuracy(wanted, steps=2, seed=0, directory=tmp_path)


def test_a_real_training_without_memory(films: Path, teacher: Path, tmp_path: Path) -> None:
    trainer = replace(_trainer(films, teacher), memory_bytes=200 << 20)
    with pytest.raises(CandidateError, match="training ran out of memory"):
        trainer.accuracy(SMALL, steps=2, seed=0, directory=tmp_path)


def test_a_search_goes_on_after_trainings_that_die(
    films: Path, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _children(monkeypatch, CHILD="unit.training.bad_training")
    trainer = replace(_trainer(films, teacher), memory_bytes=2 << 30)
    result = canao.search(
        trainer,
        trials=4,
        sampler="random",
        space=SearchSpace(Sizes(1, 3), Sizes(16, 32, 8), Sizes(16, 48, 16), head_width=8),
        out=tmp_path,
        meter=TableMeter(),
        cache_dir=tmp_path / "cache",
    )
    trials = result.study.get_trials()
    assert [t.state for t in trials] == [TrialState.FAIL] * 4
    blocks = {1: "crashed (SIGSEGV)", 2: "the loss is nan", 3: "ran out of memory"}
    for trial in trials:
        assert blocks[trial.params["num_blocks"]] in trial.user_attrs["reason"]
    assert any(trial.params["num_blocks"] == 3 for trial in trials)


def test_a_teacher_whose_training_crashes(
    films: Path, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _children(monkeypatch, TEACHER_CHILD="unit.training.bad_training")
    trainer = replace(
        _trainer(films, teacher), teacher=tmp_path / "teacher", tuning=Tuning(teacher)
    )
    with pytest.raises(SearchError, match=r"fine-tuning the teacher crashed \(SIGSEGV\); correct"):
        trainer.prepare()


def test_a_teacher_is_made_in_a_child(films: Path, tmp_path: Path) -> None:
    model = save_teacher(tmp_path / "model", task="something else")
    told: list[tuple[str, int, int]] = []
    options = TaskOptions(teacher=model, teacher_epochs=0.5)
    trainer = TaskTrainer.for_search(str(films), options, tmp_path, lambda *row: told.append(row))
    trainer.prepare()
    assert trainer.teacher == tmp_path / "teacher"
    assert knows(read_config(trainer.teacher), trainer.task.spec)
    assert told
    trainer.prepare()
    with pytest.raises(CanaoError, match="holds another training"):
        replace(trainer, tuning=Tuning(model, epochs=1)).prepare()


def test_the_space_is_what_the_teacher_has_room_for(films: Path, teacher: Path) -> None:
    trainer = _trainer(films, teacher)
    space = trainer.space(Target.host().vector_unit, 16)
    assert space.largest.num_blocks == WHOLE.num_blocks
    assert space.largest.hidden_size <= WHOLE.hidden_size
    assert space.head_width == WHOLE.hidden_size // WHOLE.num_heads


@pytest.mark.parametrize("steps", [(), (0, 5), (5, 5), (9, 3)])
def test_steps_that_make_no_rungs(steps: tuple[int, ...]) -> None:
    with pytest.raises(SearchError, match="make no rungs"):
        TaskOptions(fidelities=steps)


def test_a_found_architecture_is_distilled_elsewhere(
    teacher: Path,
    films: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = tmp_path / "found.json"
    found.write_text(json.dumps({"architecture": json.loads(SMALL.to_json())}))
    arguments = ("distil", "--task", films, "--teacher", teacher, "--steps", 2, "--json")
    records: list[dict[str, object]] = []
    for name, sizes in (("a", SMALL.key), ("b", found)):
        code = run_command(
            monkeypatch, *arguments, "--architecture", sizes, "--out", tmp_path / name
        )
        assert code == 0
        assert architecture_of(read_config(tmp_path / name)) == SMALL
        records.append(json.loads(capsys.readouterr().out))
    assert records[0]["scores"] == records[1]["scores"]
    assert records[0]["final"]


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("h24-a3", None, "names no architecture"),
        ("none.json", None, "cannot be read"),
        ("found.json", "{", "cannot be read"),
        ("found.json", "[]", "has no architecture"),
    ],
)
def test_what_is_no_architecture(
    name: str,
    content: str | None,
    expected: str,
    films: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    sizes = name if content is None and name.startswith("h") else str(tmp_path / name)
    if content is not None:
        (tmp_path / name).write_text(content)
    out = tmp_path / "out"
    assert (
        run_command(monkeypatch, "distil", "--task", films, "--architecture", sizes, "--out", out)
        == 1
    )
    assert expected in " ".join(capsys.readouterr().err.split())
    assert not out.exists()
