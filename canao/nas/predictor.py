"""What finished candidates tell of others: accuracy and latency as smooth functions of sizes.

Ridge regression on a few features, several times on resampled candidates: where
the results differ, little is known.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from canao.nas.architecture import Architecture
from canao.nas.space import SearchSpace

Vector = npt.NDArray[np.float64]
_MEMBERS = 8
_RIDGE = 1.0


def features(architectures: Sequence[Architecture], space: SearchSpace) -> Vector:
    """A row an architecture: depth, width, feed-forward sizes, and the work that they make."""
    deepest, widest = space.blocks.high, space.hidden.high
    largest = space.intermediate.high
    rows: list[list[float]] = []
    for architecture in architectures:
        depth = architecture.num_blocks / deepest
        width = architecture.hidden_size / widest
        sizes = np.array(architecture.intermediate_sizes) / largest
        total, mean = float(sizes.sum()) / deepest, float(sizes.mean())
        slope = float((sizes * np.linspace(-1, 1, len(sizes))).mean()) if len(sizes) > 1 else 0.0
        rows.append(
            [
                1.0,
                depth,
                width,
                mean,
                np.log(depth),
                np.log(width),
                np.log(mean),
                float(np.log(sizes).mean()),
                depth * width,
                depth * width**2,
                width * total,
                total,
                slope,
                float(sizes[0]),
                float(sizes[-1]),
                np.log(depth) * np.log(width),
                np.log(depth) * np.log(mean),
                np.log(width) * np.log(mean),
                np.log(depth) ** 2,
                np.log(width) ** 2,
                np.log(mean) ** 2,
            ]
        )
    return np.array(rows, np.float64)


class Predictor:
    """Predicts one value of architectures, once for each member of an ensemble."""

    def __init__(self, rows: Vector, values: Sequence[float], seed: int) -> None:
        generator = np.random.default_rng(seed)
        target = np.asarray(values, np.float64)
        self._centre, self._scale = rows.mean(0), rows.std(0) + 1e-9
        self._offset, self._unit = float(target.mean()), float(target.std()) + 1e-9
        scaled = self._scaled(rows)
        wanted = (target - self._offset) / self._unit
        self._weights: list[Vector] = []
        for _ in range(_MEMBERS):
            # Weights of an exponential distribution: a bootstrap that leaves no row out.
            share = np.sqrt(generator.exponential(size=len(rows)))[:, None]
            left, right = scaled * share, wanted * share[:, 0]
            gram = left.T @ left + _RIDGE * np.eye(scaled.shape[1])
            self._weights.append(np.linalg.solve(gram, left.T @ right).astype(np.float64))

    def predict(self, rows: Vector, member: int) -> Vector:
        """What one member predicts for rows of features."""
        predicted = self._scaled(rows) @ self._weights[member % _MEMBERS]
        return predicted * self._unit + self._offset

    def _scaled(self, rows: Vector) -> Vector:
        scaled = (rows - self._centre) / self._scale
        scaled[:, 0] = 1.0
        return scaled
