"""The controller as an Optuna sampler, and Optuna's own samplers by name."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, IntDistribution
from optuna.samplers import BaseSampler, RandomSampler
from optuna.trial import FrozenTrial, TrialState

from canao.errors import SearchError
from canao.nas.controller.controller_state import restore, state_of
from canao.nas.controller.reinforce import Proposal, Reinforce
from canao.nas.controller.replay import Settings
from canao.nas.space.objectives import Goal
from canao.nas.space.space import HIDDEN_SIZE, NUM_BLOCKS, SearchSpace, Sizes, intermediate_size
from canao.nas.study.attributes import counts, experiences, is_void, values_of

if TYPE_CHECKING:
    from optuna import Study

CONTROLLER = "canao:controller"
"""The study's attribute that has the controller's state."""
SAMPLERS = ("canao", "tpe", "nsgaii", "random")
_POPULATION = 10
"""Of NSGA-II. With Optuna's 50 most searches would end in the first, random generation."""


class CanaoSampler(BaseSampler):
    """Proposes what the controller draws, after it has learned from all trials that ended.

    The controller's state is kept with the study: every worker goes on from the
    state that has absorbed most trials, learns from those that are new, and
    saves what it has become.
    """

    def __init__(self, space: SearchSpace, goal: Goal, settings: Settings | None = None) -> None:
        self.space, self.goal = space, goal
        self.learner = Reinforce(space, goal, settings or Settings())
        self.proposals: dict[int, Proposal] = {}
        """What was proposed in this process, by the number of the trial."""
        # For parameters that are none of the space's.
        self._other = RandomSampler(seed=self.learner.settings.seed)

    def infer_relative_search_space(
        self, study: Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """All parameters that an architecture may have."""
        space = self.space
        names = {NUM_BLOCKS: space.blocks, HIDDEN_SIZE: space.hidden}
        names |= {intermediate_size(n): space.intermediate for n in range(space.blocks.high)}
        return {name: distribution(sizes) for name, sizes in names.items()}

    def sample_relative(
        self, study: Study, trial: FrozenTrial, search_space: dict[str, BaseDistribution]
    ) -> dict[str, Any]:
        """The sizes of the architecture that is proposed; only those that it has."""
        trials = study.get_trials(deepcopy=False)
        past = self._catch_up(study, trials)
        known = [self.space.architecture_of(t.params) for t in trials if _is_known(t)]
        avoid = {architecture.key for architecture in known if architecture is not None}
        proposal = self.learner.propose(_index(trials, trial), avoid, past)
        self.proposals[trial.number] = proposal
        return dict(self.space.parameters_of(proposal.decided.architecture))

    def sample_independent(
        self,
        study: Study,
        trial: FrozenTrial,
        param_name: str,
        param_distribution: BaseDistribution,
    ) -> Any:
        """A random value: for parameters that the space does not have."""
        return self._other.sample_independent(study, trial, param_name, param_distribution)

    def catch_up(self, study: Study) -> None:
        """Learn from all trials that ended; what the report shows is then up to date."""
        self._catch_up(study, study.get_trials(deepcopy=False))

    def _catch_up(self, study: Study, trials: Sequence[FrozenTrial]) -> list[Any]:
        state = study.user_attrs.get(CONTROLLER, {})
        if len(state.get("absorbed", ())) > len(self.learner.absorbed):
            restore(self.learner, state)
        past = experiences(trials, self.space)
        inside = [e for e in past if e.architecture in self.space]
        if self.learner.learn(inside):
            study.set_user_attr(CONTROLLER, state_of(self.learner))
        return inside


def _is_known(trial: FrozenTrial) -> bool:
    """Whether there is no use in trying a trial's architecture again."""
    return counts(trial) or trial.state in (TrialState.RUNNING, TrialState.WAITING)


def _index(trials: Sequence[FrozenTrial], trial: FrozenTrial) -> int:
    """How many trials came before one, those aside that count for nothing.

    A search that was interrupted so draws the random numbers that it would
    have drawn without.
    """
    return sum(t.number < trial.number and not is_void(t) for t in trials)


def distribution(sizes: Sizes) -> IntDistribution:
    """Sizes as Optuna has them."""
    return IntDistribution(sizes.low, sizes.high, step=sizes.step)


def make_sampler(
    name: str, space: SearchSpace, goal: Goal, settings: Settings, started: int
) -> BaseSampler:
    """The sampler of that name.

    `started` is the number of trials that the study has: Optuna's samplers keep
    no state, and would repeat themselves if they were seeded alike each time.
    """
    seed = int(np.random.SeedSequence([settings.seed, started]).generate_state(1)[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if name == "canao":
            return CanaoSampler(space, goal, settings)
        if name == "random":
            return RandomSampler(seed=seed)
        if name == "tpe":
            # Which sizes there are depends on the number of blocks: those are groups.
            return optuna.samplers.TPESampler(
                seed=seed, multivariate=True, group=True, constraints_func=_constraints(goal)
            )
        if name == "nsgaii":
            return optuna.samplers.NSGAIISampler(
                seed=seed, population_size=_POPULATION, constraints_func=_constraints(goal)
            )
    raise SearchError(f"there is no sampler '{name}'; choose one of {', '.join(SAMPLERS)}")


def _constraints(goal: Goal) -> Any:
    """The excess over budgets, which samplers that know constraints try to bring to 0."""
    if not any(objective.budget for objective in goal.objectives):
        return None

    def excess(trial: FrozenTrial) -> tuple[float]:
        return (goal.excess(values_of(trial)),)

    return excess
