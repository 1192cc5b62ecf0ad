"""`canao train`, `canao eval` and `canao bench table2`."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markdown import Markdown
from rich.table import Table
from rich.text import Text

from canao.cli.console import console
from canao.cli.models import TuneChoice
from canao.cli.options import Json, Threads
from canao.cli.progress import Say, shown_progress
from canao.cli.results import write_results
from canao.errors import CanaoError, MissingExtraError

if TYPE_CHECKING:
    from canao.nas.training.evaluation.evaluate import Evaluation, SplitResult, TaskResult

_out = console()
_err = console(stderr=True)
_GLUE = "glue"

Data = Annotated[
    Path | None,
    typer.Option(help="Folder with a folder for each task (RTE, CoLA, ...), or a task's own."),
]
_TASKS = (
    "A task of GLUE, rotten-tomatoes, squad or squad2 (qa is squad), a folder with train.tsv and "
    "dev.tsv, or with train.json and dev.json in SQuAD's format, or the name of a data set that "
    "the datasets library has."
)
TaskName = Annotated[str, typer.Option("--task", metavar="NAME|DIR", help=_TASKS)]

Seed = Annotated[int, typer.Option(min=0, help="Decides all that is random.")]
Examples = Annotated[
    int | None,
    typer.Option(min=1, help="Examples in a step; 16, and 8 for questions, if left out."),
]
SaveEvery = Annotated[int, typer.Option(min=1, help="Steps between checkpoints.")]
HeldOut = Annotated[
    bool,
    typer.Option(
        "--held-out", help="Keep the examples that architectures are compared on; score those."
    ),
]
Bfloat16 = Annotated[
    bool, typer.Option("--bfloat16", help="Compute products in bfloat16 while training.")
]


def train(
    out: Annotated[Path, typer.Option(help="Directory for the trained model.")],
    what: Annotated[
        str | None, typer.Argument(metavar="[NAME|DIR]", help="The task, as for --task.")
    ] = None,
    task: Annotated[str | None, typer.Option("--task", metavar="NAME|DIR", help=_TASKS)] = None,
    model: Annotated[
        Path | None, typer.Option(help="A Hugging Face BERT; all-MiniLM-L6-v2 if left out.")
    ] = None,
    data: Data = None,
    epochs: Annotated[float, typer.Option(min=0.001, help="Passes over the examples.")] = 3,
    seed: Seed = 0,
    batch: Examples = None,
    learning_rate: Annotated[
        float | None,
        typer.Option(min=0, help="The highest rate; 5e-5, and 2e-4 for questions, if left out."),
    ] = None,
    save_every: SaveEvery = 50,
    held_out: HeldOut = False,
    bfloat16: Bfloat16 = False,
    restart: Annotated[bool, typer.Option("--restart", help="Begin anew.")] = False,
    as_json: Json = False,
) -> None:
    """Fine-tune a model on a task.

    Stopped at any moment, the same command goes on from the last checkpoint.
    """
    if (what is None) == (task is None):
        raise typer.BadParameter("name one task: canao train NAME, or canao train --task NAME")
    need_extra()
    from canao.nas.training.candidates.teacher import default_teacher
    from canao.nas.training.data.tasks import open_task
    from canao.nas.training.fit.fine_tune import fine_tune
    from canao.nas.training.fit.recipes import recipe_for

    opened = open_task(what or task or "", data)
    settings = chosen(batch, learning_rate) | {"save_every": save_every, "bf16": bfloat16}
    tell(opened.notes, as_json)
    name = opened.spec.title
    with shown_progress(f"training on {name}", f"trained on {name}", quiet=as_json) as told:
        result = fine_tune(
            model or default_teacher(),
            opened,
            directory=out,
            epochs=epochs,
            seed=seed,
            recipe=replace(recipe_for(opened.spec), **settings),
            everything=not held_out,
            resume=not restart,
            progress=told,
        )
    if as_json:
        typer.echo(json.dumps(result.record))
        return
    print_scores(result.scores)
    seconds, steps = result.record["seconds"], result.record["steps"]
    _out.print(f"{steps} steps in {seconds:.0f} s; the model is in {out}", soft_wrap=True)


def evaluate(
    what: Annotated[
        str,
        typer.Argument(metavar="glue|NAME|DIR", help="GLUE, or one task by its name."),
    ],
    model: Annotated[
        Path, typer.Option(help="A trained model, or a folder with one a task (rte/, cola/, ...).")
    ],
    data: Data = None,
    task: Annotated[
        list[str] | None, typer.Option(help="Only this task of GLUE; may be repeated.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What tables call the model.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="File for the results, which `canao bench table2` reads.")
    ] = None,
    threads: Threads = None,
    tune: Annotated[TuneChoice, typer.Option(help="How many schedules to measure.")] = (
        TuneChoice.off
    ),
    as_json: Json = False,
) -> None:
    """Official metrics of trained models, in PyTorch and compiled, side by side.

    The exit status is 1 if they differ by more than a tenth of a point, or in any answer to
    a question.
    """
    need_extra()
    from canao.nas.training.evaluation.evaluate import Evaluation

    if task and what != _GLUE:
        raise typer.BadParameter(f"--task chooses among the tasks of glue, not of {what}")
    wanted = task or (_glue_tasks() if what == _GLUE else [what])
    lenient = what == _GLUE and not task
    with shown_progress(f"evaluating {model}", f"evaluated {model}", quiet=as_json) as told:
        pairs = [
            _evaluated(one, model, data, threads, tune, told, lenient=lenient) for one in wanted
        ]
    results = tuple(result for result in pairs if result)
    if not results:
        raise CanaoError(
            f"{model} holds no model of a task of {data}; train one: canao train --task NAME "
            f"--out {model}/NAME"
        )
    evaluation = Evaluation(name or model.name, results)
    tell([note for result in results for note in result.notes], as_json)
    if out:
        write_results(out.parent, out.stem, {".json": json.dumps(evaluation.to_dict(), indent=1)})
    if as_json:
        typer.echo(json.dumps(evaluation.to_dict()))
    else:
        _print_evaluation(evaluation)
    if not all(result.agrees for result in results):
        raise CanaoError("the compiled model does not answer as PyTorch's does: please report it")


def _evaluated(
    name: str,
    model: Path,
    data: Path | None,
    threads: int | None,
    tune: TuneChoice,
    told: Say,
    *,
    lenient: bool,
) -> TaskResult | None:
    """A model on a task; None if nobody asked for the task by name and there is no model for it."""
    from canao.nas.training.data.spec import find_spec
    from canao.nas.training.data.tasks import open_task
    from canao.nas.training.evaluation.evaluate import evaluate_task, find_model

    spec = find_spec(name)
    place = find_model(model, spec) if spec else model
    if place is None and lenient:
        return None
    if place is None:
        raise CanaoError(f"{model} has no folder {name} with a model; canao train makes one")
    if lenient and place == model:
        trained_for = _trained_for(place)
        if trained_for is None:
            raise CanaoError(f"{model} does not say which task it was trained on; give --task")
        if trained_for != name:
            return None
    opened = open_task(name, data)
    return evaluate_task(
        place,
        opened,
        threads=threads,
        tune=tune.value,  # pyright: ignore[reportArgumentType]
        progress=told,
        stage=lambda stage: told(f"{opened.spec.title}: {stage}"),
    )


def _trained_for(place: Path) -> str | None:
    from canao.nas.models.sized_bert import read_config

    return getattr(read_config(place), "finetuning_task", None)


def table2(
    results: Annotated[list[Path], typer.Argument(help="Files that `canao eval --out` wrote.")],
    out: Annotated[
        Path | None, typer.Option(help="Directory to write the table to, as Markdown and JSON.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the paper's Table 2 with our models beside the paper's.

    With --out the table is written to table2.md and table2.json.
    """
    from canao.nas.training.evaluation.table2 import table_of

    table = table_of(results)
    text, values = table.to_markdown(), json.dumps(table.to_dict(), indent=1) + "\n"
    if out:
        write_results(out, "table2", {".md": text, ".json": values})
    if as_json:
        typer.echo(json.dumps(table.to_dict()))
    else:
        _out.print(Markdown(text))


