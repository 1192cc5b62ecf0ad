"""One trial of a search: propose, measure, reject or train, and tell."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import optuna
from optuna.trial import FrozenTrial, TrialState

from canao.errors import CandidateError
from canao.nas.ending import MEASURING, TRAINING
from canao.nas.evaluator import Evaluator
from canao.nas.measuring.device_lock import training
from canao.nas.measuring.latency import Execution, LatencyMeter, measure_with
from canao.nas.space.architecture import Architecture
from canao.nas.space.objectives import NAMES
from canao.nas.study.attributes import (
    KEY,
    LOG_PROBS,
    REASON,
    SECONDS,
    SURPLUS,
    TWIN,
    WORKER,
    accuracy_attributes,
    counts,
    values_of,
)
from canao.nas.study.halving import HalvingPruner
from canao.nas.study.sampler import CanaoSampler
from canao.nas.study.study import Configuration, worker_mark

_POLL_SECONDS = 0.5
_TOLD = ("same_as", "accuracy", "rungs", "reason")

Say = Callable[[str], None]


@dataclass
class TrialRunner:
    """Runs the trials of one worker; calling it is the objective of an Optuna study."""

    study: optuna.Study
    configuration: Configuration
    evaluator: Evaluator
    meter: LatencyMeter
    pruner: HalvingPruner
    trials: int
    """How many trials the study shall have."""
    directory: Path
    """Where candidates are trained: a directory each."""
    locks: Path
    """Where the locks of the machine are."""
    say: Say
    recover: Callable[[], int]
    mark: dict[str, object] = field(default_factory=worker_mark)

    def __call__(self, trial: optuna.Trial) -> float | list[float]:
        """Run one trial."""
        start = time.monotonic()
        trial.set_user_attr(WORKER, self.mark)
        if self._is_surplus(trial):
            trial.set_user_attr(SURPLUS, True)
            raise optuna.TrialPruned
        try:
            return self._run(trial)
        except CandidateError as error:
            trial.set_user_attr(REASON, str(error))
            raise
        finally:
            trial.set_user_attr(SECONDS, round(time.monotonic() - start, 3))

    def _run(self, trial: optuna.Trial) -> float | list[float]:
        architecture = self.configuration.space.suggest(trial)
        trial.set_user_attr(KEY, architecture.key)
        sampler = self.study.sampler
        if isinstance(sampler, CanaoSampler) and trial.number in sampler.proposals:
            log_probs = sampler.proposals[trial.number].decided.log_probs
            trial.set_user_attr(LOG_PROBS, log_probs)
        twin = self._twin(trial, architecture)
        if twin is not None:
            return self._take_over(trial, twin)
        self.say(f"compiling and measuring {architecture.key}")
        begun = time.monotonic()
        execution = measure_with(self.meter, architecture)
        trial.set_user_attr(MEASURING, round(time.monotonic() - begun, 3))
        _keep(trial, execution)
        self._reject_if_beyond(trial)
        return self._train(trial, architecture)

    def _reject_if_beyond(self, trial: optuna.Trial) -> None:
        """Reject a candidate beyond a budget before any training."""
        reason = self.configuration.goal.beyond(values_of(_frozen(trial)))
        if reason:
            trial.set_user_attr(REASON, reason)
            raise optuna.TrialPruned(reason)

    def _train(self, trial: optuna.Trial, architecture: Architecture) -> float | list[float]:
        rungs: dict[str, float] = {}
        seconds = 0.0
        for steps in self.evaluator.fidelities:
            self.say(f"training {architecture.key} for {steps} steps")
            with training(self.locks):
                begun = time.monotonic()
                rungs[str(steps)] = train(
                    self.evaluator,
                    architecture,
                    steps=steps,
                    seed=self.configuration.settings.seed,
                    directory=self.directory / architecture.key,
                )
                seconds += time.monotonic() - begun
            trial.set_user_attr(TRAINING, round(seconds, 3))
            for name, value in accuracy_attributes(rungs).items():
                trial.set_user_attr(name, value)
            if self.pruner.prune(self.study, _frozen(trial)):
                reason = f"stopped after {steps} steps: others did better"
                trial.set_user_attr(REASON, reason)
                raise optuna.TrialPruned(reason)
        self._reject_if_beyond(trial)
        return self._told(trial)

    def _told(self, trial: optuna.Trial) -> float | list[float]:
        told = self.configuration.goal.told(values_of(_frozen(trial)))
        return told if self.configuration.goal.pareto else told[0]

    # ------------------------------------------------------------------ other trials

    def _is_surplus(self, trial: optuna.Trial) -> bool:
        """Whether other workers took the last places since this trial was begun."""
        others = [t for t in self.study.get_trials(deepcopy=False) if t.number != trial.number]
        earlier = sum(t.number < trial.number and t.state is TrialState.RUNNING for t in others)
        return sum(map(counts, others)) + earlier >= self.trials

    def _twin(self, trial: optuna.Trial, architecture: Architecture) -> FrozenTrial | None:
        """An earlier trial of the same architecture that has ended; waits for one that runs."""
        while True:
            same = [
                t
                for t in self.study.get_trials(deepcopy=False)
                if t.number < trial.number
                and t.user_attrs.get(KEY) == architecture.key
                and TWIN not in t.user_attrs
            ]
            finished = [t for t in same if counts(t)]
            if finished:
                return finished[0]
            if not any(t.state is TrialState.RUNNING for t in same):
                return None
            self.say(f"waiting for another worker's results of {architecture.key}")
            time.sleep(_POLL_SECONDS)
            self.recover()

    def _take_over(self, trial: optuna.Trial, twin: FrozenTrial) -> float | list[float]:
        """End like an earlier trial of the same architecture, at no cost."""
        trial.set_user_attr(TWIN, twin.number)
        names = (*NAMES, *_TOLD, *Execution(0.0).attributes())
        for name in dict.fromkeys(names):
            if name in twin.user_attrs:
                trial.set_user_attr(name, twin.user_attrs[name])
        if twin.state is TrialState.FAIL:
            raise CandidateError(str(twin.user_attrs.get(REASON, "failed before")))
        if twin.state is TrialState.PRUNED:
            raise optuna.TrialPruned
        return self._told(trial)


def train(
    evaluator: Evaluator, architecture: Architecture, *, steps: int, seed: int, directory: Path
) -> float:
    """The accuracy of a candidate; `CandidateError` whatever goes wrong with it."""
    try:
        accuracy = float(
            evaluator.accuracy(architecture, steps=steps, seed=seed, directory=directory)
        )
    except CandidateError:
        raise
    except MemoryError as error:
        raise CandidateError("training ran out of memory") from error
    except Exception as error:
        # Whatever training raises is a matter of this candidate; the others go on.
        said = " ".join(str(error).split())
        raise CandidateError(f"training failed: {type(error).__name__}: {said}") from error
    if not -1.0 <= accuracy <= 1.0:
        raise CandidateError(f"training diverged: the accuracy is {accuracy}")
    return accuracy


def _keep(trial: optuna.Trial, execution: Execution) -> None:
    for name, value in execution.attributes().items():
        trial.set_user_attr(name, value)


def _frozen(trial: optuna.Trial) -> FrozenTrial:
    """A trial as it is stored now."""
    return trial.storage.get_trial(trial._trial_id)  # pyright: ignore[reportPrivateUsage]
