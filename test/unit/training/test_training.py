"""Fine-tuning and distillation: what they learn, and that stopping them changes nothing."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from unit.training.training_support import WHOLE, save_teacher, stop_at, task

from canao.errors import CanaoError, DivergedError
from canao.nas.models.sized_bert import architecture_of, read_config
from canao.nas.space.architecture import Architecture
from canao.nas.training.candidates.candidate import train_candidate
from canao.nas.training.candidates.task_trainer import TaskTrainer, Tuning
from canao.nas.training.data.encode import Schedule
from canao.nas.training.fit.checkpoints import last_checkpoint
from canao.nas.training.fit.distil import DistilRecipe
from canao.nas.training.fit.fine_tune import fine_tune
from canao.nas.training.fit.trainer import Recipe
from canao.nas.training.kinds.divergence import logits_loss

RECIPE = Recipe(batch_size=8, learning_rate=5e-3, save_every=2)
LEARN = replace(RECIPE, save_every=1000)
DISTIL = DistilRecipe(batch_size=8, learning_rate=5e-3, save_every=2)
TEACH = replace(DISTIL, save_every=1000)
SMALL = Architecture(24, 3, (16, 8))


def _weights(directory: Path) -> dict[str, torch.Tensor]:
    return load_file(directory / "model.safetensors")


def _same(one: Path, other: Path) -> bool:
    mine, theirs = _weights(one), _weights(other)
    return all(torch.equal(mine[name], theirs[name]) for name in theirs | mine)


def test_a_task_is_learnt(teacher: Path, tmp_path: Path) -> None:
    found = fine_tune(teacher, task(), directory=tmp_path / "a", epochs=8, recipe=LEARN)
    assert found.scores["dev"]["accuracy"] >= 0.9
    assert not (tmp_path / "a" / "checkpoints").exists()
    assert json.loads((tmp_path / "a" / "training.json").read_text())["steps"] == 88
    again = fine_tune(teacher, task(), directory=tmp_path / "a", epochs=8, recipe=LEARN)
    assert again.record == found.record, "a finished training is not repeated"


def test_a_stopped_training_ends_as_one_that_was_not(teacher: Path, tmp_path: Path) -> None:
    unbroken, broken = tmp_path / "unbroken", tmp_path / "broken"
    fine_tune(teacher, task(), directory=unbroken, epochs=1, recipe=RECIPE)
    for step in (1, 4):
        with pytest.raises(KeyboardInterrupt):
            fine_tune(
                teacher, task(), directory=broken, epochs=1, recipe=RECIPE, progress=stop_at(step)
            )
    torch.manual_seed(7)  # what the caller does with the generators changes nothing
    fine_tune(teacher, task(), directory=broken, epochs=1, recipe=RECIPE)
    assert _same(unbroken, broken)


def test_another_seed_is_another_model(teacher: Path, tmp_path: Path) -> None:
    for seed in (0, 1):
        fine_tune(
            teacher, task(), directory=tmp_path / str(seed), epochs=0.3, seed=seed, recipe=RECIPE
        )
    assert not _same(tmp_path / "0", tmp_path / "1")


def test_the_generators_of_the_caller_are_left_alone(teacher: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    fine_tune(teacher, task(), directory=tmp_path / "a", epochs=0.3, recipe=RECIPE)
    assert torch.equal(before, torch.random.get_rng_state())


def test_a_directory_has_one_purpose(teacher: Path, tmp_path: Path) -> None:
    place = tmp_path / "a"
    fine_tune(teacher, task(), directory=place, epochs=0.3, recipe=RECIPE)
    with pytest.raises(CanaoError, match=r"holds another training \(other epochs, seed\)"):
        fine_tune(teacher, task(), directory=place, epochs=0.4, seed=1, recipe=RECIPE)
    fine_tune(teacher, task(), directory=place, epochs=0.4, seed=1, recipe=RECIPE, resume=False)
    assert json.loads((place / "training.json").read_text())["seed"] == 1
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "mine.txt").write_text("keep")
    with pytest.raises(CanaoError, match="holds other files"):
        fine_tune(teacher, task(), directory=tmp_path / "b", recipe=RECIPE)


def test_half_written_checkpoints_are_never_used(teacher: Path, tmp_path: Path) -> None:
    place = tmp_path / "a"
    with pytest.raises(KeyboardInterrupt):
        fine_tune(teacher, task(), directory=place, epochs=1, recipe=RECIPE, progress=stop_at(5))
    checkpoints = place / "checkpoints"
    (checkpoints / ".checkpoint-6.part").mkdir()
    (checkpoints / ".checkpoint-6.part" / "model.safetensors").write_bytes(b"half")
    found = last_checkpoint(checkpoints)
    assert found is not None
    assert found.name == "checkpoint-4"
    assert {path.suffix for path in found.iterdir()} == {".safetensors", ".json"}
    fine_tune(teacher, task(), directory=place, epochs=1, recipe=RECIPE)
    fine_tune(teacher, task(), directory=tmp_path / "b", epochs=1, recipe=RECIPE)
    assert _same(place, tmp_path / "b")


_CHILD = """
import sys
from pathlib import Path
from unit.training.test_training import RECIPE, task
from canao.nas.training.fit.fine_tune import fine_tune

