"""Studies: where they are stored, what they were started with, whose trials were left behind."""

from __future__ import annotations

import json
import os
import re
import socket
import time
import warnings
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import filelock
import optuna
import psutil
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy import make_url

from canao.errors import SearchError
from canao.nas.controller.replay import Settings
from canao.nas.space.objectives import Goal
from canao.nas.space.space import SearchSpace
from canao.nas.study.attributes import INTERRUPTED, KEY, LOG_PROBS, RETRY, WORKER, counts

CONFIGURATION = "canao:search"
_HEARTBEAT, _GRACE = 15, 90
"""Seconds between signs of life of a worker, and without one until it is given up."""
_BUSY = 120.0
_ATTEMPTS = 5
_SQLITE = "sqlite:///"
_STORED = ("space", "goal", "settings", "sampler", "task", "device", "training")


@dataclass(frozen=True)
class Configuration:
    """What a study was started with: all its workers must agree on it."""

    space: SearchSpace
    goal: Goal
    settings: Settings
    sampler: str
    task: str
    device: Mapping[str, Any]
    """How candidates are compiled and measured: target, threads, length, batch, tuning."""
    training: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What accuracies follow from (`Evaluator.training`): steps, teacher, examples, recipe."""

    def to_mapping(self) -> dict[str, Any]:
        """The configuration as values that JSON has."""
        return {
            "space": self.space.to_mapping(),
            "goal": self.goal.to_mapping(),
            "settings": asdict(self.settings),
            "sampler": self.sampler,
            "task": self.task,
            "device": dict(self.device),
            "training": json.loads(json.dumps(dict(self.training))),
        }

    @staticmethod
    def from_mapping(found: object) -> Configuration:
        """The configuration that `to_mapping` gave."""
        try:
            values = cast("Mapping[str, Any]", found)
            return Configuration(
                SearchSpace.from_mapping(values["space"]),
                Goal.from_mapping(values["goal"]),
                Settings(**values["settings"]),
                str(values["sampler"]),
                str(values["task"]),
                dict(values["device"]),
                # Studies that were begun before this was kept say nothing of it.
                dict(values.get("training", {})),
            )
        except (TypeError, KeyError, ValueError) as error:
            raise SearchError(f"{found!r} is not the configuration of a search") from error


def open_storage(url: str) -> RDBStorage:
    """The storage at a URL, made if it is new: sqlite:///FILE or postgresql://..."""
    place = _with_driver(url)
    arguments = {"timeout": _BUSY} if place.startswith("sqlite") else {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        for attempt in range(_ATTEMPTS):
            try:
                with _creation_lock(place):
                    return RDBStorage(
                        place,
                        engine_kwargs={"connect_args": arguments, "pool_pre_ping": True},
                        heartbeat_interval=_HEARTBEAT,
                        grace_period=_GRACE,
                    )
            except Exception as error:
                # Two workers may make the tables of a new database at once.
                if attempt + 1 < _ATTEMPTS and "already exists" in str(error):
                    time.sleep(0.2 * (attempt + 1))
                    continue
                reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
                raise SearchError(
                    f"the storage {masked(url)} cannot be opened ({reason}); give "
                    "sqlite:///FILE or postgresql://USER@HOST/DATABASE"
                ) from error
    raise AssertionError("unreachable")


def sqlite_url(path: Path) -> str:
    """The URL of a database file, whatever characters its path has."""
    return f"{_SQLITE}{quote(str(path.absolute()))}"


def _with_driver(url: str) -> str:
    """The URL with the PostgreSQL driver that is installed with canao[nas]."""
    return re.sub(r"^postgres(ql)?://", "postgresql+psycopg://", url)


def masked(url: str) -> str:
    """A URL without its password."""
    return re.sub(r"(://[^:/@]*):[^@/]*@", r"\1:***@", url)


def _creation_lock(url: str) -> AbstractContextManager[object]:
    database = make_url(url).database if url.startswith(_SQLITE) else None
    if database is None:
        return nullcontext()
    path = Path(database)
    path.parent.mkdir(parents=True, exist_ok=True)
    return filelock.FileLock(f"{path}.lock")


def open_study(
    storage: RDBStorage, name: str, wanted: Configuration | None, wait: float = 0.0
) -> tuple[optuna.Study, Configuration]:
    """The study of that name with its configuration.

    With `wanted` it is made if there is none, and must have been started with
    the same; without, it must be there within `wait` seconds.
    """
    study = _load_or_create(storage, name, wanted, time.monotonic() + wait)
    if wanted is not None and _is_new(study, wanted):
        study.set_user_attr(CONFIGURATION, wanted.to_mapping())
    found = study.user_attrs.get(CONFIGURATION)
    if found is None:
        raise SearchError(f"the study '{name}' is none of canao's; choose another --study")
    configuration = Configuration.from_mapping(found)
    if wanted is not None:
        check_same(name, configuration, wanted)
    return study, configuration


def _is_new(study: optuna.Study, wanted: Configuration) -> bool:
    """Whether a study was just made: one of somebody else's is never written to."""
    made_alike = [str(d.name).lower() for d in study.directions] == list(wanted.goal.directions)
    return not study.user_attrs and not study.get_trials(deepcopy=False) and made_alike


def _load_or_create(
    storage: RDBStorage, name: str, wanted: Configuration | None, deadline: float
) -> optuna.Study:
    if wanted is not None:
        return optuna.create_study(
            storage=storage,
            study_name=name,
            directions=cast("Any", wanted.goal.directions),
            load_if_exists=True,
        )
    while True:
        with suppress(KeyError):
            study = optuna.load_study(study_name=name, storage=storage)
            if CONFIGURATION in study.user_attrs or time.monotonic() > deadline:
                return study
        if time.monotonic() > deadline:
            raise SearchError(
                f"there is no study '{name}' to work for; start `canao search` without --worker "
                "first"
            )
        time.sleep(0.5)


def check_same(name: str, found: Configuration, wanted: Configuration) -> None:
    """An error that names the first difference, unless a study is what is wanted."""
    was, now = found.to_mapping(), wanted.to_mapping()
    changed = [part for part in _STORED if was[part] != now[part] and was[part] != {}]
    if changed:
        part = changed[0]
        place, before, after = _difference(was[part], now[part])
        raise SearchError(
            f"the study '{name}' was started with another {part} ({place}{_short(before)}, now "
            f"{_short(after)}); choose another --study, or ask for the same"
        )


def _difference(was: object, now: object) -> tuple[str, object, object]:
    """Where two values first differ, and what is there in each."""
    left, right = _parts(was), _parts(now)
    if not left or not right:
        return "", was, now
    name = next(n for n in {**left, **right} if left.get(n) != right.get(n))
    place, before, after = _difference(left.get(name), right.get(name))
    return f"{name} {place}", before, after


def _parts(value: object) -> Mapping[str, object]:
    """The parts of a value that has some; lists of numbers are shown whole."""
    if isinstance(value, Mapping):
        return cast("Mapping[str, object]", value)
    rows = cast("Sequence[object]", value) if isinstance(value, list | tuple) else ()
    if all(isinstance(row, Mapping) for row in rows):
        return {str(number): row for number, row in enumerate(rows)}
    return {}


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 80 else f"{text[:80]}..."


# ------------------------------------------------------------------ trials left behind


def worker_mark() -> dict[str, Any]:
    """The marks of this process, told from all others that ever were."""
    process = psutil.Process()
    return {"host": socket.gethostname(), "pid": os.getpid(), "started": process.create_time()}


def is_alive(mark: Mapping[str, Any]) -> bool | None:
    """Whether the process of a mark runs; None if it is another machine's."""
    if mark.get("host") != socket.gethostname():
        return None
    try:
        started = psutil.Process(int(mark["pid"])).create_time()
    except (psutil.Error, KeyError, ValueError):
        return False
    return abs(started - float(mark.get("started", 0.0))) < 1.0


def recover(study: optuna.Study, storage: RDBStorage) -> int:
    """End trials whose worker is gone and queue their candidates again; returns how many.

    A worker of this machine is gone when its process is, one of another machine
    when it gave no sign of life for a while.
    """
    running = study.get_trials(deepcopy=False, states=(TrialState.RUNNING,))
    silent = _silent(study, storage) if running else set[int]()
    count = 0
    for trial in running:
        mark = trial.user_attrs.get(WORKER)
        alive = is_alive(mark) if mark else None
        if alive or (alive is None and trial.number not in silent and not _is_old(trial, mark)):
            continue
        count += interrupt(study, storage, trial)
    return count


def _silent(study: optuna.Study, storage: RDBStorage) -> set[int]:
    """Numbers of running trials without a recent sign of life."""
    stale: Sequence[int] = storage._get_stale_trial_ids(study._study_id)  # pyright: ignore[reportPrivateUsage]
    return {storage.get_trial(number).number for number in stale}


def _is_old(trial: FrozenTrial, mark: object) -> bool:
    """Whether a trial was begun long ago and never marked: its worker ended in between."""
    if mark is not None or trial.datetime_start is None:
        return False
    age = time.time() - trial.datetime_start.timestamp()
    return age > _GRACE


def interrupt(study: optuna.Study, storage: RDBStorage, trial: FrozenTrial) -> bool:
    """End a running trial that counts for nothing, and queue its candidate again."""
    number = trial._trial_id  # pyright: ignore[reportPrivateUsage]
    try:
        storage.set_trial_user_attr(number, INTERRUPTED, True)
        if not storage.set_trial_state_values(number, TrialState.FAIL):
            return False
    except UpdateFinishedTrialError:
        return False  # another worker was quicker, or the trial ended after all
    queue_again(study, trial)
    return True


def queue_again(study: optuna.Study, trial: FrozenTrial) -> None:
    """Let the next worker that is free run a trial's candidate, if it had come to one."""
    if KEY in trial.user_attrs:
        kept = {name: trial.user_attrs[name] for name in (LOG_PROBS,) if name in trial.user_attrs}
        study.enqueue_trial(trial.params, user_attrs={**kept, RETRY: trial.number})


def ended(study: optuna.Study) -> int:
    """Trials that count and have ended."""
    return sum(map(counts, study.get_trials(deepcopy=False)))


def under_way(study: optuna.Study) -> int:
    """Trials that run or wait for a worker."""
    states = (TrialState.RUNNING, TrialState.WAITING)
    return len(study.get_trials(deepcopy=False, states=states))
