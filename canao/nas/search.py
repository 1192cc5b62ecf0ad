"""The search: candidates are proposed, compiled, measured and trained, until enough were."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import optuna
from optuna.trial import FrozenTrial, TrialState

from canao.errors import CandidateError, SearchError
from canao.nas.attributes import (
    REASON,
    Candidate,
    candidates,
    counts,
    pareto_front,
    within,
)
from canao.nas.evaluator import Evaluator, evaluator_for
from canao.nas.finalists import measure_again, with_last_measurements
from canao.nas.halving import HalvingPruner
from canao.nas.latency import DeviceLatency, LatencyMeter
from canao.nas.objectives import Goal, default_goal
from canao.nas.output import write_output
from canao.nas.reinforce import Settings
from canao.nas.sampler import SAMPLERS, CanaoSampler, make_sampler
from canao.nas.space import SearchSpace
from canao.nas.study import (
    CONFIGURATION,
    Configuration,
    ended,
    interrupt,
    open_storage,
    open_study,
    recover,
    under_way,
)
from canao.nas.task_options import TaskOptions
from canao.nas.trials import TrialRunner
from canao.runtime.cache import Cache
from canao.runtime.target import Target

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

_FAILURES_IN_A_ROW = 10
_PHASE_ONE_SHARE = 0.2
_WORKER_WAITS = 60.0
"""Seconds that a worker waits for the study it shall work for."""
_POLL_SECONDS = 0.5


@dataclass(frozen=True)
class Progress:
    """How far a search is."""

    stage: str
    trials: int
    done: int
    complete: int
    rejected: int
    failed: int
    best: Candidate | None


@dataclass(frozen=True)
class SearchResult:
    """What a search found."""

    best: Candidate | None
    """The candidate with the highest reward within the budgets; None if there is none."""
    pareto: tuple[Candidate, ...]
    """Candidates within the budgets that no other dominates, fastest first."""
    study: optuna.Study
    directory: Path
    """Where the report and the best model are."""
    facts: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the evaluator tells of the best after its last training, and of its teacher."""


def search(
    task: str | Path | Evaluator,
    *,
    target: str = "c",
    budget_ms: float | None = None,
    trials: int = 50,
    study: str = "canao",
    storage: str | None = None,
    sampler: Literal["canao", "tpe", "nsgaii", "random"] | str = "canao",
    seed: int = 0,
    out: str | os.PathLike[str] = "canao-search",
    goal: Goal | None = None,
    space: SearchSpace | None = None,
    settings: Settings | None = None,
    training: TaskOptions | None = None,
    threads: int | None = 1,
    sequence: int = 128,
    batch: int = 1,
    tune: Literal["off", "default", "full"] | str = "off",
    finalists: int = 3,
    time_limit: float = 300.0,
    memory_bytes: int | None = None,
    meter: LatencyMeter | None = None,
    cache_dir: str | os.PathLike[str] | None = None,
    worker: bool = False,
    progress: Callable[[Progress], None] | None = None,
) -> SearchResult:
    """Search for the architecture with the best reward on the device at hand.

    `task` says how accuracy is found: the name of a task, its directory, or an
    `Evaluator`; `training` says how candidates for a task are trained.
    `budget_ms` is the most that a run may take: candidates beyond it are
    rejected before they are trained. With a budget there is one reward of
    accuracy and latency, without one a Pareto front, unless `goal` says
    otherwise. `trials` is how many the study shall have when the search ends,
    those that it has already included: a search that was stopped goes on where
    it was. `study` and `storage` (sqlite in `out`, or postgresql://...) name
    where trials are kept; any number of workers (`worker=True`) may share them.
    Candidates are compiled for `target`, `threads`, `sequence`, `batch` with
    `tune`; each has `time_limit` seconds and `memory_bytes` for that.
    `finalists` are measured again at the end. The report and the best model are
    written to `out`.
    """
    if trials < 1:
        raise SearchError(f"trials={trials} makes no search; ask for at least 1")
    if sampler not in SAMPLERS:
        raise SearchError(f"there is no sampler '{sampler}'; choose one of {', '.join(SAMPLERS)}")
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    directory = Path(out)
    _make(directory)
    evaluator = evaluator_for(task, directory, training, _teaching(trials, progress))
    cache = Cache(cache_dir or os.environ.get("CANAO_CACHE_DIR"))
    device = {
        "target": target,
        "sequence": sequence,
        "batch": batch,
        "threads": threads,
        "tune": tune,
    }
    wanted = Configuration(
        space=space or evaluator.space(Target.host().vector_unit, sequence * batch),
        goal=goal or default_goal(budget_ms),
        settings=settings or Settings(seed, phase_one=_phase_one(trials)),
        sampler=sampler,
        task=evaluator.name,
        device=device,
    )
    place = open_storage(storage or f"sqlite:///{directory / 'study.sqlite'}")
    opened, configuration = open_study(
        place, study, None if worker else _resumed(place, study, wanted), _WORKER_WAITS
    )
    if configuration.task != evaluator.name:
        raise SearchError(
            f"the study '{study}' is for the task '{configuration.task}', not "
            f"'{evaluator.name}'; name its task, or another --study"
        )
    opened.sampler = make_sampler(
        configuration.sampler,
        configuration.space,
        configuration.goal,
        configuration.settings,
        len(opened.get_trials(deepcopy=False)),
    )
    measured = meter or DeviceLatency(
        cache, **configuration.device, time_limit=time_limit, memory_bytes=memory_bytes
    )
    loop = _Loop(opened, place, configuration, trials, progress)
    runner = TrialRunner(
        study=opened,
        configuration=configuration,
        evaluator=evaluator,
        meter=measured,
        pruner=HalvingPruner(configuration.goal, evaluator.fidelities),
        trials=trials,
        directory=directory / "candidates",
        locks=cache.root / "locks",
        device=f"device-{configuration.device['target']}",
        say=loop.say,
        recover=loop.recover,
    )
    loop.run(runner)
    if worker:
        return loop.result(directory)
    loop.wait_for_others(runner)
    loop.say("measuring the finalists again")
    measure_again(opened, configuration, measured, finalists)
    result = loop.result(directory)
    loop.say("training the best to the end, writing the report")
    if isinstance(opened.sampler, CanaoSampler):
        opened.sampler.catch_up(opened)
    facts = write_output(result, configuration, evaluator, measured, cache)
    return replace(result, facts=facts)


