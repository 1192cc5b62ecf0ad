"""A compiled model of an imported one: lowered, built, tried, its number of threads chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from canao.building.programs import Lowered
from canao.building.prune import prune_if_due
from canao.building.ready import build_program, try_program
from canao.built import Build
from canao.compiled_model import CompiledModel
from canao.compiling.import_source import Imported, flat_examples, import_source
from canao.compiling.lower_program import lower_program, named_inputs
from canao.compiling.options import Options, compiler_named
from canao.frontend.auto_shapes import DynamicShapes
from canao.machine.target import available_cores, target_threads
from canao.measuring.stopwatch import Stopwatch
from canao.report.product_errors import measure_errors
from canao.runtime.module import Array
from canao.runtime.weights import prepare_weights
from canao.tuning.choose_threads import (
    ASKED,
    CORES,
    MOST,
    TABLE,
    UNITS,
    Candidate,
    ThreadChoice,
    best_times,
    choose_threads,
)

if TYPE_CHECKING:
    from canao.compiling.import_source import ExampleInputs, Model


def compile_model(
    model: Model,
    example_inputs: ExampleInputs | None,
    dynamic_shapes: DynamicShapes,
    options: Options,
    watch: Stopwatch,
) -> CompiledModel:
    """The pipeline: import, lower, build, try, choose the number of threads."""
    imported = import_source(model, example_inputs, dynamic_shapes, watch)
    examples = flat_examples(example_inputs, imported)
    ir: dict[int, Mapping[str, str]] = {}

    def make(threads: int) -> Candidate:
        lowered = lower_program(imported, options, threads, watch)
        ir[threads] = lowered.ir
        return _built(lowered, imported, examples, options, watch)

    chosen, choice = _choose(make, examples, options, watch)
    build = Build(
        target=options.target,
        compiler=options.compiler.version,
        library=chosen.library.path,
        cc=compiler_named(),
        cache_dir=options.cache.directory,
        seconds=watch.seconds,
        ir=ir[chosen.program.threads],
        threads=choice,
    )
    module = chosen.module(choice.threads)
    prune_if_due(options.cache)
    return CompiledModel(
        chosen.program, module, imported.convention, build, examples, state=imported.state
    )


def _built(
    lowered: Lowered,
    imported: Imported,
    examples: Sequence[Array],
    options: Options,
    watch: Stopwatch,
) -> Candidate:
    """A lowered program made ready to run."""
    program = named_inputs(lowered.program, imported.convention)
    with watch.stage("build"):
        library = build_program(
            program,
            options.compiler,
            options.target,
            options.cache,
            examples,
            workers=available_cores(),
        )
    with watch.stage("first run"):
        try_program(library, program, options.target, options.cache, examples)
    with watch.stage("weights"):
        weights = prepare_weights(program, imported.weights)
    if program.fast_products:
        with watch.stage("errors"):
            products = measure_errors(program.fast_products, imported.weights)
            program = replace(program, fast_products=products)
    return Candidate(program, library, weights, options.target)


def _choose(
    make: Callable[[int], Candidate],
    examples: Sequence[Array],
    options: Options,
    watch: Stopwatch,
) -> tuple[Candidate, ThreadChoice]:
    """The program for the number of threads that was asked for, or else for the fastest."""
    if options.target.device is not None:
        units = options.target.device.units
        return make(units), ThreadChoice(units, UNITS)
    if options.threads is not None:
        return make(options.threads), ThreadChoice(options.threads, ASKED)
    if options.device is not None and options.device.most_threads is not None:
        count = options.device.most_threads
        return make(count), ThreadChoice(count, MOST)
    if options.is_measured_elsewhere:
        count = target_threads(options.target)
        return make(count), ThreadChoice(count, TABLE)
    cores = available_cores()
    if options.tune == "off":
        return make(cores), ThreadChoice(cores, CORES)
    measured = best_times(examples)

    def timer(candidate: Candidate, counts: Sequence[int]) -> Mapping[int, float]:
        with watch.stage("choosing threads"):
            return measured(candidate, counts)

    return choose_threads(make, cores, options.cache, timer)
