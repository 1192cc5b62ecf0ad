"""The search: candidates are proposed, compiled, measured and trained, until enough were."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import optuna

from canao.building.cache import Cache
from canao.errors import CandidateError, SearchError
from canao.nas.controller.replay import Settings
from canao.nas.ending import Ending
from canao.nas.evaluator import Evaluator, evaluator_for
from canao.nas.loop import Loop
from canao.nas.measuring.beside import beside
from canao.nas.measuring.device import cost_of, device_options, target_of
from canao.nas.measuring.device_lock import training as training_on
from canao.nas.measuring.latency import DeviceLatency, LatencyMeter, locks_in, measure_with
from canao.nas.report.facts import MISSED_SPEED, MISSED_STEPS, PREPARING, TRIALS
from canao.nas.report.output import write_output
from canao.nas.space.objectives import COSTS, Goal, default_goal
from canao.nas.space.space import SearchSpace
from canao.nas.study.attributes import candidates, pareto_front
from canao.nas.study.finalists import chosen, measure_again, with_last_measurements
from canao.nas.study.halving import HalvingPruner
from canao.nas.study.progress import Narrator, Progress
from canao.nas.study.result import SearchResult
from canao.nas.study.sampler import SAMPLERS, CanaoSampler, make_sampler
from canao.nas.study.study import (
    CONFIGURATION,
    Configuration,
    check_same,
    open_storage,
    open_study,
    recover,
    sqlite_url,
)
from canao.nas.training.task_options import TaskOptions
from canao.nas.trials import TrialRunner

if TYPE_CHECKING:
    from optuna.storages import RDBStorage

_PHASE_ONE_SHARE = 0.2
_WORKER_WAITS = 60.0
"""Seconds that a worker waits for the study it shall work for."""


def search(
    task: str | Path | Evaluator,
    *,
    target: str = "c",
    device: str | None = None,
    budget_ms: float | None = None,
    speedup: float | None = None,
    trials: int = 50,
    time_budget: float | None = None,
    study: str = "canao",
    storage: str | None = None,
    sampler: Literal["canao", "tpe", "nsgaii", "random"] | str = "canao",
    seed: int = 0,
    out: str | os.PathLike[str] = "canao-search",
    goal: Goal | None = None,
    space: SearchSpace | None = None,
    settings: Settings | None = None,
    training: TaskOptions | None = None,
    threads: int | None = None,
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
    rejected before they are trained; `speedup` makes it what the teacher takes,
    divided by that. With either there is one reward of accuracy and latency,
    without a Pareto front, unless `goal` says otherwise. `trials` is how many
    the study shall have when the search ends, those that it has already
    included: a search that was stopped goes on where it was. `time_budget` is
    what the whole search may take, in seconds: no trial is begun that would
    leave too little for the ending, and the last training has fewer steps if
    the time left allows no more. It is exceeded only until there is something
    to show, one complete candidate made to the end; a fact says so then.
    `study` and `storage` (sqlite in `out`, or postgresql://...) name where
    trials are kept; any number of workers (`worker=True`) may share them.
    Candidates are compiled for `target` ("c" or "opencl", then for `device`, by
    number, kind or name; with "c" a `device` such as "ssh:phone", "adb:SERIAL" or
    "qemu:aarch64" is what runs them: see docs/devices.md), `threads` (one if left out),
    `sequence`, `batch` with `tune`; each has `time_limit` seconds and `memory_bytes` for that.
    `finalists` are measured again before the last training, in turns with the
    teacher: one that misses its budget there is replaced by the next. The
    report and the best model are written to `out`.
    """
    _check(trials, sampler, time_budget)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    options = None
    cache = Cache(cache_dir or os.environ.get("CANAO_CACHE_DIR"))
    if not worker:
        options = device_options(
            target,
            device,
            threads=threads,
            sequence=sequence,
            batch=batch,
            tune=tune,
            cache=cache,
        )
        cost = cost_of(target, device)
        goal = goal or default_goal(budget_ms, speedup=speedup, cost=cost)
        _check_cost(goal, cost)
    directory = Path(out)
    _make(directory)
    narrator = Narrator(trials, progress, time_budget)
    teller = None if progress is None else narrator.step

    def evaluator_of(options: TaskOptions) -> Evaluator:
        return evaluator_for(task, directory, options, teller)

    def meter_for(options: Mapping[str, Any]) -> LatencyMeter:
        limits: dict[str, Any] = {"time_limit": time_limit, "memory_bytes": memory_bytes}
        return meter or DeviceLatency(cache, **options, **limits)

    def configuration_of(evaluator: Evaluator, known: Configuration | None) -> Configuration:
        assert options is not None
        assert goal is not None
        unit = target_of(options).vector_unit
        wanted = Configuration(
            space=space or evaluator.space(unit, sequence * batch),
            goal=goal,
            settings=settings or Settings(seed, phase_one=_phase_one(trials)),
            sampler=sampler,
            task=evaluator.name,
            device=options,
            training=evaluator.training,
        )
        return _settled(wanted, known, evaluator, meter_for(options), narrator.say)

    url = storage or sqlite_url(directory / "study.sqlite")
    asked = training or TaskOptions()
    if worker:
        opened = _join(url, study, asked, evaluator_of)
    else:
        opened = _begin(url, study, evaluator_of(asked), configuration_of)
    configuration, evaluator = opened.configuration, opened.evaluator
    narrator.study, narrator.configuration = opened.study, configuration
    with training_on(locks_in(cache)):
        evaluator.prepare()
    narrator.end_of(PREPARING)
    opened.study.sampler = make_sampler(
        configuration.sampler,
        configuration.space,
        configuration.goal,
        configuration.settings,
        len(opened.study.get_trials(deepcopy=False)),
    )
    measured = beside(meter_for(configuration.device), configuration.goal, evaluator.reference)
    runner = TrialRunner(
        study=opened.study,
        configuration=configuration,
        evaluator=evaluator,
        meter=measured,
        pruner=HalvingPruner(configuration.goal, evaluator.fidelities),
        trials=trials,
        directory=directory / "candidates",
        locks=locks_in(cache),
        say=narrator.say,
        recover=partial(recover, opened.study, opened.storage),
    )
    ending = Ending(opened.study, configuration.goal, evaluator, measured, runner.mark)
    loop = Loop(opened.study, opened.storage, runner, trials, narrator, ending)
    loop.run()
    if worker:
        return _result(opened, directory)
    loop.wait_for_others()
    narrator.end_of(TRIALS)

    def is_late() -> bool:
        left = narrator.seconds_left
        return left is not None and left < ending.seconds

    narrator.say("measuring the finalists again")
    measure_again(opened.study, configuration, measured, finalists, evaluator.reference, is_late)
    result = _result(opened, directory)
    narrator.say("training the best to the end, writing the report")
    if isinstance(opened.study.sampler, CanaoSampler):
        opened.study.sampler.catch_up(opened.study)
    if result.best is not None:
        evaluator, shortened = ending.fitted(narrator.seconds_left, result.best.number)
        result = result.with_fact(MISSED_STEPS, shortened)
    return write_output(result, configuration, evaluator, measured, cache, narrator)


