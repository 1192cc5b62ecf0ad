"""`canao search`: its options, and how far it is."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table
from rich.text import Text

from canao.cli.console import console
from canao.cli.models import TargetChoice, TuneChoice
from canao.cli.options import AnyDevice, Batch, CacheDir, Json, Seq, TargetKind, Tune
from canao.cli.progress import shown_progress
from canao.errors import MissingExtraError

if TYPE_CHECKING:
    from rich.console import RenderableType

    from canao.nas.search import SearchResult
    from canao.nas.study.attributes import Candidate
    from canao.nas.study.progress import Progress

_out = console()


class SamplerChoice(StrEnum):
    """Who proposes candidates."""

    canao = "canao"
    tpe = "tpe"
    nsgaii = "nsgaii"
    random = "random"


class GoalChoice(StrEnum):
    """What candidates are judged by."""

    auto = "auto"
    reward = "reward"
    pareto = "pareto"


def search_command(
    task: Annotated[
        str,
        typer.Option(
            metavar="NAME|DIR",
            help="A task of GLUE, rotten-tomatoes, squad or squad2, a folder with train.tsv and "
            "dev.tsv (or train.json and dev.json in SQuAD's format), the name of a data set that "
            "the datasets library has, or a folder of recorded accuracies.",
        ),
    ],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder with a folder for each task (RTE, CoLA, ...), or a task's own."),
    ] = None,
    trials: Annotated[int, typer.Option(min=1, help="Candidates that the study shall have.")] = 50,
    budget_ms: Annotated[
        float | None, typer.Option(min=0.001, help="Most milliseconds that a run may take.")
    ] = None,
    speedup: Annotated[
        float | None,
        typer.Option(min=0.001, help="The same, as how many times as fast as the teacher."),
    ] = None,
    time_budget: Annotated[
        float | None,
        typer.Option(min=1, help="Seconds that the whole search may take; no end if left out."),
    ] = None,
    goal: Annotated[
        GoalChoice, typer.Option(help="One reward, a Pareto front, or what fits the budget.")
    ] = GoalChoice.auto,
    storage: Annotated[
        str | None, typer.Option(help="Where trials are kept; study.sqlite in --out if left out.")
    ] = None,
    study: Annotated[str, typer.Option(help="The name of the study in the storage.")] = "canao",
    sampler: Annotated[
        SamplerChoice, typer.Option(help="Who proposes candidates.")
    ] = SamplerChoice.canao,
    seed: Annotated[int, typer.Option(min=0, help="Seed of all that is random.")] = 0,
    out: Annotated[Path, typer.Option(help="Directory of the report and the best model.")] = Path(
        "canao-search"
    ),
    worker: Annotated[
        bool, typer.Option("--worker", help="Only run trials of a study started elsewhere.")
    ] = False,
    finalists: Annotated[int, typer.Option(min=1, help="Candidates to measure again.")] = 3,
    time_limit: Annotated[
        float, typer.Option(min=1, help="Seconds for compiling and measuring a candidate.")
    ] = 300.0,
    memory_mb: Annotated[
        int | None, typer.Option(min=64, help="MiB that compiling a candidate may take.")
    ] = None,
    teacher: Annotated[
        Path | None,
        typer.Option(help="A Hugging Face BERT to inherit from; all-MiniLM-L6-v2 if left out."),
    ] = None,
    teacher_epochs: Annotated[
        float,
        typer.Option(min=0.001, help="Passes of a teacher that does not know the task yet."),
    ] = 3,
    steps: Annotated[
        str, typer.Option(help="Training steps of each rung, fewest first, such as 50,200.")
    ] = "50,200",
    final_steps: Annotated[
        int, typer.Option(min=1, help="Training steps of the one that is chosen.")
    ] = 1000,
    training_limit: Annotated[
        float, typer.Option(min=1, help="Seconds that a rung of a candidate may take.")
    ] = 3600.0,
    training_memory_mb: Annotated[
        int | None, typer.Option(min=64, help="MiB that a training may take.")
    ] = None,
    bfloat16: Annotated[
        bool, typer.Option("--bfloat16", help="Compute products in bfloat16 while training.")
    ] = False,
    target: TargetKind = TargetChoice.c,
    device: AnyDevice = None,
    threads: Annotated[
        int | None, typer.Option(min=1, max=1024, help="Threads of code in C; one if left out.")
    ] = None,
    seq: Seq = 128,
    batch: Batch = 1,
    tune: Tune = TuneChoice.off,
    cache_dir: CacheDir = None,
    as_json: Json = False,
) -> None:
    """Search for the architecture that does best at a task on this device.

    Run it again with the same --out to go on with a search that was stopped. Any
    number of processes with --worker, on any number of machines, may share a study.
    """
    # Nothing is fetched unless the user allows it.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        from canao.nas.measuring.device import cost_of
        from canao.nas.search import search
        from canao.nas.space.objectives import default_goal
        from canao.nas.training.task_options import TaskOptions
    except ImportError as error:
        raise MissingExtraError("searching for architectures", "nas") from error
    pareto = {GoalChoice.auto: None, GoalChoice.reward: False, GoalChoice.pareto: True}[goal]
    training = TaskOptions(
        data=data,
        teacher=teacher,
        teacher_epochs=teacher_epochs,
        fidelities=_rungs(steps),
        final_steps=final_steps,
        time_limit=training_limit,
        bf16=bfloat16,
        memory_bytes=_bytes(training_memory_mb),
    )
    with _display(task, as_json) as progress:
        result = search(
            task,
            target=target.value,
            device=device,
            goal=default_goal(
                budget_ms, speedup=speedup, pareto=pareto, cost=cost_of(target.value, device)
            ),
            training=training,
            trials=trials,
            time_budget=time_budget,
            study=study,
            storage=storage,
            sampler=sampler.value,
            seed=seed,
            out=out,
            worker=worker,
            finalists=finalists,
            time_limit=time_limit,
            memory_bytes=_bytes(memory_mb),
            threads=threads,
            sequence=seq,
            batch=batch,
            tune=tune.value,
            cache_dir=cache_dir,
            progress=progress,
        )
    _show(result, worker, as_json)
    if result.best is None and not worker:
        typer.echo("canao: no candidate fits the budgets; raise them or add trials", err=True)
        raise typer.Exit(1)


def _bytes(megabytes: int | None) -> int | None:
    return None if megabytes is None else megabytes * 2**20


def _rungs(text: str) -> tuple[int, ...]:
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() for part in parts):
        raise typer.BadParameter(f"'{text}' is no list of steps; write for instance 50,200")
    return tuple(map(int, parts))


@contextmanager
def _display(task: str, quiet: bool) -> Generator[Callable[[Progress], None] | None]:
    """A function that shows how far the search is, on standard error."""
    if quiet:
        yield None
        return
    latest: list[Progress] = []
    title, done = f"searching for {task}", f"searched for {task}"

    def picture() -> RenderableType:
        return _progress_table(latest[-1]) if latest else Text(title)

    with shown_progress(title, done, picture=picture) as say:

        def told(progress: Progress) -> None:
            latest[:] = [progress]
            say(progress.line)

        yield told


def _progress_table(progress: Progress) -> Table:
    from rich.progress_bar import ProgressBar

    table = Table.grid(padding=(0, 2))
    trial = "" if progress.trial is None else f"trial {progress.trial}: "
    table.add_row("now", trial + progress.stage)
    counts = (
        f"{progress.done} of {progress.trials} trials: {progress.complete} complete, "
        f"{progress.rejected} rejected, {progress.failed} failed"
    )
    table.add_row("budget", _left(progress))
    table.add_row("done", counts)
    table.add_row("", ProgressBar(total=progress.trials, completed=progress.done, width=50))
    table.add_row("best", "none yet" if progress.best is None else _line(progress.best))
    return table


def _left(progress: Progress) -> str:
    """What is left of the budget of trials, and of time if that is limited."""
    trials = f"{max(0, progress.trials - progress.done)} trials left"
    if progress.seconds_left is None:
        return trials
    minutes, seconds = divmod(round(progress.seconds_left), 60)
    return f"{trials}, {minutes}:{seconds:02d} min left"


def _line(candidate: Candidate) -> str:
    return (
        f"{candidate.values['accuracy']:.4f} in {candidate.execution.cost_text}: "
        f"{candidate.architecture.key} (trial {candidate.number})"
    )


def _row(candidate: Candidate) -> dict[str, Any]:
    return {
        "trial": candidate.number,
        "architecture": json.loads(candidate.architecture.to_json()),
        "values": dict(candidate.values),
    }


def _show(result: SearchResult, worker: bool, as_json: bool) -> None:
    from canao.nas.report.facts import not_kept

    if as_json:
        values = {
            "best": None if result.best is None else _row(result.best),
            "pareto": [_row(candidate) for candidate in result.pareto],
            "study": result.study.study_name,
            "out": str(result.directory),
            "facts": dict(result.facts),
        }
        typer.echo(json.dumps(values))
        return
    if result.best is not None:
        _out.print(f"best: {_line(result.best)}", soft_wrap=True)
    table = Table("trial", "accuracy", "a run", "blocks", "hidden", "intermediate", box=None)
    for candidate in result.pareto:
        architecture = candidate.architecture
        table.add_row(
            str(candidate.number),
            f"{candidate.values['accuracy']:.4f}",
            candidate.execution.cost_text,
            str(architecture.num_blocks),
            str(architecture.hidden_size),
            " ".join(map(str, architecture.intermediate_sizes)),
        )
    _out.print(table)
    _compare(result)
    for words in not_kept(result.facts):
        _out.print(f"not kept: {words}", soft_wrap=True)
    if not worker:
        _out.print(f"report: {result.directory / 'report.html'}", soft_wrap=True)


def _compare(result: SearchResult) -> None:
    """What is known of the best and of its teacher, after the last training."""
    from canao.nas.report.page import compared

    rows = compared(result.facts)
    if not rows:
        return
    table = Table("after the last training", "found", "teacher", box=None)
    for row in rows:
        table.add_row(*row)
    _out.print(table)
