"""What a task is: its columns, labels, splits and metrics. GLUE's tasks as a table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from canao.errors import CanaoError

TRAIN, HELDOUT = "train", "heldout"


@dataclass(frozen=True)
class TaskSpec:
    """How the files of a task are read and how its answers are judged."""

    name: str
    title: str
    text: tuple[str, ...] = ()
    """Names that the column of the (first) sentence may have; the first that is there is meant."""
    label: tuple[str, ...] = ()
    pair: tuple[str, ...] = ()
    """Names of the column of the second sentence; none for tasks on one sentence."""
    labels: tuple[str, ...] = ()
    """What files call the classes, in the order of their numbers; none if the label is a score."""
    synonyms: Mapping[str, str] = field(default_factory=dict[str, str])
    """Other words for labels."""
    bare: tuple[tuple[str, ...], ...] = ()
    """Columns of files without a header, in order; a last column "..." stands for any more."""
    splits: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    """For each split the names of its file, without ending; the first that is there is meant."""
    metrics: tuple[str, ...] = ("accuracy",)
    """Official metrics; the first is the one that the paper prints."""
    scale: tuple[float, float] = (float("-inf"), float("inf"))
    """The least and the greatest score, where the label is one."""
    official_rows: Mapping[str, int] = field(default_factory=dict[str, int])
    """How many examples the official evaluation splits have."""
    max_length: int = 128
    """Most tokens of an example; longer ones are cut, texts with answers into windows."""
    training_length: int | None = None
    """The same while training, if other: windows of texts with answers."""
    kind: str = "labels"
    """What is learnt: "labels" (classes or scores), or "spans" (answers in a text)."""

    @property
    def is_score(self) -> bool:
        """Whether the label is a number to be predicted, not a class."""
        return self.kind == "labels" and not self.labels

    @property
    def evaluations(self) -> tuple[str, ...]:
        """The splits that the official metrics are computed on."""
        return tuple(name for name in self.splits if name not in (TRAIN, HELDOUT))


_DEV = ("dev", "validation")
_BINARY = ("0", "1")
_ENTAILMENT = ("entailment", "not_entailment")

GLUE: tuple[TaskSpec, ...] = (
    TaskSpec(
        "mnli",
        "MNLI",
        text=("sentence1", "premise"),
        pair=("sentence2", "hypothesis"),
        label=("gold_label", "label"),
        labels=("entailment", "neutral", "contradiction"),
        bare=(("label", "premise", "hypothesis"),),
        splits={
            TRAIN: ("train",),
            "matched": ("dev_matched", "validation_matched", "mnli_matched"),
            "mismatched": ("dev_mismatched", "validation_mismatched", "mnli_mismatched"),
        },
        official_rows={"matched": 9815, "mismatched": 9832},
    ),
    TaskSpec(
        "sst2",
        "SST-2",
        text=("sentence",),
        label=("label",),
        labels=_BINARY,
        synonyms={"negative": "0", "positive": "1"},
        splits={TRAIN: ("train",), HELDOUT: ("train_heldout",), "dev": _DEV},
        max_length=64,
        official_rows={"dev": 872},
    ),
    TaskSpec(
        "mrpc",
        "MRPC",
        text=("#1 String", "sentence1"),
        pair=("#2 String", "sentence2"),
        label=("Quality", "label"),
        labels=_BINARY,
        synonyms={"not_equivalent": "0", "equivalent": "1"},
        splits={TRAIN: ("train", "msr_paraphrase_train"), "dev": _DEV},
        metrics=("f1", "accuracy"),
        official_rows={"dev": 408},
    ),
    TaskSpec(
        "stsb",
        "STS-B",
        text=("sentence1",),
        pair=("sentence2",),
        label=("score", "label"),
        bare=(("genre", "filename", "year", "index", "score", "sentence1", "sentence2", "..."),),
        splits={TRAIN: ("train", "sts-train"), "dev": (*_DEV, "sts-dev")},
        metrics=("spearman", "pearson"),
        scale=(0.0, 5.0),
        official_rows={"dev": 1500},
    ),
    TaskSpec(
        "rte",
        "RTE",
        text=("sentence1",),
        pair=("sentence2",),
        label=("label",),
        labels=_ENTAILMENT,
        bare=(("index", "sentence1", "sentence2", "label"),),
        splits={TRAIN: ("train",), HELDOUT: ("val",), "dev": _DEV},
        official_rows={"dev": 277},
    ),
    TaskSpec(
        "cola",
        "CoLA",
        text=("sentence",),
        label=("label",),
        labels=_BINARY,
        synonyms={"unacceptable": "0", "acceptable": "1"},
        bare=(("source", "label", "mark", "sentence"),),
        splits={TRAIN: ("train",), "dev": _DEV},
        metrics=("matthews",),
        max_length=64,
        official_rows={"dev": 1043},
    ),
    TaskSpec(
        "qnli",
        "QNLI",
        text=("question",),
        pair=("sentence",),
        label=("label",),
        labels=_ENTAILMENT,
        splits={TRAIN: ("train",), "dev": _DEV},
        official_rows={"dev": 5463},
    ),
)
"""In the order of the paper's Table 2, and QNLI, which it leaves out."""

