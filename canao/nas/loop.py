"""The loop of one worker: trial after trial, until the study has enough or time is over."""

from __future__ import annotations

import time
from dataclasses import dataclass

import optuna
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState

from canao.errors import CandidateError, SearchError
from canao.nas.ending import Ending
from canao.nas.study.attributes import INTERRUPTED, REASON, WORKER, counts, is_void
from canao.nas.study.progress import Narrator
from canao.nas.study.study import ended, queue_again, recover, under_way
from canao.nas.trials import TrialRunner

_FAILURES_IN_A_ROW = 10
_POLL_SECONDS = 0.5


@dataclass
class Loop:
    """Asks for trials until the study has enough of them."""

    study: optuna.Study
    storage: RDBStorage
    runner: TrialRunner
    trials: int
    """How many trials the study shall have."""
    narrator: Narrator
    ending: Ending

    def run(self) -> None:
        """Run trials until no more are needed that no other worker runs, or time is over."""
        failures = 0
        while True:
            self.recover()
            enough = ended(self.study) + self._running() >= self.trials
            if enough or self._is_late():
                return
            self.narrator.say("choosing a candidate")
            self._one()
            last = self._last()
            failed = last is not None and last.state is TrialState.FAIL and counts(last)
            failures = failures + 1 if failed else 0
            if failures >= _FAILURES_IN_A_ROW and last is not None:
                raise SearchError(
                    f"the last {failures} candidates all failed, the last one because: "
                    f"{last.user_attrs.get(REASON)}; correct that and start the search again, "
                    "it goes on where it was"
                )

    def _one(self) -> None:
        """Run one trial; one that is interrupted is queued again."""
        begun: list[optuna.Trial] = []
        stops: list[BaseException] = []

        def objective(trial: optuna.Trial) -> float | list[float]:
            begun.append(trial)
            self.narrator.trial = trial.number
            try:
                return self.runner(trial)
            except (KeyboardInterrupt, SystemExit) as stop:
                stops.append(stop)
                trial.set_user_attr(INTERRUPTED, True)
                raise CandidateError("it was interrupted") from stop
            finally:
                self.narrator.trial = None

        try:
            self.study.optimize(objective, n_trials=1, catch=(CandidateError,))
        except ValueError:
            # Optuna's word for a trial that another worker gave up meanwhile, because this one
            # was silent for long: its candidate is queued again.
            if not begun or not is_void(self._stored(begun[0])):
                raise
        if stops:
            queue_again(self.study, self._stored(begun[0]))
            raise stops[0]

    def _stored(self, trial: optuna.Trial) -> FrozenTrial:
        return self.storage.get_trial(trial._trial_id)  # pyright: ignore[reportPrivateUsage]

    def _is_late(self) -> bool:
        """Whether a trial as long as the longest so far would leave too little for the ending.

        A search goes on until it has something to show: one complete candidate.
        """
        left = self.narrator.seconds_left
        if left is None or self.ending.of_a_trial + self.ending.seconds < left:
            return False
        trials = self.study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
        return any(map(counts, trials))

    def _own(self) -> list[FrozenTrial]:
        """The trials that this worker ran."""
        trials = self.study.get_trials(deepcopy=False)
        return [t for t in trials if t.user_attrs.get(WORKER) == self.runner.mark]

    def _last(self) -> FrozenTrial | None:
        own = self._own()
        return own[-1] if own else None

    def wait_for_others(self) -> None:
        """Wait until the trials of other workers have ended; run what they leave behind."""
        while under_way(self.study):
            self.narrator.say("waiting for other workers")
            self.recover()
            wanted = ended(self.study) + self._running() < self.trials
            if wanted and not self._is_late():
                self.run()
            elif not self._running():
                return
            else:
                time.sleep(_POLL_SECONDS)

    def _running(self) -> int:
        return len(self.study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)))

    def recover(self) -> int:
        """Take back the trials of workers that are gone."""
        return recover(self.study, self.storage)
