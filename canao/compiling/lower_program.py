"""The program of an imported model, from the cache if it was lowered before."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from canao.building.programs import Lowered, cached_program, program_key
from canao.compiling.import_source import Imported
from canao.compiling.options import Options
from canao.frontend.convention import CallConvention
from canao.measuring.stopwatch import Stopwatch
from canao.program import Program

if TYPE_CHECKING:
    from canao.lowering.choose.layer_task import Chooser, PrepareTasks


def lower_program(imported: Imported, options: Options, threads: int, watch: Stopwatch) -> Lowered:
    """The program of a model, from the cache if it was lowered before."""
    from canao.lowering.choose.layer_task import choose_by_model, prepare_nothing
    from canao.tuning.tuner import Tuner

    chosen: dict[str, object] = {
        "threads": threads,
        "fusion": options.fusion,
        "tune": options.tune,
        "dtype": options.dtype,
    }
    device = options.device
    # Without a device nothing can be measured for another machine: the cost model chooses.
    if options.tune == "off" or (options.target.is_foreign and device is None):
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
            device=device,
        )
    ) as tuner:
        # Programs made before a winner was replaced are made again.
        chosen["winners"] = tuner.database.changes()
        if device is not None:
            chosen["device"] = [device.spec, device.processor()]
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
    imported: Imported,
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
            if name not in ir:
                ir[name] = text()
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


def named_inputs(program: Program, convention: CallConvention) -> Program:
    """The program with the names that the model gives its inputs."""
    sizes = 1 if program.symbols else 0
    if len(program.inputs) != len(convention.inputs) + sizes:
        return program
    pairs = zip(program.inputs, convention.inputs, strict=False)
    named = tuple(replace(spec, name=leaf.name) for spec, leaf in pairs)
    return replace(program, inputs=(*named, *program.inputs[len(named) :]))
