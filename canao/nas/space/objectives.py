"""What a search wants: named objectives, one reward of them, and Pareto fronts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, cast

import numpy as np
import numpy.typing as npt

from canao.errors import SearchError

ACCURACY, LATENCY, INSTRUCTIONS = "accuracy", "latency_ms", "instructions"
COSTS = (LATENCY, INSTRUCTIONS)
"""What a run costs: time, or instructions where time means nothing. A device has one of them."""
NAMES = (ACCURACY, *COSTS, "peak_bytes", "flops")
"""What is known of every candidate; all but accuracy before it is trained."""

Values = Mapping[str, float]
Matrix = npt.NDArray[np.float64]

_LATENCY_WEIGHT = 0.05
_POINTS = 4096
_SUM_WEIGHT = 0.05
"""Share of the plain sum in a scalarisation: it breaks ties of the largest loss."""


@dataclass(frozen=True)
class Objective:
    """A number to make large, or small; with a budget, a candidate beyond it is no use."""

    name: str
    minimise: bool = False
    budget: float | None = None
    weight: float = 1.0
    """Its part in a single reward."""
    speedup: float | None = None
    """With it the budget is what the teacher costs, divided by this, once that is measured."""

    def __post_init__(self) -> None:
        if self.name not in NAMES:
            raise SearchError(
                f"there is no objective '{self.name}'; choose from {', '.join(NAMES)}"
            )
        if self.budget is not None and not (math.isfinite(self.budget) and self.budget > 0):
            raise SearchError(f"the budget {self.budget} of {self.name} is not a positive number")
        if not (math.isfinite(self.weight) and self.weight > 0):
            raise SearchError(f"the weight {self.weight} of {self.name} is not a positive number")
        speedup = self.speedup
        if speedup is None:
            return
        if self.name not in COSTS or not self.minimise:
            raise SearchError(f"a speedup is one of {LATENCY}, which is minimised; not {self.name}")
        if not (math.isfinite(speedup) and speedup > 0):
            raise SearchError(f"the speedup {speedup} is not a positive number")

    @property
    def direction(self) -> str:
        """Optuna's word for it."""
        return "minimize" if self.minimise else "maximize"

    def excess(self, value: float) -> float:
        """How far a value is beyond the budget, as a part of the budget; 0 within it."""
        if self.budget is None:
            return 0.0
        beyond = value - self.budget if self.minimise else self.budget - value
        return max(0.0, beyond / self.budget)

    def part(self, value: float) -> float:
        """What a value adds to a single reward."""
        if not self.minimise:
            return self.weight * value
        if self.budget is None:
            return -self.weight * math.log(max(value, 1e-9))
        return self.weight * (1 - value / self.budget)


