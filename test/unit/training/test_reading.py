"""Reading of tasks: every layout, and one clear error for what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from datasets import ClassLabel, Dataset, DatasetDict, Features, Value
from unit.training.training_support import write_json_lines, write_tsv

from canao.errors import CanaoError
from canao.nas.training.data.tasks import Task, open_task

SST = ("sentence|label", 'a "fine" film |1', "a dull plot|0", "great|1")


def _rows(task: Task) -> list[tuple[str, ...]]:
    """All training examples, sorted: a hash decides which are held out."""
    found = task.training_examples(everything=True)
    pairs = found.pairs or ("",) * len(found)
    rows = zip(found.texts, pairs, map(str, found.labels), strict=True)
    return sorted(rows)


def test_a_header(tmp_path: Path) -> None:
    write_tsv(tmp_path / "SST-2" / "train.tsv", *SST)
    write_tsv(tmp_path / "SST-2" / "dev.tsv", *SST[:2])
    task = open_task("sst-2", tmp_path)
    assert _rows(task) == [
        ('a "fine" film', "", "1"),
        ("a dull plot", "", "0"),
        ("great", "", "1"),
    ]
    assert task.evaluations["dev"].texts == ('a "fine" film',)
    assert any("872" in note for note in task.notes), "the official split is larger"


def test_no_header_is_told(tmp_path: Path) -> None:
    write_tsv(tmp_path / "CoLA" / "train.tsv", "gj04|1||They sang.", "gj04|0|*|Sang they it.")
    write_tsv(tmp_path / "CoLA" / "dev.tsv", "bc01|0|??|Him left.")
    task = open_task("CoLA", tmp_path)
    assert _rows(task) == [("Sang they it.", "", "0"), ("They sang.", "", "1")]
    assert any("dev.tsv has no header" in note and "mark" in note for note in task.notes)


def test_a_byte_order_mark_and_dos_lines(tmp_path: Path) -> None:
    path = tmp_path / "MRPC" / "train.tsv"
    path.parent.mkdir()
    rows = ("Quality|#1 ID|#2 ID|#1 String|#2 String", '1|7|8|"So he said|He said so"', "0|1|2|a|b")
    text = "\r\n".join(row.replace("|", "\t") for row in rows)
    path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    task = open_task("mrpc", tmp_path)
    assert _rows(task) == [('"So he said', 'He said so"', "1"), ("a", "b", "0")]
    assert any("no dev split" in note for note in task.notes)


def test_more_columns_than_the_layout_names(tmp_path: Path) -> None:
    short = "main-news|MSRpar|2012|0024|2.500|A girl sings.|A girl sang."
    write_tsv(tmp_path / "STS-B" / "train.tsv", short, short + "|http://a|http://b")
    write_tsv(tmp_path / "STS-B" / "dev.tsv", short)
    assert _rows(open_task("sts-b", tmp_path)) == [("A girl sings.", "A girl sang.", "2.5")] * 2


def test_files_that_make_up_the_training_set(tmp_path: Path) -> None:
    folder = tmp_path / "RTE"
    write_tsv(folder / "train.tsv", "index|sentence1|sentence2|label", "0|a|b|entailment")
    write_tsv(folder / "val.tsv", "9|c|d|not_entailment")
    write_tsv(folder / "dev.tsv", "index|sentence1|sentence2|label", "0|e|f|entailment")
    task = open_task("rte", tmp_path)
    assert task.heldout is not None
    assert task.heldout.texts == ("c",)
    assert len(task.training_examples(everything=True)) == 2
    assert len(task.training_examples(everything=False)) == 1
    assert open_task("rte", folder).digest == task.digest


def test_both_splits_of_mnli(tmp_path: Path) -> None:
    write_tsv(tmp_path / "MNLI" / "mnli_matched", "neutral|He ca n't .|He can .")
    write_tsv(tmp_path / "MNLI" / "mnli_mismatched", "contradiction|a|b", "entailment|c|d")
    task = open_task("mnli", tmp_path)
    assert task.evaluations["matched"].labels == (1.0,)
    assert task.evaluations["mismatched"].labels == (2.0, 0.0)
    with pytest.raises(CanaoError, match="no training examples"):
        task.training_examples(everything=True)


def _saved(folder: Path, labels: ClassLabel, **columns: list[object]) -> None:
    features = Features({n: labels if n == "label" else Value("string") for n in columns})
    table = Dataset.from_dict(dict(columns), features=features)
    DatasetDict({"train": table, "validation": table}).save_to_disk(folder)


def _parquet(folder: Path, labels: ClassLabel, **columns: list[object]) -> None:
    features = Features({n: labels if n == "label" else Value("string") for n in columns})
    folder.mkdir(parents=True)
    table = Dataset.from_dict(dict(columns), features=features)
    for split in ("train", "validation"):
        table.to_parquet(folder / f"{split}-00000-of-00001.parquet")


def _csv(folder: Path, labels: ClassLabel, **columns: list[object]) -> None:
    del labels
    folder.mkdir(parents=True)
    for split in ("train", "validation"):
        Dataset.from_dict(dict(columns)).to_csv(folder / f"{split}.csv", index=False)


def _json(folder: Path, labels: ClassLabel, **columns: list[object]) -> None:
    del labels
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    for split in ("train", "validation"):
        write_json_lines(folder / f"{split}.jsonl", *rows)


@pytest.mark.parametrize("write", [_saved, _parquet, _csv, _json])
def test_layouts_of_the_datasets_library(tmp_path: Path, write: Callable[..., None]) -> None:
    classes = ClassLabel(names=["entailment", "not_entailment"])
    columns = {"sentence1": ['a, "b"', "c"], "sentence2": ["d\ne", "f"], "label": [1, 0]}
    write(tmp_path / "rte", classes, **columns)
    task = open_task("rte", tmp_path)
    assert _rows(task) == [('a, "b"', "d\ne", "1"), ("c", "f", "0")]
    assert len(task.evaluations["dev"]) == 2


def test_one_s_own_classes(tmp_path: Path) -> None:
    rows = [f"{word} film|{label}" for word, label in (("ok", "pos"), ("no", "neg"))] * 8
    write_tsv(tmp_path / "train.tsv", "text|label", *rows)
    write_tsv(tmp_path / "dev.tsv", "label|text", "pos|fine", "neg|dull")
    task = open_task(str(tmp_path))
    assert task.spec.labels == ("neg", "pos")
    assert task.spec.metrics == ("accuracy",)
    assert task.evaluations["dev"].labels == (1.0, 0.0)


def test_one_s_own_scores_for_pairs(tmp_path: Path) -> None:
    for name in ("train", "heldout", "dev"):
        write_tsv(tmp_path / f"{name}.tsv", "sentence1|sentence2|score", f"{name}|b|0.25", "c|d|-3")
    task = open_task(str(tmp_path))
    assert task.spec.is_score
    assert task.heldout is not None
    assert task.heldout.texts == ("heldout", "c")
    assert task.evaluations["dev"].labels == (0.25, -3.0)


def test_rotten_tomatoes() -> None:
    task = open_task("rotten-tomatoes")
    assert task.train is not None
    assert task.heldout is not None
    parts = [set(part.texts) for part in (task.train, task.heldout, task.evaluations["dev"])]
    assert sum(map(len, parts)) == len(set.union(*parts)) == 8530
    assert all(0.4 < sum(p.labels) / len(p) < 0.6 for p in (task.train, task.heldout))
    assert open_task("Rotten_Tomatoes").digest == task.digest


def _bytes(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "train.tsv is empty"),
        (b"sentence\tlabel\n", "has a header and no rows"),
        (b"sentence\tgold\ngood\t1\n", "line 1: SST-2 needs a header with a column label"),
        (b"sentence\tlabel\ngood\t2\n", "line 2: '2' in column label is no label of SST-2"),
        (b"sentence\tlabel\na\t1\ngood\t-1\n", "line 3: column label has -1: the labels"),
        (b"sentence\tlabel\na\t1\n\xff\xfe\t0\n", "line 3: byte 1 is not UTF-8"),
        (b"sentence\tlabel\na\t1\n\nb\t0\n", "line 3 is blank"),
        (b"sentence\tlabel\na\t1\nb\n", "line 3 has 1 cells instead of 2"),
        (b'sentence\tlabel\n"a\tb"\t1\n', "line 2 has 3 cells instead of 2; quotes are text"),
        (b"sentence\tlabel\n \t1\n", "line 2: no text in column sentence"),
        (b'sentence\tlabel\n"a"\t1\n"b"\t0\n"c ""d"""\t0\n', "every sentence stands in quotes"),
        ("sentence\tlabel\na\t1\n".encode("utf-16"), "is UTF-16"),
        (b"sentence\tlabel\na\0b\t1\n", "line 2: a NUL byte"),
    ],
)
def test_errors_name_file_and_line(tmp_path: Path, data: bytes, message: str) -> None:
    path = tmp_path / "SST-2" / "train.tsv"
    _bytes(path, data)
    with pytest.raises(CanaoError) as caught:
        open_task("sst2", tmp_path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


def test_a_score_out_of_bounds(tmp_path: Path) -> None:
    write_tsv(tmp_path / "STS-B" / "train.tsv", "sentence1|sentence2|score", "a|b|5.5")
    with pytest.raises(CanaoError, match=r"line 2: '5.5' in column score is no score from 0 to 5"):
        open_task("stsb", tmp_path)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("rte", "has no folder RTE"),
        ("no-such-task", "there is no task 'no-such-task'; choose mnli"),
    ],
)
def test_what_is_not_there(tmp_path: Path, name: str, message: str) -> None:
    with pytest.raises(CanaoError, match=message):
        open_task(name, tmp_path)


