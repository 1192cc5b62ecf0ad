"""What the recorded latencies and accuracies say of architectures that were not recorded.

Surrogates as in NAS-Bench-301 (Siems et al., arXiv:2008.09777): models fitted to records,
judged by what they say of records that were left out of the fit.
"""

from __future__ import annotations

import statistics
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self, cast

import numpy as np
import numpy.typing as npt
from scipy.optimize import nnls
from scipy.stats import kendalltau
from search_accuracies import RECORD as ACCURACIES
from search_accuracies import WAYS
from search_latencies import RECORD as LATENCIES
from search_samples import SEQUENCE, SPACE, Record
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.model_selection import KFold, cross_val_predict

from canao.nas.space.architecture import Architecture

Vector = npt.NDArray[np.float64]
_FOLDS = 10
_TREES = 100


@dataclass(frozen=True)
class Quality:
    """How a model does on records that it has not seen."""

    records: int
    median_error: float
    r2: float
    kendall_tau: float

    @staticmethod
    def of(said: Vector, true: Vector) -> Quality:
        """Of what a model said, and what was recorded."""
        errors = said - true
        rank: Any = kendalltau(said, true)
        return Quality(
            len(true),
            float(np.median(np.abs(errors))),
            float(1 - (errors**2).sum() / ((true - true.mean()) ** 2).sum()),
            float(rank.statistic),
        )


def flops(architecture: Architecture) -> float:
    """Floating-point operations of one run: the last block works for one token only."""
    hidden = architecture.hidden_size
    total = 0.0
    for block, size in enumerate(architecture.intermediate_sizes, start=1):
        rows = 1 if block == architecture.num_blocks else SEQUENCE
        keys_and_values = 4 * SEQUENCE * hidden**2
        total += keys_and_values + rows * (
            4 * hidden**2 + 4 * SEQUENCE * hidden + 4 * hidden * size
        )
    return total


class Latencies:
    """Milliseconds of an architecture: so many for each kind of work, none negative."""

    def __init__(self, architectures: Sequence[Architecture], values: Vector) -> None:
        work = np.array([_work(architecture) for architecture in architectures])
        said = _left_out(work, values)
        self.quality = Quality.of(np.log(said), np.log(values))
        """Errors are those of the logarithm: shares of the latency."""
        self._costs = _costs(work, values)

    @classmethod
    def recorded(cls) -> Self:
        """Fitted to what `search_latencies.py` recorded."""
        record = Record.read(LATENCIES)
        values = [row["latency_ms"] for row in record.rows.values()]
        return cls(record.architectures, np.array(values))

    def __call__(self, architecture: Architecture) -> float:
        return float(np.array(_work(architecture)) @ self._costs)


def _work(architecture: Architecture) -> list[float]:
    """Operations of attention and of feed-forward layers in 1e9, and numbers that are written.

    The last block works for one token: its weights are read, which takes longer than
    what is computed with them.
    """
    hidden, blocks = architecture.hidden_size, architecture.num_blocks
    *whole, last = architecture.intermediate_sizes
    projections = 4 * SEQUENCE * hidden**2 * (2 * blocks - 1)
    scores = 4 * SEQUENCE**2 * hidden * (blocks - 1)
    return [
        (projections + scores) / 1e9,
        4 * SEQUENCE * hidden * sum(whole) / 1e9,
        SEQUENCE * sum(whole) / 1e6,
        SEQUENCE * hidden * blocks / 1e6,
        hidden * (hidden + last) / 1e6,
    ]


def _costs(work: Vector, values: Vector) -> Vector:
    """Milliseconds for each kind of work; relative errors count."""
    costs, _ = nnls(work / values[:, None], np.ones(len(values)))
    return costs


def _left_out(work: Vector, values: Vector) -> Vector:
    """What fits to all other records say of each."""
    others = ~np.eye(len(values), dtype=bool)
    return np.array([work[n] @ _costs(work[keep], values[keep]) for n, keep in enumerate(others)])


class Accuracies:
    """Accuracy after a short training: extremely randomised trees over depth and widths.

    The controller's own surrogates are Gaussian processes; to judge it by one would favour
    it. `chance` is the standard deviation between trainings from different seeds.
    """

    def __init__(
        self, architectures: Sequence[Architecture], values: Vector, chance: float
    ) -> None:
        rows = np.array([_sizes(architecture) for architecture in architectures])
        model = ExtraTreesRegressor(_TREES, random_state=0)
        folds = KFold(_FOLDS, shuffle=True, random_state=0)
        said = cast("Vector", cross_val_predict(model, rows, values, cv=folds))
        self.chance = chance
        self.quality = Quality.of(said, values)
        self._model: Any = model.fit(rows, values)
        self._known: dict[str, float] = {}

    @classmethod
    def recorded(cls) -> Self:
        """Fitted to what `search_accuracies.py` recorded."""
        record = Record.read(ACCURACIES)
        names = {way.name for way in WAYS}
        by_seed = [
            [value for name, value in row["accuracies"].items() if name in names]
            for row in record.rows.values()
        ]
        spreads = [statistics.variance(found) for found in by_seed if len(found) > 1]
        values = np.array([statistics.mean(found) for found in by_seed])
        return cls(record.architectures, values, statistics.mean(spreads) ** 0.5)

    def mean(self, architecture: Architecture) -> float:
        """What trainings of an architecture come to on average."""
        key = architecture.key
        if key not in self._known:
            said = self._model.predict(np.array([_sizes(architecture)]))
            self._known[key] = min(1.0, max(0.0, float(said[0])))
        return self._known[key]

    def trained(self, architecture: Architecture, seed: int) -> float:
        """What one training comes to: a little better or worse than the mean by chance."""
        luck = np.random.default_rng(zlib.crc32(f"{seed} {architecture.key}".encode()))
        value = self.mean(architecture) + self.chance * luck.standard_normal()
        return min(1.0, max(0.0, float(value)))


def _sizes(architecture: Architecture) -> list[float]:
    """Depth, width, and the mean and slope of the feed-forward sizes, about 0 to 1."""
    sizes = np.array(architecture.intermediate_sizes) / SPACE.intermediate.high
    places = np.linspace(-1, 1, len(sizes)) if len(sizes) > 1 else np.zeros(1)
    return [
        architecture.num_blocks / SPACE.blocks.high,
        architecture.hidden_size / SPACE.hidden.high,
        float(np.log(sizes).mean()),
        float((places * sizes).mean()),
    ]