@dataclass(frozen=True)
class Goal:
    """Objectives, and whether they make one reward or a Pareto front."""

    objectives: tuple[Objective, ...]
    pareto: bool = False

    def __post_init__(self) -> None:
        names = [objective.name for objective in self.objectives]
        if len(set(names)) < len(names) or not names:
            raise SearchError(f"the objectives {names} are none, or one is named twice")
        if ACCURACY not in names:
            raise SearchError("a search needs the objective accuracy; add it")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the objectives in order."""
        return tuple(objective.name for objective in self.objectives)

    @property
    def directions(self) -> list[str]:
        """The directions of an Optuna study."""
        return [o.direction for o in self.objectives] if self.pareto else ["maximize"]

    @property
    def cost(self) -> str:
        """The name of what a run costs."""
        return next((name for name in self.names if name in COSTS), LATENCY)

    @property
    def needs_reference(self) -> bool:
        """Whether a budget follows from the latency of the teacher, which is not known yet."""
        return any(o.speedup is not None and o.budget is None for o in self.objectives)

    @property
    def speedup(self) -> float | None:
        """How many times as fast as the teacher a candidate has to be, if that was asked for."""
        return next((o.speedup for o in self.objectives if o.speedup is not None), None)

    @property
    def reference_cost(self) -> float | None:
        """What the teacher cost when its budget was settled; None if none follows from it."""
        known = (o.budget * o.speedup for o in self.objectives if o.speedup and o.budget)
        return next(known, None)

    def beside(self, cost: float) -> Goal:
        """With the budgets that follow from what the teacher costs."""
        return replace(self, objectives=tuple(_beside(o, cost) for o in self.objectives))

    def without_budgets(self) -> Goal:
        """Without the budgets that follow from a latency."""
        kept = (replace(o, budget=None) if o.speedup else o for o in self.objectives)
        return replace(self, objectives=tuple(kept))

    def told(self, values: Values) -> list[float]:
        """What a study is told of a finished candidate."""
        if not self.pareto:
            return [self.reward(values)]
        return [float(values[name]) for name in self.names]

    def excess(self, values: Values) -> float:
        """The largest excess over a budget among the values that are known."""
        known = [o.excess(values[o.name]) for o in self.objectives if o.name in values]
        return max(known, default=0.0)

    def beyond(self, values: Values) -> str:
        """Which budgets the values exceed, for people; empty if none."""
        parts = [
            f"{o.name} {values[o.name]:.4g} is beyond the budget of {o.budget:g}"
            for o in self.objectives
            if o.name in values and o.excess(values[o.name])
        ]
        return ", ".join(parts)

    def reward(self, values: Values) -> float:
        """The single reward of a candidate with all values; negative beyond a budget."""
        excess = self.excess(values)
        if excess:
            return -min(1.0, excess)
        return sum(o.part(values[o.name]) for o in self.objectives)

    def losses(self, rows: Sequence[Values]) -> Matrix:
        """What each row (a candidate) lacks in each objective, all to be made small."""
        signs = np.array([1.0 if o.minimise else -1.0 for o in self.objectives])
        found = [[row[name] for name in self.names] for row in rows]
        return np.array(found, np.float64).reshape(len(rows), len(self.names)) * signs

    def to_mapping(self) -> dict[str, Any]:
        """The goal as values that JSON has."""
        return asdict(self)

    @staticmethod
    def from_mapping(found: object) -> Goal:
        """The goal that `to_mapping` gave."""
        try:
            values = cast("Mapping[str, Any]", found)
            objectives = tuple(Objective(**row) for row in values["objectives"])
            return Goal(objectives, bool(values["pareto"]))
        except (TypeError, KeyError) as error:
            raise SearchError(f"{found!r} is not a goal of a search") from error


def _beside(objective: Objective, cost: float) -> Objective:
    if objective.speedup is None:
        return objective
    return replace(objective, budget=cost / objective.speedup)


def default_goal(
    budget_ms: float | None = None,
    *,
    speedup: float | None = None,
    pareto: bool | None = None,
    cost: str = LATENCY,
) -> Goal:
    """Accuracy and latency: one reward if there is a budget, a front if there is none.

    The budget is so many milliseconds, or the teacher's latency divided by `speedup`. `cost`
    names what stands for latency where time means nothing.
    """
    if budget_ms is not None and cost != LATENCY:
        raise SearchError(
            f"the device counts {cost}, which no milliseconds limit; give a speedup, or a goal "
            f"with a budget of {cost}"
        )
    if budget_ms is not None and speedup is not None:
        raise SearchError("a budget and a speedup both limit the latency; give one of them")
    spent = Objective(cost, True, budget_ms, _LATENCY_WEIGHT, speedup)
    free = budget_ms is None and speedup is None
    return Goal((Objective(ACCURACY), spent), free if pareto is None else pareto)


def scalarise(losses: Matrix, weights: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """A reward for each row of losses between 0 and 1: minus the largest weighted loss.

    With each choice of weights another point of a Pareto front is the best,
    whatever the front's shape (augmented Chebyshev scalarisation).
    """
    weighted = losses * np.asarray(weights, np.float64)
    return -weighted.max(axis=1) - _SUM_WEIGHT * weighted.sum(axis=1)


def dominated_by(losses: Matrix) -> npt.NDArray[np.int64]:
    """How many rows dominate each row: are nowhere worse and somewhere better."""
    no_worse = (losses[:, None, :] <= losses[None, :, :]).all(axis=2)
    better = (losses[:, None, :] < losses[None, :, :]).any(axis=2)
    return (no_worse & better).sum(axis=0)


def front(losses: Matrix) -> list[int]:
    """The numbers of the rows that no other dominates."""
    if not len(losses):
        return []
    return [int(number) for number in np.flatnonzero(dominated_by(losses) == 0)]


def volume_added(known: Matrix, new: Matrix, seed: int = 0) -> npt.NDArray[np.float64]:
    """How much of the unit cube each new row of losses dominates that no known row does.

    By counting random points, so it is an estimate, for any number of objectives.
    """
    points = np.random.default_rng(seed).random((_POINTS, known.shape[1]))
    taken = (known[:, None, :] <= points[None, :, :]).all(axis=2).any(axis=0)
    reached = (new[:, None, :] <= points[None, ~taken, :]).all(axis=2)
    return reached.sum(axis=1) / _POINTS
