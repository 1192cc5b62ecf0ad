"""What finished candidates tell of others: a Gaussian process for each value.

The kernel is a Matérn 5/2 with a length scale for each size. Length scales and noise
are those of a grid that make what was seen likeliest (Rasmussen and Williams 2006,
section 5.4), found one after the other. Where little is known, draws differ.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from canao.nas.controller.initial_designs import multiply_adds
from canao.nas.space.architecture import Architecture
from canao.nas.space.space import SearchSpace

Vector = npt.NDArray[np.float64]

_SCALES = (0.15, 0.3, 0.6, 1.2, 2.5)
_NOISES = (1e-3, 3e-3, 1e-2, 3e-2, 1e-1)
_SWEEPS = 3
_RIDGE = 0.1
_JITTER = 1e-6


@dataclass(frozen=True)
class Features:
    """Architectures as numbers, a row each."""

    sizes: Vector
    """Depth, width, and the mean and slope of feed-forward sizes; neighbours are close."""
    work: Vector
    """1, and the logarithms of depth, width and multiply-adds: those of costs are about linear."""

    def __getitem__(self, rows: slice | Sequence[int]) -> Features:
        return Features(self.sizes[rows], self.work[rows])

    def __len__(self) -> int:
        return len(self.sizes)


def features(architectures: Sequence[Architecture], space: SearchSpace) -> Features:
    """What surrogates know of architectures of a space."""
    sizes: list[list[float]] = []
    work: list[list[float]] = []
    for architecture in architectures:
        depth = architecture.num_blocks / space.blocks.high
        width = architecture.hidden_size / space.hidden.high
        parts = np.array(architecture.intermediate_sizes) / space.intermediate.high
        places = np.linspace(-2, 2, len(parts)) if len(parts) > 1 else np.zeros(1)
        slope = float((parts * places).mean())
        sizes.append([depth, width, float(np.log(parts).mean()) / 3, slope])
        work.append([1.0, np.log(depth), np.log(width), np.log(multiply_adds(architecture))])
    return Features(np.array(sizes, np.float64), np.array(work, np.float64))


@dataclass(frozen=True)
class _Fit:
    """A kernel, and what follows from it for what was seen."""

    scales: Vector
    noise: float
    root: Vector
    """The Cholesky factor of the covariance, in units of `variance`."""
    variance: float
    likelihood: float


class Surrogate:
    """Predicts one value of architectures; `cost` is for values that are positive and grow as work.

    Costs are predicted by their logarithms, as what is not linear in the logarithms of the work.
    """

    def __init__(
        self, known: Features, values: Sequence[float], seed: int, *, cost: bool = False
    ) -> None:
        self._seed, self._cost = seed, cost
        target = np.asarray(values, np.float64)
        if cost:
            target = np.log(np.maximum(target, 1e-9))
        self._offset, self._unit = float(target.mean()), float(target.std()) + 1e-9
        wanted = (target - self._offset) / self._unit
        self._trend = _ridge(known.work, wanted) if cost else np.zeros(known.work.shape[1])
        rest = wanted - known.work @ self._trend
        self._sizes = known.sizes
        self._fit = _likeliest(known.sizes, rest)
        root = self._fit.root
        self._weights = _solved(root.T, _solved(root, rest))

    def mean(self, rows: Features) -> Vector:
        """What is expected of each row; of costs, their medians."""
        shared = _kernel(rows.sizes, self._sizes, self._fit.scales)
        return self._in_units(rows, shared @ self._weights)

    def draw(self, rows: Features, number: int) -> Vector:
        """One of the functions that agree with what was seen, at each row.

        Equal numbers and rows give equal draws.
        """
        shared = _kernel(rows.sizes, self._sizes, self._fit.scales)
        explained = _solved(self._fit.root, shared.T)
        left = _kernel(rows.sizes, rows.sizes, self._fit.scales) - explained.T @ explained
        root = np.linalg.cholesky(left + _JITTER * np.eye(len(rows)))
        chance = np.random.default_rng([self._seed, number]).standard_normal(len(rows))
        spread = np.sqrt(self._fit.variance) * (root @ chance)
        return self._in_units(rows, shared @ self._weights + spread)

    def _in_units(self, rows: Features, rest: Vector) -> Vector:
        values = (rest + rows.work @ self._trend) * self._unit + self._offset
        return np.exp(values) if self._cost else values


def _ridge(rows: Vector, wanted: Vector) -> Vector:
    gram = rows.T @ rows + _RIDGE * np.eye(rows.shape[1])
    return _solved(gram, rows.T @ wanted)


def _solved(left: Vector, right: Vector) -> Vector:
    return np.linalg.solve(left, right).astype(np.float64)


def _kernel(left: Vector, right: Vector, scales: Vector) -> Vector:
    """Matérn 5/2."""
    difference = (left[:, None, :] - right[None, :, :]) / scales
    distance = np.sqrt(5 * (difference**2).sum(-1))
    return (1 + distance + distance**2 / 3) * np.exp(-distance)


def _likeliest(sizes: Vector, values: Vector) -> _Fit:
    """The kernel under which values are likeliest, each choice made with the others held."""
    choices = [_SCALES] * sizes.shape[1] + [_NOISES]
    best = [len(values) // 2 for values in choices]
    tried: dict[tuple[int, ...], _Fit] = {}

    def fit(places: Sequence[int]) -> _Fit:
        key = tuple(places)
        if key not in tried:
            *scales, noise = (values[place] for values, place in zip(choices, key, strict=True))
            tried[key] = _fitted(sizes, values, np.array(scales), noise)
        return tried[key]

    for _ in range(_SWEEPS):
        before = list(best)
        for number, options in enumerate(choices):
            rows = [[*best[:number], n, *best[number + 1 :]] for n in range(len(options))]
            best = max(rows, key=lambda row: fit(row).likelihood)
        if best == before:
            break
    return fit(best)


def _fitted(sizes: Vector, values: Vector, scales: Vector, noise: float) -> _Fit:
    count = len(values)
    covariance = _kernel(sizes, sizes, scales) + noise * np.eye(count)
    root = np.linalg.cholesky(covariance).astype(np.float64)
    whitened = _solved(root, values)
    variance = max(float(whitened @ whitened) / count, _JITTER)
    likelihood = -0.5 * count * np.log(variance) - np.log(np.diag(root)).sum()
    return _Fit(scales, noise, root, variance, float(likelihood))