def _glue_tasks() -> list[str]:
    from canao.nas.training.data.spec import TABLE_2

    return list(TABLE_2)


def need_extra() -> None:
    """An error that names the extra if a part of it is missing, before anything begins."""
    import importlib.util

    # Nothing is fetched unless the user allows it.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    parts = ("accelerate", "datasets", "scipy", "sklearn", "transformers")
    if any(importlib.util.find_spec(part) is None for part in parts):
        raise MissingExtraError("training and evaluating models", "nas")


def chosen(batch: int | None, learning_rate: float | None) -> dict[str, Any]:
    """What somebody asked for in place of a recipe's own."""
    asked = {"batch_size": batch, "learning_rate": learning_rate}
    return {name: value for name, value in asked.items() if value is not None}


def tell(notes: list[str] | tuple[str, ...], quiet: bool) -> None:
    """What was found in files, on standard error."""
    if not quiet:
        for note in dict.fromkeys(notes):
            _err.print(Text(f"note: {note}", style="dim"), soft_wrap=True)


def print_scores(scores: Mapping[str, Mapping[str, float]]) -> None:
    """A table of metrics by split, in points."""
    from canao.nas.training.scoring.metrics import TITLES

    table = Table("split", "metric", "points", box=None)
    for split, values in scores.items():
        for metric, value in values.items():
            table.add_row(split, TITLES[metric], f"{100 * value:.1f}")
    _out.print(table)


def _print_evaluation(evaluation: Evaluation) -> None:
    from canao.nas.training.scoring.metrics import TITLES

    # How many answers differ, and the largest difference of logits.
    headings = ("task", "split", "rows", "metric", "PyTorch", "compiled", "differ")
    table = Table(*headings, box=None, title=evaluation.name)
    for result in evaluation.results:
        for split in result.splits:
            for metric, value in split.pytorch.items():
                table.add_row(
                    result.title,
                    split.split,
                    str(split.rows),
                    TITLES[metric],
                    f"{100 * value:.2f}",
                    f"{100 * split.compiled[metric]:.2f}",
                    _difference(split),
                )
    _out.print(table)


def _difference(split: SplitResult) -> str:
    logits = f"logits by {split.largest_difference:.1e}"
    return logits if split.differing is None else f"{split.differing} answers, {logits}"