def test_a_folder_without_files_of_the_task(tmp_path: Path) -> None:
    write_tsv(tmp_path / "RTE" / "readme.txt", "hello")
    with pytest.raises(CanaoError, match="has no file of RTE"):
        open_task("rte", tmp_path)


def test_two_files_for_one_split(tmp_path: Path) -> None:
    for name in ("train.csv", "train.jsonl"):
        _bytes(tmp_path / "RTE" / name, b"x\n")
    with pytest.raises(CanaoError, match=r"both there; keep one"):
        open_task("rte", tmp_path)


def test_a_damaged_table(tmp_path: Path) -> None:
    _bytes(tmp_path / "RTE" / "train.parquet", b"PAR1 not really")
    with pytest.raises(CanaoError, match="is no sound parquet file"):
        open_task("rte", tmp_path)


def test_one_s_own_folder_needs_both_splits(tmp_path: Path) -> None:
    write_tsv(tmp_path / "train.tsv", "text|label", "a|x", "b|y")
    with pytest.raises(CanaoError, match="has no evaluation split"):
        open_task(str(tmp_path))


def test_a_name_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    with pytest.raises(CanaoError, match="no known task and no folder"):
        open_task("nobody-has-this")


def test_a_name_that_the_datasets_library_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the library would load is given; how it is read is not."""
    features = Features({"text": Value("string"), "label": ClassLabel(names=["up", "down"])})
    table = Dataset.from_dict({"text": list("abcdefgh"), "label": [1, 0] * 4}, features=features)

    def load(name: str) -> DatasetDict:
        assert name == "imdb"
        return DatasetDict({"train": table, "test": table})

    monkeypatch.setattr("datasets.load_dataset", load)
    task = open_task("imdb")
    assert task.spec.labels == ("up", "down")
    assert _rows(task)[0] == ("a", "", "1")
    assert len(task.evaluations["dev"]) == 8