def _check(trials: int, sampler: str, time_budget: float | None) -> None:
    if trials < 1:
        raise SearchError(f"trials={trials} makes no search; ask for at least 1")
    if time_budget is not None and not time_budget > 0:
        raise SearchError(f"time_budget={time_budget} leaves no time; give seconds above 0")
    if sampler not in SAMPLERS:
        raise SearchError(f"there is no sampler '{sampler}'; choose one of {', '.join(SAMPLERS)}")


def _check_cost(goal: Goal, cost: str) -> None:
    """An error for a goal that asks for what the device does not tell."""
    others = [name for name in goal.names if name in COSTS and name != cost]
    if others:
        raise SearchError(
            f"the goal has {others[0]} and the device tells {cost}; give an objective of that"
        )


def _make(directory: Path) -> None:
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SearchError(
            f"{directory} cannot be made ({error.strerror}); name another --out"
        ) from error


# ------------------------------------------------------------------ making a study


@dataclass(frozen=True)
class _Opened:
    """A study, with what judges its candidates."""

    study: optuna.Study
    storage: RDBStorage
    configuration: Configuration
    evaluator: Evaluator


def _begin(
    url: str,
    name: str,
    evaluator: Evaluator,
    configuration_of: Callable[[Evaluator, Configuration | None], Configuration],
) -> _Opened:
    """A study that is new, or that was begun with the same settings."""
    storage = open_storage(url)
    wanted = configuration_of(evaluator, _known(storage, name))
    study, configuration = open_study(storage, name, wanted)
    return _Opened(study, storage, configuration, evaluator)


def _join(
    url: str, name: str, options: TaskOptions, evaluator_of: Callable[[TaskOptions], Evaluator]
) -> _Opened:
    """A study that was started elsewhere: it says what its workers do."""
    storage = open_storage(url)
    study, configuration = open_study(storage, name, None, _WORKER_WAITS)
    evaluator = evaluator_of(options.of_study(configuration.training))
    check_same(
        name,
        configuration,
        replace(configuration, task=evaluator.name, training=evaluator.training),
    )
    return _Opened(study, storage, configuration, evaluator)


def _known(storage: RDBStorage, name: str) -> Configuration | None:
    """What the study of that name was begun with; None if there is none."""
    with suppress(KeyError, SearchError):
        study = optuna.load_study(study_name=name, storage=storage)
        return Configuration.from_mapping(study.user_attrs.get(CONFIGURATION))
    return None


def _settled(
    wanted: Configuration,
    known: Configuration | None,
    evaluator: Evaluator,
    meter: LatencyMeter,
    say: Callable[[str], None],
) -> Configuration:
    """What is asked for, with all that was settled when the study began.

    That is the length of phase one, which follows from the number of trials, and
    that may grow; and the budget that follows from the latency of the teacher.
    """
    if known is not None:
        settings = replace(wanted.settings, phase_one=known.settings.phase_one)
        wanted = replace(wanted, settings=settings)
        if known.goal.without_budgets() == wanted.goal:
            wanted = replace(wanted, goal=known.goal)
    if not wanted.goal.needs_reference:
        return wanted
    if evaluator.reference is None:
        raise SearchError(f"{wanted.task} has no teacher to be faster than; give a budget")
    say("compiling and measuring the teacher")
    try:
        cost = measure_with(meter, evaluator.reference).cost
    except CandidateError as error:
        raise SearchError(
            f"the teacher cannot be measured ({error}); give a budget in milliseconds instead"
        ) from error
    return replace(wanted, goal=wanted.goal.beside(cost))


def _phase_one(trials: int) -> int:
    return max(4, round(_PHASE_ONE_SHARE * trials))


def _result(opened: _Opened, directory: Path) -> SearchResult:
    """What was found so far."""
    goal, space, study = opened.configuration.goal, opened.configuration.space, opened.study
    found = candidates(study.get_trials(deepcopy=False), space)
    choice = chosen(study, goal, found)
    front = tuple(pareto_front(goal, with_last_measurements(study, goal, found)))
    result = SearchResult(choice.best, front, study, directory, choice.latencies)
    return result.with_fact(MISSED_SPEED, choice.missed)