fine_tune(Path(sys.argv[1]), task(), directory=Path(sys.argv[2]), epochs=3, recipe=RECIPE,
          progress=lambda title, done, total: print(done, flush=True))
"""


def _steps_until_killed(teacher: Path, place: Path, last: int) -> list[int]:
    """The steps that a process told before it was killed at step `last`."""
    root = Path(__file__).resolve().parents[3]
    paths = os.pathsep.join((str(root), str(root / "test")))
    command = [sys.executable, "-c", _CHILD, str(teacher), str(place)]
    environment = {**os.environ, "PYTHONPATH": paths}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        steps: list[int] = []
        while not steps or steps[-1] < last:
            steps.append(int(process.stdout.readline()))
        process.send_signal(signal.SIGKILL)
    return steps


def _check_killed(teacher: Path, tmp_path: Path, moments: tuple[int, ...]) -> None:
    before = 0
    for last in moments:
        steps = _steps_until_killed(teacher, tmp_path / "killed", last)
        assert steps[0] >= before - before % RECIPE.save_every
        before = last - 1  # a step is told before its checkpoint is written
    for name in ("killed", "unbroken"):
        fine_tune(teacher, task(), directory=tmp_path / name, epochs=3, recipe=RECIPE)
    assert _same(tmp_path / "killed", tmp_path / "unbroken")


def test_killed_while_training(teacher: Path, tmp_path: Path) -> None:
    _check_killed(teacher, tmp_path, (9,))


@pytest.mark.slow
def test_killed_again_and_again(teacher: Path, tmp_path: Path) -> None:
    _check_killed(teacher, tmp_path, (1, 2, 5, 8, 13, 20, 21, 29))


def test_a_loss_that_is_no_number(teacher: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, learning_rate=1e30, warmup=0.0)
    with pytest.raises(DivergedError, match="lower the learning rate"):
        fine_tune(teacher, task(), directory=tmp_path / "a", epochs=2, recipe=recipe)


def test_a_candidate_learns_from_its_teacher(teacher: Path, tmp_path: Path) -> None:
    tuned = tmp_path / "tuned"
    fine_tune(teacher, task(), directory=tuned, epochs=8, recipe=LEARN, everything=False)
    short = train_candidate(
        SMALL, task(), tuned, steps=1, seed=0, directory=tmp_path / "c", recipe=TEACH
    )
    long = train_candidate(
        SMALL, task(), tuned, steps=60, seed=0, directory=tmp_path / "c", recipe=TEACH
    )
    assert long.accuracy >= 0.9
    assert long.accuracy >= short.accuracy
    assert long.directory == tmp_path / "c" / "search-60"
    record = json.loads((long.directory / "training.json").read_text())
    assert record["after"] == 1, "the longer one began where the shorter one ended"
    losses = [loss for _, loss in record["losses"]]
    assert losses[-1] < 0.5 * losses[0]
    final = train_candidate(
        SMALL, task(), tuned, steps=4, seed=0, directory=tmp_path / "c", final=True, recipe=TEACH
    )
    assert list(final.scores) == ["dev"]


def test_a_stopped_distillation_ends_as_one_that_was_not(teacher: Path, tmp_path: Path) -> None:
    found: list[Path] = []
    for name, stops in (("unbroken", ()), ("broken", (3, 5))):
        for step in stops:
            with pytest.raises(KeyboardInterrupt):
                train_candidate(
                    SMALL,
                    task(),
                    teacher,
                    steps=7,
                    seed=3,
                    directory=tmp_path / name,
                    recipe=DISTIL,
                    progress=stop_at(step),
                )
        trained = train_candidate(
            SMALL, task(), teacher, steps=7, seed=3, directory=tmp_path / name, recipe=DISTIL
        )
        found.append(trained.directory)
    assert _same(*found)


def test_a_teacher_that_knows_no_task(teacher: Path, tmp_path: Path) -> None:
    other = save_teacher(tmp_path / "other", task="something else")
    # What a random teacher's hidden states say is of little use.
    recipe = replace(TEACH, hidden=0.01)
    trained = train_candidate(
        SMALL, task(), other, steps=60, seed=0, directory=tmp_path / "c", recipe=recipe
    )
    assert trained.accuracy >= 0.8


def test_schedule() -> None:
    lengths = [n % 13 + 1 for n in range(100)]
    batches = list(Schedule(lengths, 8, 26, seed=4))
    assert batches == list(Schedule(lengths, 8, 26, seed=4))
    assert batches[:20] == list(Schedule(lengths, 8, 20, seed=4)), "a longer one begins alike"
    assert batches != list(Schedule(lengths, 8, 26, seed=5))
    for epoch in (batches[:13], batches[13:]):
        assert sorted(n for batch in epoch for n in batch) == list(range(100))
    spread = [max(lengths[n] for n in b) - min(lengths[n] for n in b) for b in batches]
    assert max(spread) <= 2, "neighbours have about the same length"


def test_divergence_of_logits() -> None:
    one, other = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 0.0]])
    p, q = torch.tensor([0.5, 0.5]), torch.softmax(torch.tensor([1.0, 0.0]), 0)
    expected = 4 * (p * (p / q).log()).sum()
    assert logits_loss(one, other, 2.0).item() == pytest.approx(expected.item(), rel=1e-5)
    assert logits_loss(one, one, 2.0).item() == pytest.approx(0, abs=1e-7)
    scores = torch.tensor([[1.0], [3.0]])
    assert logits_loss(scores, scores - 2, 2.0).item() == 4.0


def test_a_search_s_view_of_a_task(tmp_path: Path) -> None:
    """The teacher is fine-tuned first, candidates are judged, the chosen one is handed over."""
    other = save_teacher(tmp_path / "other", task="something else")
    tuning = Tuning(other, epochs=6, recipe=LEARN)
    trainer = TaskTrainer(task(), tmp_path / "teacher", recipe=TEACH, final_steps=20, tuning=tuning)
    trainer.prepare()
    assert trainer.largest == WHOLE
    place = tmp_path / "candidate"
    found = [trainer.accuracy(SMALL, steps=steps, seed=0, directory=place) for steps in (1, 60)]
    assert found[-1] >= 0.8
    told = trainer.finish(SMALL, seed=0, directory=place, out=tmp_path / "best")
    assert told["steps"] == 20
    assert architecture_of(read_config(tmp_path / "best")) == SMALL
    assert (tmp_path / "best" / "tokenizer.json").is_file()