def _teaching(
    trials: int, progress: Callable[[Progress], None] | None
) -> Callable[[str, int, int], None] | None:
    """Tells how far a training is that belongs to no trial."""
    if progress is None:
        return None
    return lambda title, done, total: progress(
        Progress(f"{title}: {done} of {total}", trials, 0, 0, 0, 0, None)
    )


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SearchError(
            f"{directory} cannot be made ({error.strerror}); name another --out"
        ) from error


def _phase_one(trials: int) -> int:
    return max(4, round(_PHASE_ONE_SHARE * trials))


def _resumed(storage: RDBStorage, name: str, wanted: Configuration) -> Configuration:
    """What is asked for, with the length of phase one that the study began with.

    It follows from the number of trials, and that may grow.
    """
    with suppress(KeyError, SearchError):
        known = optuna.load_study(study_name=name, storage=storage)
        found = Configuration.from_mapping(known.user_attrs.get(CONFIGURATION))
        settings = replace(wanted.settings, phase_one=found.settings.phase_one)
        return replace(wanted, settings=settings)
    return wanted


@dataclass
class _Loop:
    """Asks for trials until the study has enough of them."""

    study: optuna.Study
    storage: RDBStorage
    configuration: Configuration
    trials: int
    progress: Callable[[Progress], None] | None

    def run(self, runner: TrialRunner) -> None:
        """Run trials until no more are needed that no other worker runs."""
        failures = 0
        while True:
            self.recover()
            if ended(self.study) + self._running() >= self.trials:
                return
            self.say("choosing a candidate")
            self._one(runner)
            last = self._mine(runner)
            failed = last is not None and last.state is TrialState.FAIL and counts(last)
            failures = failures + 1 if failed else 0
            if failures >= _FAILURES_IN_A_ROW and last is not None:
                raise SearchError(
                    f"the last {failures} candidates all failed, the last one because: "
                    f"{last.user_attrs.get(REASON)}; correct that and start the search again, "
                    "it goes on where it was"
                )

    def _one(self, runner: TrialRunner) -> None:
        current: list[optuna.Trial] = []

        def objective(trial: optuna.Trial) -> float | list[float]:
            current.append(trial)
            try:
                return runner(trial)
            except (KeyboardInterrupt, SystemExit):
                frozen = self.storage.get_trial(trial._trial_id)  # pyright: ignore[reportPrivateUsage]
                interrupt(self.study, self.storage, frozen)
                raise

        self.study.optimize(objective, n_trials=1, catch=(CandidateError,))

    def _mine(self, runner: TrialRunner) -> FrozenTrial | None:
        """The trial that this worker ran last."""
        own = [
            t
            for t in self.study.get_trials(deepcopy=False)
            if t.user_attrs.get("worker") == runner.mark
        ]
        return own[-1] if own else None

    def wait_for_others(self, runner: TrialRunner) -> None:
        """Wait until the trials of other workers have ended; run what they leave behind."""
        while under_way(self.study):
            self.say("waiting for other workers")
            self.recover()
            if ended(self.study) + self._running() < self.trials:
                self.run(runner)
            elif not self._running():
                return
            else:
                time.sleep(_POLL_SECONDS)

    def _running(self) -> int:
        return len(self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))

    def recover(self) -> int:
        """Take back the trials of workers that are gone."""
        return recover(self.study, self.storage)

    def say(self, stage: str) -> None:
        """Tell how far the search is."""
        if self.progress is None:
            return
        trials = [t for t in self.study.get_trials(deepcopy=False) if counts(t)]
        by_state = [t.state for t in trials]
        self.progress(
            Progress(
                stage=stage,
                trials=self.trials,
                done=len(trials),
                complete=by_state.count(TrialState.COMPLETE),
                rejected=by_state.count(TrialState.PRUNED),
                failed=by_state.count(TrialState.FAIL),
                best=best_of(self.configuration.goal, candidates(trials, self._space)),
            )
        )

    @property
    def _space(self) -> SearchSpace:
        return self.configuration.space

    def result(self, directory: Path) -> SearchResult:
        """What was found so far."""
        goal = self.configuration.goal
        found = candidates(self.study.get_trials(deepcopy=False), self._space)
        found = with_last_measurements(self.study, found)
        return SearchResult(
            best_of(goal, found), tuple(pareto_front(goal, found)), self.study, directory
        )


def best_of(goal: Goal, found: Sequence[Candidate]) -> Candidate | None:
    """The candidate with the highest reward within the budgets."""
    return max(within(goal, found), key=lambda c: goal.reward(c.values), default=None)