TABLE_2 = ("mnli", "sst2", "mrpc", "stsb", "rte", "cola")
"""The tasks that the paper reports, in its order."""

ROTTEN_TOMATOES = TaskSpec(
    "rotten-tomatoes",
    "Rotten Tomatoes",
    text=("text",),
    label=("label",),
    labels=_BINARY,
    synonyms={"neg": "0", "pos": "1"},
    splits={TRAIN: ("train",), "dev": _DEV},
    max_length=64,
)


SQUAD: tuple[TaskSpec, ...] = tuple(
    TaskSpec(
        name,
        title,
        kind="spans",
        splits={TRAIN: ("train", f"train-{version}"), "dev": (*_DEV, f"dev-{version}")},
        metrics=("f1", "exact"),
        official_rows={"dev": rows},
        max_length=384,
        training_length=160,
    )
    for name, title, version, rows in (
        ("squad", "SQuAD", "v1.1", 10570),
        ("squad2", "SQuAD 2.0", "v2.0", 11873),
    )
)
"""Questions about paragraphs of Wikipedia; in version 2 some have no answer."""

_KNOWN = (*GLUE, ROTTEN_TOMATOES, *SQUAD)
_ALSO = {"qa": "squad", "squad1": "squad", "squad1.1": "squad", "squad2.0": "squad2"}
"""Other names of tasks."""


def find_spec(name: str) -> TaskSpec | None:
    """The task of that name, however it is hyphenated and capitalised."""
    plain = _plain(name)
    plain = _ALSO.get(plain, plain)
    return next((spec for spec in _KNOWN if _plain(spec.name) == plain), None)


def known_tasks() -> str:
    """The names of the tasks, for messages."""
    return ", ".join(spec.name for spec in _KNOWN)


def own_questions(name: str) -> TaskSpec:
    """The task of one's own questions about texts."""
    return replace(SQUAD[0], name=name, title=name, splits=OWN_SPLITS, official_rows={})


def own_spec(name: str, labels: tuple[str, ...], *, pairs: bool) -> TaskSpec:
    """The task of one's own data: classes where there are `labels`, else scores."""
    if len(labels) == 1:
        raise CanaoError(
            f"every row of {name} has the label '{labels[0]}'; a task needs two or more"
        )
    return TaskSpec(
        name,
        name,
        text=OWN_TEXT,
        pair=OWN_PAIR if pairs else (),
        label=OWN_CLASS if labels else OWN_SCORE,
        labels=labels,
        splits=OWN_SPLITS,
        metrics=("accuracy",) if labels else ("spearman", "pearson"),
    )


OWN_TEXT = ("sentence", "text", "sentence1", "premise")
OWN_PAIR = ("sentence2", "hypothesis")
OWN_CLASS = ("label",)
OWN_SCORE = ("score",)
OWN_SPLITS: Mapping[str, tuple[str, ...]] = {
    TRAIN: ("train",),
    HELDOUT: ("heldout",),
    "dev": (*_DEV, "test"),
}
"""Files of one's own task, by split."""


def _plain(name: str) -> str:
    return name.lower().replace("-", "").replace("_", "")
