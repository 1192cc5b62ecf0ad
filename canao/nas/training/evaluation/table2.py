"""The paper's Table 2: accuracy on GLUE, our models beside the paper's figures."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

from canao.errors import InputFileError
from canao.nas.training.data.spec import GLUE, TABLE_2, TaskSpec
from canao.nas.training.evaluation.evaluate import close
from canao.nas.training.scoring.metrics import TITLES
from canao.peers.table import markdown_table, number

_SPECS: Mapping[str, TaskSpec] = {spec.name: spec for spec in GLUE}


@dataclass(frozen=True)
class Row:
    """A model's figures, in points; a task has one for each evaluation split."""

    name: str
    points: Mapping[str, tuple[float | None, ...]]
    notes: tuple[str, ...] = ()

    @property
    def average(self) -> float | None:
        """The mean over the tasks that have figures, each task counting once."""
        tasks = [values for values in self.points.values() if None not in values]
        means = [sum(cast("tuple[float, ...]", values)) / len(values) for values in tasks]
        return sum(means) / len(means) if means else None


def _paper(name: str, mnli: tuple[float, float], *rest: float | None) -> Row:
    names = TABLE_2[1:]
    others = {task: (points,) for task, points in zip(names, rest, strict=True)}
    return Row(name, {"mnli": mnli, **others})


PAPER = (
    _paper("BERT-base", (84.6, 83.4), 93.5, 88.9, 85.8, 66.4, 52.1),
    _paper("DistilBERT", (81.5, 81.0), 92.0, 85.0, None, 65.5, 51.3),
    _paper("MobileBERT", (83.3, 82.6), 92.8, 88.8, 84.4, 66.2, 50.5),
    _paper("CANAOBERT", (82.9, 82.1), 92.6, 88.4, 83.5, 65.6, 49.2),
)
"""The figures in the paper."""


@dataclass(frozen=True)
class Table2:
    """Our rows and the paper's."""

    rows: tuple[Row, ...]
    paper: tuple[Row, ...] = PAPER

    def to_dict(self) -> dict[str, Any]:
        """All fields and the averages, as JSON has them."""
        return {
            "rows": [asdict(row) | {"average": row.average} for row in self.rows],
            "paper": [asdict(row) for row in self.paper],
        }

    def to_markdown(self) -> str:
        """The table as the paper has it, ours above the paper's."""
        headings = ["model", *(_heading(_SPECS[name]) for name in TABLE_2), "average"]
        notes = [f"- {row.name}: {note}" for row in self.rows for note in row.notes]
        parts = [
            "# Table 2 of the paper",
            "Accuracy on the evaluation splits of GLUE, in points. The average is over the tasks "
            "that a row has, and can be compared only between rows that have the same.",
            "## Here",
            "Compiled by canao; PyTorch's figures agree to a tenth of a point.",
            markdown_table(headings, [_cells(row) for row in self.rows]),
            *(["\n".join(notes)] if notes else []),
            "## In the paper",
            "The paper does not name its metrics; these are those of BERT's authors. Its models "
            "were trained before on English Wikipedia and BooksCorpus.",
            markdown_table(headings, [_cells(row, average=False) for row in self.paper]),
        ]
        return "\n\n".join(parts) + "\n"


def _heading(spec: TaskSpec) -> str:
    if spec.name == "mnli":
        return "MNLI-m/mm"
    metric = spec.metrics[0]
    return spec.title if metric == "accuracy" else f"{spec.title} ({TITLES[metric].split()[0]})"


def _cells(row: Row, *, average: bool = True) -> list[str]:
    cells = ["/".join(number(v, ".1f") for v in row.points.get(n, (None,))) for n in TABLE_2]
    return [row.name, *cells, number(row.average if average else None, ".1f")]


def table_of(files: Sequence[Path]) -> Table2:
    """The table with a row for each file that `canao eval glue --out` wrote."""
    return Table2(tuple(_row(path) for path in files))


def _row(path: Path) -> Row:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        results = {result["task"]: result for result in found["results"]}
        points = {name: _points(results[name]) for name in TABLE_2 if name in results}
        notes = tuple(_told(results[name]) for name in points)
        disagreeing = [result["title"] for result in results.values() if _differs(result)]
        name = str(found["name"])
    except OSError as error:
        raise InputFileError(
            f"{path} cannot be read ({error.strerror}); name a file of canao eval --out"
        ) from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputFileError(
            f"{path} is no result of canao eval ({type(error).__name__}: {error}); write it again"
        ) from error
    if disagreeing:
        raise InputFileError(
            f"{path}: the compiled model is not as accurate as PyTorch's on "
            f"{', '.join(disagreeing)}; such figures are not shown"
        )
    return Row(name, points, notes)


def _points(result: Mapping[str, Any]) -> tuple[float, ...]:
    metric = _SPECS[result["task"]].metrics[0]
    return tuple(100 * float(split["compiled"][metric]) for split in result["splits"])


def _differs(result: Mapping[str, Any]) -> bool:
    return any(
        not close(split["compiled"][name], value)
        for split in result["splits"]
        for name, value in split["pytorch"].items()
    )


def _told(result: Mapping[str, Any]) -> str:
    """How a model was trained and what else it scores, in a line."""
    training = result["training"]
    steps = f"{training['epochs']:g} epochs" if "epochs" in training else ""
    steps = steps or (f"{training['steps']} steps of distillation" if "steps" in training else "")
    trained = [steps, f"seed {training['seed']}"] if steps else ["training unknown"]
    trained += [f"{training['seconds'] / 60:.1f} min"] if "seconds" in training else []
    metrics = [
        f"{TITLES[name]} {100 * value:.1f}"
        for split in result["splits"]
        for name, value in split["compiled"].items()
    ]
    rows = [
        f"{split['rows']} of {split['official_rows']} rows ({split['split']})"
        for split in result["splits"]
        if split["official_rows"] and split["rows"] != split["official_rows"]
    ]
    return (
        f"{result['title']}: {result['architecture']}, {', '.join(trained)}; "
        f"{', '.join(metrics + rows)}"
    )
