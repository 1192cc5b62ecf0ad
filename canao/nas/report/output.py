"""What a search leaves: `best/` with the found model, and `report.html`."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from canao.building.cache import Cache
from canao.errors import CandidateError, SearchError
from canao.nas.evaluator import Evaluator
from canao.nas.measuring.device import program_device
from canao.nas.measuring.device_lock import training
from canao.nas.measuring.latency import LatencyMeter, locks_in
from canao.nas.report.facts import ENDING, MISSED_TIME
from canao.nas.report.page import write_report
from canao.nas.study.attributes import Candidate
from canao.nas.study.progress import Narrator
from canao.nas.study.study import Configuration

if TYPE_CHECKING:
    from canao.nas.study.result import SearchResult

BEST, REPORT, CARD, COMPILED = "best", "report.html", "README.md", "compiled"
PROGRAM = "program"
"""The exported program, where candidates were measured on a device that runs programs."""
_MODEL = "config.json"
_USE = (
    "```python",
    "import canao",
    "",
    f'model = canao.load("{COMPILED}")  # input_ids, attention_mask, token_type_ids of one shape',
    "```",
)


def write_output(
    result: SearchResult,
    configuration: Configuration,
    evaluator: Evaluator,
    meter: LatencyMeter,
    cache: Cache,
    narrator: Narrator,
) -> SearchResult:
    """Write the best model and the report, each in one step; returns the result with its facts.

    The report is written before the last training too: should that fail, what
    was found is there.
    """
    report = result.directory / REPORT
    try:
        kernels = _kernels(result.best, meter)
        write_report(replace(result, facts={}), configuration, kernels, report)
        if result.best is None:
            return result
        with training(locks_in(cache)):
            facts = _write_best(
                result, result.best, configuration, evaluator, kernels, cache, narrator
            )
        result = replace(result, facts=facts)
        write_report(result, configuration, kernels, report)
        return result
    except CandidateError as error:
        raise SearchError(
            f"the best candidate could not be made to the end: {error}; what was found is in "
            f"{report}, and the same search, started again, tries only this again"
        ) from error
    except OSError as error:
        raise SearchError(
            f"the results cannot be written to {result.directory} ({error.strerror}); correct that "
            "and start the search again: its trials are kept"
        ) from error


def _kernels(best: Candidate | None, meter: LatencyMeter) -> tuple[Mapping[str, Any], ...]:
    """The kernels of the best, from memory; none if it is measured no more."""
    if best is None:
        return ()
    if best.execution.kernels:
        return best.execution.kernels
    with suppress(CandidateError):
        return meter.measure(best.architecture).kernels
    return ()


def _write_best(
    result: SearchResult,
    best: Candidate,
    configuration: Configuration,
    evaluator: Evaluator,
    kernels: tuple[Mapping[str, Any], ...],
    cache: Cache,
    narrator: Narrator,
) -> dict[str, Any]:
    """Make the directory beside its place, then put it there by renaming."""
    directory = result.directory
    room = Path(tempfile.mkdtemp(prefix=".best-", dir=directory))
    try:
        new = room / BEST
        new.mkdir()
        told = evaluator.finish(
            best.architecture,
            seed=configuration.settings.seed,
            directory=directory / "candidates" / best.architecture.key,
            out=new,
        )
        scores: Mapping[str, Any] = {}
        if (new / _MODEL).is_file():
            _compile(new, configuration.device, cache)
            scores = evaluator.compare(new, configuration.device, cache.root.parent)
        narrator.end_of(ENDING)
        facts = {**told, **scores, **result.facts}
        if narrator.overrun:
            facts[MISSED_TIME] = narrator.overrun
        found = {
            "architecture": json.loads(best.architecture.to_json()),
            "trial": best.number,
            "values": _known(best.values),
            "execution": _known(best.execution.attributes()),
            "kernels": list(kernels),
            "facts": facts,
            "search": configuration.to_mapping() | {"study": result.study.study_name},
        }
        (new / "found.json").write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
        (new / "architecture.json").write_text(best.architecture.to_json() + "\n", encoding="utf-8")
        contents = {path.name for path in new.iterdir()}
        card = _card(result, best, configuration, facts, contents)
        (new / CARD).write_text(card, encoding="utf-8")
        final = directory / BEST
        if final.exists():
            final.rename(room / "old")
        new.rename(final)
        return facts
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _compile(directory: Path, device: Mapping[str, Any], cache: Cache) -> None:
    """Compile the model in a directory as candidates were; `canao.load` reads what is saved.

    Of one for a device that runs programs the program is written, as C.
    """
    from canao.nas.measuring.compiling import compile_for
    from canao.nas.models.sized_bert import load_model
    from canao.nas.training.fit.trainer import silence

    silence()
    compiled = compile_for(load_model(directory), device, str(cache.root.parent))
    try:
        if program_device(device) is None:
            compiled.save(directory / COMPILED)
        else:
            compiled.export(directory / PROGRAM)
    finally:
        compiled.close()


def _known(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values that JSON has: NaN is none."""
    return {n: v for n, v in values.items() if not (isinstance(v, float) and math.isnan(v))}


def _card(
    result: SearchResult,
    best: Candidate,
    configuration: Configuration,
    facts: Mapping[str, Any],
    contents: Collection[str],
) -> str:
    """The model card: what the model is and how it was found."""
    execution, architecture = best.execution, best.architecture
    goal = "a Pareto front" if configuration.goal.pareto else "one reward"
    tried = len(result.study.get_trials(deepcopy=False))
    sizes = ", ".join(map(str, architecture.intermediate_sizes))
    lines = [
        f"# A BERT for {configuration.task}, found by canao",
        "",
        f"- blocks: {architecture.num_blocks}",
        f"- hidden size: {architecture.hidden_size} ({architecture.num_heads} heads)",
        f"- intermediate sizes: {sizes}",
        *(
            f"- {name}: {value:.6g}"
            for name, value in _known(best.values).items()
            if name not in facts
        ),
        f"- measured on: {execution.target or 'an unnamed device'}, {execution.threads} threads",
        "",
        "## How it was found",
        "",
        f"Trial {best.number} of {tried} in the study `{result.study.study_name}`: sampler "
        f"`{configuration.sampler}`, seed {configuration.settings.seed}, {goal}.",
        "",
        *(f"- {name}: {_shown(value)}" for name, value in facts.items()),
        *(f"- {name}: {_shown(value)}" for name, value in _trained_with(configuration)),
    ]
    if COMPILED in contents:
        lines += ["", "## How it is used", "", *_USE]
    if PROGRAM in contents:
        lines += ["", "## How it is used", "", f"`{PROGRAM}/README.md` says how to build and run."]
    return "\n".join(lines) + "\n"


def _trained_with(configuration: Configuration) -> list[tuple[str, object]]:
    """What candidates were trained with, for people."""
    names = {"steps": "steps of each rung", "teacher_epochs": "epochs of the teacher"}
    return [(names[n], v) for n, v in configuration.training.items() if n in names]


def _shown(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
