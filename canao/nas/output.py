"""What a search leaves: `best/` with the found model, and `report.html`."""

from __future__ import annotations

import json
import math
import shutil
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from canao.errors import CandidateError, SearchError
from canao.nas.attributes import Candidate
from canao.nas.evaluator import Evaluator
from canao.nas.latency import Execution, LatencyMeter
from canao.nas.report.page import write_report
from canao.nas.study import Configuration
from canao.runtime.cache import Cache

if TYPE_CHECKING:
    from canao.nas.search import SearchResult

BEST, REPORT, CARD, COMPILED = "best", "report.html", "README.md", "compiled"
_MODEL = "config.json"


def write_output(
    result: SearchResult,
    configuration: Configuration,
    evaluator: Evaluator,
    meter: LatencyMeter,
    cache: Cache,
) -> dict[str, Any]:
    """Write the best model and the report, each in one step; returns the facts of the card."""
    try:
        kernels = _kernels(result.best, meter)
        write_report(result, configuration, kernels, result.directory / REPORT)
        if result.best is not None:
            facts = _latencies(result.best, evaluator, meter)
            return _write_best(result, result.best, configuration, evaluator, kernels, facts, cache)
        return {}
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


def _latencies(best: Candidate, evaluator: Evaluator, meter: LatencyMeter) -> dict[str, Any]:
    """The latency of what the best is compared with, and its own, measured just before."""
    reference = evaluator.reference
    if reference is None:
        return {}
    with suppress(CandidateError):
        return {
            "latency_ms": best.execution.latency_ms,
            "teacher's latency_ms": meter.measure(reference, again=True).latency_ms,
        }
    return {}


def _write_best(
    result: SearchResult,
    best: Candidate,
    configuration: Configuration,
    evaluator: Evaluator,
    kernels: tuple[Mapping[str, Any], ...],
    latencies: Mapping[str, Any],
    cache: Cache,
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
        facts = {**told, **latencies}
        if (new / _MODEL).is_file():
            _compile(new, configuration.device, cache)
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
        (new / CARD).write_text(_card(result, best, configuration, facts), encoding="utf-8")
        final = directory / BEST
        if final.exists():
            final.rename(room / "old")
        new.rename(final)
        return facts
    finally:
        shutil.rmtree(room, ignore_errors=True)


def _compile(directory: Path, device: Mapping[str, Any], cache: Cache) -> None:
    """Compile the model in a directory as candidates were; `canao.load` reads what is saved."""
    from canao.nas.compiling import compile_for
    from canao.nas.training.sized_bert import load_classifier

    compiled = compile_for(load_classifier(directory), device, str(cache.root.parent))
    try:
        compiled.save(directory / COMPILED)
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
        *(f"- {name}: {value:.6g}" for name, value in _known(best.values).items()),
        f"- measured on: {execution.target or 'an unnamed device'}, {execution.threads} threads",
        "",
        "## How it was found",
        "",
        f"Trial {best.number} of {tried} in the study `{result.study.study_name}`: sampler "
        f"`{configuration.sampler}`, seed {configuration.settings.seed}, {goal}.",
        "",
        *(f"- {name}: {_shown(value)}" for name, value in facts.items()),
    ]
    return "\n".join(lines) + "\n"


def _shown(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def execution_rows(execution: Execution) -> dict[str, Any]:
    """An execution for people: what is known of it, without kernels."""
    values = asdict(execution)
    del values["kernels"]
    return _known(values)
