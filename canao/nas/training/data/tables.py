"""Files of the `datasets` library: Parquet, JSON lines, CSV, Arrow directories, names."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from canao.errors import InputFileError, MissingExtraError
from canao.nas.training.data.columns import Columns

ENDINGS = (".parquet", ".jsonl", ".json", ".csv")
_SAVED_SPLITS = "dataset_dict.json"


def read_table(path: Path) -> Columns:
    """The columns of a file, with numbers of classes replaced by their names where it has them."""
    datasets = _datasets()
    import pyarrow as arrow

    try:
        return _columns(str(path), datasets.Dataset(_arrow_table(path)))
    except OSError as error:
        raise InputFileError(f"{path} cannot be read ({error}); check the file") from error
    except (arrow.ArrowException, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise InputFileError(
            f"{path} is no sound {path.suffix[1:]} file: {reason}; write it again"
        ) from error


def _arrow_table(path: Path) -> Any:
    from pyarrow import csv, json, parquet

    if path.suffix == ".parquet":
        return parquet.read_table(path)
    if path.suffix == ".csv":
        return csv.read_csv(path, parse_options=csv.ParseOptions(newlines_in_values=True))
    return json.read_json(path)


def is_saved(folder: Path) -> bool:
    """Whether `DatasetDict.save_to_disk` wrote the folder."""
    return (folder / _SAVED_SPLITS).is_file()


def read_saved(folder: Path) -> dict[str, Columns]:
    """The splits of a folder that `DatasetDict.save_to_disk` wrote."""
    datasets = _datasets()
    try:
        found = datasets.load_from_disk(str(folder), keep_in_memory=True)
    except (OSError, ValueError) as error:
        raise InputFileError(
            f"{folder} is no sound folder of the datasets library: {error}; save it again"
        ) from error
    return {split: _columns(f"{folder}/{split}", table) for split, table in found.items()}


def read_named(name: str) -> dict[str, Columns]:
    """The splits of a data set that the `datasets` library finds by its name."""
    datasets = _datasets()
    try:
        found = datasets.load_dataset(name)
    except Exception as error:
        # The library raises errors of several packages, and network errors of others.
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputFileError(
            f"'{name}' is no known task and no folder, and the datasets library cannot load a data "
            f"set of that name: {reason}; give a folder with train.tsv and dev.tsv"
        ) from error
    return {split: _columns(f"{name}, {split}", table) for split, table in found.items()}


def _columns(place: str, table: Any) -> Columns:
    """The cells of a table as Python has them; classes by name."""
    if not len(table):
        raise InputFileError(f"{place} is empty; add examples")
    cells: dict[str, list[object]] = {}
    classes: dict[str, tuple[str, ...]] = {}
    for name, feature in table.features.items():
        cells[name] = list(table[name])
        names = getattr(feature, "names", None)
        if names:
            classes[name] = tuple(names)
            cells[name] = [_named(cell, names) for cell in cells[name]]
    return Columns(place, cells, classes=classes)


def _named(cell: object, names: list[str]) -> object:
    return names[cell] if isinstance(cell, int) and 0 <= cell < len(names) else cell


def _datasets() -> Any:
    """The `datasets` library, told to stay silent."""
    try:
        import datasets
        import datasets.config as settings
    except ImportError as error:
        raise MissingExtraError("reading files of the datasets library", "nas") from error
    if os.environ.get("HF_HUB_OFFLINE") == "1":
        # The library reads that once, and something else may have imported it before it was set.
        settings.HF_HUB_OFFLINE = True
    datasets.disable_progress_bars()
    return datasets


def by_stem(folder: Path, endings: tuple[str, ...]) -> Mapping[str, Path]:
    """The files of a folder by their name without ending and number of shards."""
    found: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix in endings and path.is_file():
            stem = path.stem.removesuffix("-00000-of-00001")
            if "-of-" in stem:
                raise InputFileError(f"{path} is one of several shards; join them into one file")
            if stem in found:
                raise InputFileError(f"{found[stem]} and {path} are both there; keep one of them")
            found[stem] = path
    return found
