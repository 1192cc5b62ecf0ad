"""What the page tells of a compiled model: counts at once, times when they are asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import BaseModel

from canao.apps.demo.schemas import MAX_CONTEXT, MAX_NEW_TOKENS, MAX_PROMPT, MAX_QUESTION
from canao.report.execution_report import bound_by, counted

if TYPE_CHECKING:
    from canao.compiled_model import CompiledModel

_RUNS = 20


class ModelFacts(BaseModel):
    """A compiled model before and after fusion."""

    name: str
    layers_before: int
    layers_after: int
    computations_before: int
    computations_after: int
    laws: dict[str, int]
    """Laws that were used, and how often."""
    threads: int
    target: str
    compiler: str


class Limits(BaseModel):
    """The longest texts, in characters, and the most tokens."""

    context: int = MAX_CONTEXT
    question: int = MAX_QUESTION
    prompt: int = MAX_PROMPT
    new_tokens: int = MAX_NEW_TOKENS


class Facts(BaseModel):
    """What can be asked, and the model of each task."""

    limits: Limits
    models: dict[str, ModelFacts]


class KernelTime(BaseModel):
    """A kernel inside the running model."""

    name: str
    operators: str
    schedule: str
    calls: int
    ms: float
    share: float
    bound_by: str


class KernelTimes(BaseModel):
    """The kernels of a model, those that take longest first, at some sizes."""

    sizes: dict[str, int]
    kernels_ms: float
    latency_ms: float
    runs: int
    kernels: list[KernelTime]


def model_facts(name: str, model: CompiledModel) -> ModelFacts:
    """What is known without running a model."""
    program, counts = model.program, model.program.counts
    return ModelFacts(
        name=name,
        layers_before=counts.layers_before,
        layers_after=counts.layers_after,
        computations_before=counts.computations_before,
        computations_after=counts.computations_after,
        laws={rewrite.law: rewrite.count for rewrite in program.rewrites},
        threads=model.threads,
        target=model.build.target.title,
        compiler=model.build.compiler,
    )


def kernel_times(model: CompiledModel, sizes: Mapping[str, int]) -> KernelTimes:
    """The profile of a model; of `sizes` those count that it lets vary, up to its limits."""
    varies = [symbol for symbol in model.program.symbols if symbol.name in sizes]
    found = {symbol.name: min(sizes[symbol.name], symbol.high) for symbol in varies}
    profile = model.profile(sizes=found, runs=_RUNS, warmup=3)
    return KernelTimes(
        sizes=dict(profile.sizes),
        kernels_ms=profile.kernels_ms,
        latency_ms=profile.latency_ms,
        runs=profile.runs,
        kernels=[
            KernelTime(
                name=row.name,
                operators=counted([name.rpartition(".")[2] for name in row.ops]),
                schedule=row.variant,
                calls=row.calls,
                ms=row.ms,
                share=row.share,
                bound_by=bound_by(row),
            )
            for row in profile.kernels
        ],
    )
