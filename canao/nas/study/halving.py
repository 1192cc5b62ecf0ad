"""Successive halving: little training for all candidates, more for those that did well."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from optuna.pruners import BasePruner
from optuna.trial import FrozenTrial

from canao.nas.space.objectives import ACCURACY, Goal, Values, dominated_by
from canao.nas.study.attributes import TWIN, is_void, rung_accuracy, values_of

if TYPE_CHECKING:
    from optuna import Study


class HalvingPruner(BasePruner):
    """Stops a candidate that is not among the best part of those that came as far (ASHA).

    The best part is one in `factor`. With several objectives a candidate is
    the better, the fewer others dominate it. Nothing is stopped before
    `factor` candidates reached a rung.
    """

    def __init__(self, goal: Goal, rungs: tuple[int, ...], factor: int = 2) -> None:
        self.goal, self.rungs, self.factor = goal, rungs, factor

    def prune(self, study: Study, trial: FrozenTrial) -> bool:
        """Whether a trial should stop at the last rung that it reached."""
        reached = [steps for steps in self.rungs if rung_accuracy(trial, steps) is not None]
        if not reached or reached[-1] == self.rungs[-1]:
            return False
        others = [t for t in study.get_trials(deepcopy=False) if t.number != trial.number]
        return self.stops(trial, others, reached[-1])

    def stops(self, trial: FrozenTrial, others: Iterable[FrozenTrial], steps: int) -> bool:
        """Whether a trial does worse after so many steps than the best part of all."""
        own = self._values(trial, steps)
        # A trial that was interrupted is run again, and would count twice.
        own_results = (t for t in others if TWIN not in t.user_attrs and not is_void(t))
        known = [self._values(t, steps) for t in own_results]
        rows = [row for row in known if row is not None]
        if own is None or len(rows) + 1 < self.factor:
            return False
        better = self._better(own, rows)
        return better * self.factor >= len(rows) + 1

    def _values(self, trial: FrozenTrial, steps: int) -> Values | None:
        accuracy = rung_accuracy(trial, steps)
        if accuracy is None:
            return None
        values = {**values_of(trial), ACCURACY: accuracy}
        return values if all(name in values for name in self.goal.names) else None

    def _better(self, own: Values, rows: list[Values]) -> int:
        """How many rows are better."""
        if not self.goal.pareto:
            reward = self.goal.reward(own)
            return sum(self.goal.reward(row) > reward for row in rows)
        return int(dominated_by(self.goal.losses([own, *rows]))[0])
