"""`canao distil`: an architecture trained on what a teacher knows of a task."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from canao.cli.console import console
from canao.cli.options import Json
from canao.cli.progress import shown_progress
from canao.cli.training_commands import (
    Bfloat16,
    Data,
    Examples,
    HeldOut,
    SaveEvery,
    Seed,
    TaskName,
    chosen,
    need_extra,
    print_scores,
    tell,
)
from canao.errors import CanaoError
from canao.nas.space.architecture import Architecture

_out = console()
_TRAININGS = "trainings"


def distil(
    task: TaskName,
    architecture: Annotated[
        str,
        typer.Option(
            metavar="KEY|FILE",
            help="Sizes, as h384-a12-f1536.1536 (hidden size, heads, a feed-forward size for each "
            "block), or the found.json of a search.",
        ),
    ],
    out: Annotated[Path, typer.Option(help="Directory for the trained model.")],
    teacher: Annotated[
        Path | None,
        typer.Option(
            help="A Hugging Face BERT to inherit from and learn from, best one that `canao train` "
            "made for the task; all-MiniLM-L6-v2 if left out."
        ),
    ] = None,
    data: Data = None,
    steps: Annotated[int, typer.Option(min=1, help="Training steps.")] = 1000,
    seed: Seed = 0,
    batch: Examples = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(min=0, help="The highest rate; 1e-4, and 3e-4 for questions, if left out."),
    ] = None,
    save_every: SaveEvery = 50,
    held_out: HeldOut = False,
    bfloat16: Bfloat16 = False,
    as_json: Json = False,
) -> None:
    """Make a smaller model of a teacher: inherit its weights, distil it on a task.

    Stopped at any moment, the same command goes on from the last checkpoint; with more
    --steps it goes on from the end.
    """
    sizes = _architecture(architecture)
    need_extra()
    from canao.nas.training.candidates.candidate import train_candidate
    from canao.nas.training.candidates.task_trainer import copy_model
    from canao.nas.training.candidates.teacher import default_teacher
    from canao.nas.training.data.tasks import open_task
    from canao.nas.training.fit.recipes import distil_recipe_for

    opened = open_task(task, data)
    tell(opened.notes, as_json)
    settings = chosen(batch, learning_rate) | {"save_every": save_every, "bf16": bfloat16}
    recipe = replace(distil_recipe_for(opened.spec), **settings)
    title, done = f"distilling {sizes.key}", f"distilled {sizes.key}"
    with shown_progress(title, done, quiet=as_json) as told:
        result = train_candidate(
            sizes,
            opened,
            teacher or default_teacher(),
            steps=steps,
            seed=seed,
            directory=out / _TRAININGS,
            final=not held_out,
            recipe=recipe,
            progress=told,
        )
    copy_model(result.directory, out)
    if as_json:
        typer.echo((result.directory / "training.json").read_text(encoding="utf-8"))
        return
    print_scores(result.scores)
    _out.print(
        f"{sizes.key}, {steps} steps in {result.seconds:.0f} s; the model is in {out}",
        soft_wrap=True,
    )


def _architecture(text: str) -> Architecture:
    """The sizes that a key or a file names."""
    path = Path(text)
    if path.suffix != ".json":
        return Architecture.from_key(text)
    try:
        found: Any = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise CanaoError(f"{path} cannot be read as JSON ({error})") from error
    if not isinstance(found, dict) or "architecture" not in found:
        raise CanaoError(f"{path} has no architecture; give the found.json of a search")
    return Architecture.from_mapping(found["architecture"])
