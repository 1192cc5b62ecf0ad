"""Checks the winners of the tuning database against the machine as it is now."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum

from xdsl.context import Context

from canao.devices.device import cost_text
from canao.lowering.choose.layer_task import LayerTask, choose_by_model
from canao.lowering.choose.lengths import Probe
from canao.lowering.lower_canao_to_affine import ModuleLowering
from canao.lowering.schedules.schedule import Schedule
from canao.lowering.standalone import noted_sizes
from canao.runtime.parse import parse_module
from canao.transforms.outline_weights import OutlineWeightsPass
from canao.tuning.database import Measurement, Outcome, Record, TuningKey
from canao.tuning.question import Question, layer_digest
from canao.tuning.tuner import Tuner
from canao.tuning.tuning_file import parse_schedule

DRIFT = 1.15
"""A winner this many times slower than another schedule is one no more."""
_RIVALS = 2
"""Schedules that a winner is measured against."""
_FAILED = (Outcome.crashed, Outcome.timeout, Outcome.wrong, Outcome.illegal)
_SAME_MACHINE = ("triple", "cpu", "features", "device", "unit")
_SAME_CODE = ("toolchain", "lowering")


class Standing(StrEnum):
    """What became of a winner."""

    sound = "sound"
    drifted = "drifted"
    """Another schedule is faster now."""
    failed = "failed"
    """It cannot be built, is illegal, crashes, or is not of the layer it claims."""
    stale = "stale"
    """Another compiler or another canao made it: it is not used."""
    elsewhere = "elsewhere"
    """It is of another processor or device and was not checked."""
    unfinished = "unfinished"
    """The search was stopped; the next one goes on from there."""


@dataclass(frozen=True)
class Verdict:
    """A record and what became of its winner."""

    record: Record
    standing: Standing
    detail: str = ""


def validate(tuner: Tuner, progress: Callable[[str], None] = lambda text: None) -> list[Verdict]:
    """Build, prove and measure every winner that this machine would use."""
    verdicts: list[Verdict] = []
    for record in tuner.database.records():
        progress(f"validating {record.ops}")
        verdicts.append(_judge(tuner, record))
    return verdicts


def _judge(tuner: Tuner, record: Record) -> Verdict:
    found: list[Verdict] = []

    def check(task: LayerTask) -> tuple[Schedule, tuple[str, ...]]:
        found.append(_check(tuner, record, task, sizes))
        return choose_by_model(task)

    here = tuner.environment(record.key.threads)
    if _differ(record.key, here, _SAME_MACHINE):
        return Verdict(record, Standing.elsewhere, record.key.cpu)
    if _differ(record.key, here, _SAME_CODE):
        return Verdict(record, Standing.stale)
    if not record.winner:
        return Verdict(record, Standing.unfinished)
    try:
        module = parse_module(record.module)
        module.verify()
        sizes = noted_sizes(module)
        OutlineWeightsPass().apply(Context(), module)
        ModuleLowering(tuner.target.vector_unit, record.key.threads, check).run(module)
    except Exception as error:
        # The text may come from a file: whatever it does to the passes, it is not usable.
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        return Verdict(record, Standing.failed, first)
    return found[0] if len(found) == 1 else Verdict(record, Standing.failed, "not one layer")


def _differ(one: TuningKey, other: TuningKey, names: tuple[str, ...]) -> bool:
    return any(getattr(one, name) != getattr(other, name) for name in names)


def _check(tuner: Tuner, record: Record, task: LayerTask, sizes: Mapping[str, int]) -> Verdict:
    if layer_digest(task, sizes) != record.key.layer:
        return Verdict(record, Standing.failed, "its module is not the layer that it names")
    question = Question(task, Probe(tuple(sorted(sizes.items())), 0) if sizes else None)
    candidates = {schedule.to_json() for schedule in tuner.candidates(task)}
    if record.winner not in candidates:
        return Verdict(record, Standing.failed, "its winner is no schedule of this layer")
    verdict = _race(tuner, record, question)
    # A neighbour's noise seldom strikes the same schedule twice.
    return _race(tuner, record, question) if verdict.standing is Standing.drifted else verdict


def _race(tuner: Tuner, record: Record, question: Question) -> Verdict:
    """Measure the winner against its rivals."""
    measured: dict[str, Measurement] = {}
    schedules = _field(record, question.task)
    tuner.race(question, schedules, lambda m: measured.update({m.schedule: m}))
    winner = measured[record.winner]
    if winner.outcome in _FAILED:
        return Verdict(record, Standing.failed, f"{winner.outcome}: {winner.reason}")
    timed = [m for m in measured.values() if m.cost is not None]
    fastest = min(timed, key=lambda m: m.cost or 0.0)
    unit = record.key.unit
    found = cost_text(winner.cost, unit)
    if winner.cost and fastest.cost and winner.cost > DRIFT * fastest.cost:
        rival = f"{fastest.name} {cost_text(fastest.cost, unit)}"
        return Verdict(record, Standing.drifted, f"{winner.name} {found}, {rival}")
    return Verdict(record, Standing.sound, found)


def _field(record: Record, task: LayerTask) -> list[Schedule]:
    """The winner, the cost model's choice and the runners-up."""
    finished = [m for m in record.measurements if m.outcome is Outcome.ok]
    finished.sort(key=lambda m: m.cost or 0.0)
    rivals = [m.schedule for m in finished if m.schedule != record.winner][:_RIVALS]
    texts = [record.winner, choose_by_model(task)[0].to_json(), *rivals]
    return [parse_schedule(text) for text in dict.fromkeys(texts)]
