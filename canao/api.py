"""Compiling models and loading compiled ones."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from canao.building.programs import Lowered, cached_program, program_key
from canao.building.prune import prune_if_due
from canao.building.ready import build_program, try_program
from canao.built import Build
from canao.collector import old_objects_set_aside
from canao.compiled_model import CompiledModel
from canao.errors import CanaoError, UndecidedError, UnsupportedModelError
from canao.extent import at
from canao.frontend.auto_shapes import DynamicShapes
from canao.frontend.convention import CallConvention, split_example
from canao.frontend.dtypes import computed_dtype
from canao.machine.target import Target, available_cores
from canao.measuring.stopwatch import Progress, Stopwatch
from canao.options import (
    Fusion,
    Options,
    Tune,
    cache_directory,
    check_threads,
    checked_options,
    compiler_named,
)
from canao.program import Program
from canao.report.product_errors import measure_errors
from canao.runtime.module import Array
from canao.runtime.rooms import bind_sizes, in_rooms
from canao.runtime.tensor_file import map_tensors
from canao.runtime.weights import prepare_weights
from canao.saved import load_model
from canao.tuning.choose_threads import (
    ASKED,
    CORES,
    UNITS,
    Candidate,
    ThreadChoice,
    best_times,
    choose_threads,
)

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram
    from xdsl.dialects.builtin import ModuleOp

    from canao.frontend.state import ModelState
    from canao.lowering.choose.layer_task import Chooser, PrepareTasks

    Model = torch.nn.Module | ExportedProgram | Callable[..., Any] | str | Path
    ExampleInputs = tuple[Any, ...] | Mapping[str, Any]


@dataclass(frozen=True)
class _Imported:
    """A model in MLIR with its weights and the way to call it."""

    module: ModuleOp
    text: str
    weights: Mapping[str, Array]
    convention: CallConvention
    state: ModelState | None = None
    """None for a model that came as text."""
    examples: tuple[tuple[Any, ...], Mapping[str, Any]] | None = None
    """The arguments and the named ones that an exported program brings."""


def compile(
    model: Model,
    example_inputs: ExampleInputs | None,
    *,
    target: str | Target = "c",
    threads: int | None = None,
    fusion: Fusion = True,
    tune: Tune = "default",
    dtype: str = "float32",
    dynamic_shapes: DynamicShapes = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> CompiledModel:
    """Compile a model for inputs of the shapes and dtypes of `example_inputs`.

    `model` is a module, a function of tensors, an exported program, or MLIR (a path
    or the text). An exported program has examples of its own, and MLIR needs none:
    give None for them.
    `target` is "c" for this machine, "opencl" for its first OpenCL device, or a
    `Target`, such as `Target.opencl("gpu")`. `threads` is obeyed; if it is
    left out, the fastest number of threads is found by measuring, or, with
    `tune="off"`, is that of the physical cores available. `fusion` is True,
    False, "exact" (laws that keep every rounding) or "fast" (also the law that
    trades a stated error for speed: large products with weights are computed as
    seven of half the size; `report.fast_products` has the errors of each).
    `dtype` is "float32" or, for OpenCL, a type of `STORAGE_TYPES` such as "float16": then
    weights and what lies between layers are stored so, and computed with in float32.
    `dynamic_shapes` says which dimensions of the inputs vary from call to call, as
    `torch.export.export` takes it (`torch.export.Dim` with a maximum); "auto" takes batch and
    sequence of inputs as models of transformers have them, `canao.AutoShapes` the same up to
    given sizes. One compiled model then serves every size.
    `tune` says how many schedules of a layer are measured: "off" takes those
    that a cost model likes best, the same every time; "default" measures a few,
    "full" many. Winners are remembered. Code is kept in `cache_dir`,
    or CANAO_CACHE_DIR, or the user's cache directory; the variable CC names
    another compiler. `progress` is called with the name of each stage.
    """
    options = checked_options(target, threads, fusion, tune, dtype, cache_dir)
    watch = Stopwatch(progress)
    try:
        with old_objects_set_aside():
            return _compiled(model, example_inputs, dynamic_shapes, options, watch)
    except UndecidedError as error:
        raise UnsupportedModelError(
            f"the model cannot run for all sizes that are asked for: {error}; name fewer "
            "dimensions in dynamic_shapes, or compile for fixed shapes"
        ) from error


def _compiled(
    model: Model,
    example_inputs: ExampleInputs | None,
    dynamic_shapes: DynamicShapes,
    options: Options,
    watch: Stopwatch,
) -> CompiledModel:
    """The pipeline: import, lower, build, try, choose the number of threads."""
    imported = _import(model, example_inputs, dynamic_shapes, watch)
    examples = _examples(example_inputs, imported)
    ir: dict[int, Mapping[str, str]] = {}

    def make(threads: int) -> Candidate:
        lowered = _lower(imported, options, threads, watch)
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
    imported: _Imported,
    examples: Sequence[Array],
    options: Options,
    watch: Stopwatch,
) -> Candidate:
    """A lowered program made ready to run."""
    program = _named(lowered.program, imported.convention)
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
        try_program(library, program, options.cache, examples)
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
    cores = available_cores()
    if options.tune == "off":
        return make(cores), ThreadChoice(cores, CORES)
    measured = best_times(examples)

    def timer(candidate: Candidate, counts: Sequence[int]) -> Mapping[int, float]:
        with watch.stage("choosing threads"):
            return measured(candidate, counts)

    return choose_threads(make, cores, options.cache, timer)


def load(path: str | os.PathLike[str], *, threads: int | None = None) -> CompiledModel:
    """The compiled model that `CompiledModel.save` wrote to a directory.

    It runs with as many threads as it was compiled for, unless `threads` says
    otherwise. It is compiled again from its C text if this processor lacks
    what its library needs.
    """
    if threads is not None:
        check_threads(threads)
    parts = load_model(
        Path(path), threads=threads, cc=compiler_named(), cache_dir=cache_directory()
    )
    return CompiledModel.opened(parts)


def _import(
    model: Model,
    example_inputs: ExampleInputs | None,
    dynamic_shapes: DynamicShapes,
    watch: Stopwatch,
) -> _Imported:
    """The model in MLIR, from whatever form it has."""
    if isinstance(model, str | Path):
        if dynamic_shapes is not None:
            raise CanaoError(
                "a module in MLIR says itself which dimensions vary (#canao.extents); leave "
                "dynamic_shapes out"
            )
        with watch.stage("import"):
            return _import_mlir(model)
    watch.announce("export")
    from canao.frontend.torch_import import import_model

    found = import_model(model, example_inputs, dynamic_shapes)
    watch.seconds |= {"export": found.export_seconds, "import": found.import_seconds}
    text = str(found.module)
    return _Imported(
        found.module, text, found.weights, found.convention, found.state, found.examples
    )


def _import_mlir(model: str | Path) -> _Imported:
    """A module from text; its weights are in the safetensors file beside a `.mlir` file."""
    from canao.frontend.imported import convention_of, parse_mlir

    module = parse_mlir(model)
    data = Path(model).with_suffix(".safetensors") if _is_path(model) else None
    weights = map_tensors(data) if data and data.exists() else {}
    return _Imported(module, str(module), weights, convention_of(module))


def _is_path(model: str | Path) -> bool:
    return isinstance(model, Path) or ("\n" not in model and model.endswith(".mlir"))


def _lower(imported: _Imported, options: Options, threads: int, watch: Stopwatch) -> Lowered:
    """The program of a model, from the cache if it was lowered before."""
    from canao.lowering.choose.layer_task import choose_by_model, prepare_nothing
    from canao.tuning.tuner import Tuner

    chosen: dict[str, object] = {
        "threads": threads,
        "fusion": options.fusion,
        "tune": options.tune,
        "dtype": options.dtype,
    }
    if options.tune == "off":
        return _lower_by(
            choose_by_model, prepare_nothing, imported, options, chosen, threads, watch
        )
    with closing(
        Tuner(
            options.compiler,
            options.target,
            options.cache,
            options.tune,
            watch.progress,
            dtype=options.dtype,
        )
    ) as tuner:
        # Programs made before a winner was replaced are made again.
        chosen["winners"] = tuner.database.changes()
        lowered = _lower_by(
            tuner.chooser, tuner.prepare_tasks, imported, options, chosen, threads, watch
        )
    if tuner.seconds:
        watch.add("tuning", tuner.seconds)
        watch.add("affine", -tuner.seconds)
    return lowered


def _lower_by(
    chooser: Chooser,
    prepare_tasks: PrepareTasks,
    imported: _Imported,
    options: Options,
    chosen: Mapping[str, object],
    threads: int,
    watch: Stopwatch,
) -> Lowered:
    key = program_key(imported.text, chosen, options.target, options.compiler)

    def lower() -> Lowered:
        from canao.lowering.pipeline import lower as run_passes

        ir = {"torch": imported.text}

        def on_stage(name: str, text: Callable[[], str], seconds: float) -> None:
            ir.setdefault(name, text())
            watch.add(name, seconds)
            watch.announce(name)

        program = run_passes(
            imported.module.clone(),  # may be lowered again for another number of threads
            target_unit=options.target.vector_unit,
            threads=threads,
            fusion=options.fusion,
            device=options.target.device_model,
            dtype=options.dtype,
            chooser=chooser,
            prepare_tasks=prepare_tasks,
            on_stage=on_stage,
        )
        return Lowered(program, {n: text for n, text in ir.items() if n != program.language})

    start = time.perf_counter()
    lowered, known = cached_program(key, options.cache, lower)
    if known:
        watch.add("lowering from cache", time.perf_counter() - start)
    return lowered


def _named(program: Program, convention: CallConvention) -> Program:
    """The program with the names that the model gives its inputs."""
    sizes = 1 if program.symbols else 0
    if len(program.inputs) != len(convention.inputs) + sizes:
        return program
    pairs = zip(program.inputs, convention.inputs, strict=False)
    named = tuple(replace(spec, name=leaf.name) for spec, leaf in pairs)
    return replace(program, inputs=(*named, *program.inputs[len(named) :]))


def _examples(example_inputs: ExampleInputs | None, imported: _Imported) -> list[Array]:
    """The flat arrays of the example inputs, of the model's own, or ones where it has none."""
    convention = imported.convention
    if example_inputs is not None:
        args, kwargs = split_example(example_inputs)
    elif imported.examples is not None:
        args, kwargs = imported.examples
    else:
        largest = {symbol.name: symbol.high for symbol in convention.symbols}
        shapes = [tuple(at(e, largest) for e in leaf.shape) for leaf in convention.inputs]
        dtypes = [computed_dtype(leaf.dtype) for leaf in convention.inputs]
        return _placed(convention, [np.ones(s, d) for s, d in zip(shapes, dtypes, strict=True)])
    # The caller may change its tensors later: keep what was given.
    return _placed(convention, [array.copy() for array in convention.flatten(args, kwargs)])


def _placed(convention: CallConvention, arrays: Sequence[Array]) -> list[Array]:
    """Flat inputs as compiled code takes them."""
    shapes = [leaf.shape for leaf in convention.inputs]
    names = [leaf.name for leaf in convention.inputs]
    given = [array.shape for array in arrays]
    return in_rooms(shapes, arrays, bind_sizes(names, shapes, given) if convention.symbols else {})
