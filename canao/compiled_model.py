"""A model that was compiled: called, measured, inspected, exported and saved."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload

import numpy as np

from canao.building.ready import Module, open_program
from canao.built import Build
from canao.devices.device import Device
from canao.devices.measure_programs import Request
from canao.devices.state import ALL
from canao.errors import CanaoError, UnsupportedModelError
from canao.exporting.answering.answering_program import Asking
from canao.exporting.decoder_program import DecoderStep
from canao.exporting.export_model import export_model
from canao.frontend.convention import CallConvention, split_example
from canao.frontend.dtypes import computed_dtype
from canao.measuring.measure import Latency, time_calls
from canao.program import Program
from canao.report.execution_report import ExecutionReport, fused_layers, kernel_rows, total_flops
from canao.report.on_device import OnDevice, measure_on
from canao.report.product_errors import measure_errors
from canao.report.profile import Profile, profile_of
from canao.report.utilization import DeviceUse, cpu_seconds, measure_use
from canao.runtime.example_sizes import resized, sizes_of
from canao.runtime.memory import aligned, aligned_empty
from canao.runtime.module import Array, addresses
from canao.runtime.rooms import RoomPool, Rooms, bind_sizes, in_rooms
from canao.runtime.sized_call import SizedCall
from canao.runtime.weights import prepare_weights
from canao.saved import SavedModel, pack, save_model, unpacked
from canao.tuning.choose_threads import ThreadChoice

if TYPE_CHECKING:
    import torch

    from canao.frontend.state import ModelState

_REPORT_RUNS = 20


class CompiledModel:
    """Takes and returns what the model it was compiled from does."""

    def __init__(
        self,
        program: Program,
        module: Module,
        convention: CallConvention,
        build: Build,
        examples: Sequence[Array],
        *,
        state: ModelState | None = None,
    ) -> None:
        convention.check_fits(program)
        self.program = program
        self.convention = convention
        self.build = build
        self.examples = tuple(examples)
        """The flat inputs that the model was compiled with: what measuring runs on."""
        self._module = module
        self._state = state

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the model. Threads may call it at once; they take turns."""
        inputs = self.convention.flatten(args, kwargs)
        run = self._run_sized if self.program.symbols else self._run
        return self.convention.rebuild(run(inputs), inputs)

    def _run(self, inputs: Sequence[Array]) -> list[Array]:
        outputs = self._new_outputs()
        self._module.run(addresses(inputs), addresses(outputs))
        return outputs

    def _run_sized(self, inputs: Sequence[Array]) -> list[Array]:
        """As `_run`, where shapes depend on symbols."""
        names = [leaf.name for leaf in self.convention.inputs]
        sizes = bind_sizes(names, self._shapes, [array.shape for array in inputs])
        with self._rooms.taken() as rooms:
            self._module.run(addresses(rooms.place(inputs, sizes)), addresses(rooms.results))
            return rooms.copied(sizes)

    def sized_call(self) -> SizedCall:
        """Inputs and results of a model whose dimensions vary, kept in place from run to run."""
        if not self.program.symbols:
            raise UnsupportedModelError(
                "the dimensions of this model do not vary: call it, or compile it with "
                "dynamic_shapes"
            )
        names = [symbol.name for symbol in self.program.symbols]
        specs = self.program.inputs[:-1], self.program.outputs
        return SizedCall(lambda i, o: self._module.run(i, o), *specs, names)

    @cached_property
    def _shapes(self) -> list[tuple[int, ...]]:
        return [leaf.shape for leaf in self.convention.inputs]

    @cached_property
    def _rooms(self) -> RoomPool:
        dtypes = [computed_dtype(leaf.dtype) for leaf in self.convention.inputs]
        return RoomPool(lambda: Rooms(self._shapes, dtypes, self.program.outputs))

    def _placed(self, given: object) -> Sequence[Array]:
        """Inputs as compiled code takes them; those that it was compiled with for None."""
        if given is None:
            return self.examples
        args, kwargs = split_example(given)
        inputs = self.convention.flatten(args, kwargs)
        if not self.program.symbols:
            return inputs
        names = [leaf.name for leaf in self.convention.inputs]
        shapes = [array.shape for array in inputs]
        return in_rooms(self._shapes, inputs, bind_sizes(names, self._shapes, shapes))

    def _new_outputs(self) -> list[Array]:
        return [aligned_empty(spec.shape, spec.dtype) for spec in self.program.outputs]

    @property
    def threads(self) -> int:
        """Threads that a run uses."""
        return self._module.threads

    @property
    def thread_choice(self) -> ThreadChoice:
        """How many threads a run uses, and why."""
        return self.build.threads or ThreadChoice(self.threads)

    @property
    def dtype(self) -> str:
        """The type in which weights and what lies between layers are stored."""
        return self.program.dtype

    @property
    def cpu_flags(self) -> tuple[str, ...]:
        """The vector features that C may use; for an OpenCL device its driver decides."""
        return self.build.target.vector_features

    @property
    def compile_seconds(self) -> Mapping[str, float]:
        """Seconds of each stage of compiling."""
        return self.build.seconds

    @property
    def source(self) -> str:
        """The emitted C, or OpenCL C."""
        return self.program.source

    def ir(self, stage: str) -> str:
        """The module's text after a stage, or the emitted text for stage 'c' or 'opencl'."""
        if stage not in self.stages:
            raise CanaoError(
                f"there is no stage '{stage}'; the stages are {', '.join(self.stages)}"
            )
        return self.source if stage == self.program.language else self.build.ir[stage]

    @property
    def stages(self) -> tuple[str, ...]:
        """The names that `ir` takes, in order."""
        return tuple(dict.fromkeys((*self.build.ir, self.program.language)))

    @overload
    def measure(self, runs: int = 100, warmup: int = 10) -> Latency: ...
    @overload
    def measure(
        self, runs: int = 100, warmup: int = 10, *, device: str | Device, cores: str = ALL
    ) -> OnDevice: ...
    def measure(
        self,
        runs: int = 100,
        warmup: int = 10,
        *,
        device: str | Device | None = None,
        cores: str = ALL,
    ) -> Latency | OnDevice:
        """Time `runs` calls of the compiled code on the example inputs.

        On a `device` that is the exported program, on `cores` of it, in a few rounds of `runs`
        calls: see `canao.report.on_device.measure_on`.
        """
        if device is None:
            return self._measure(self.examples, runs, warmup)
        request = Request(runs=runs, warmup=warmup, cores=cores)
        return measure_on({"": self}, device, request)[""]

    def _measure(self, inputs: Sequence[Array], runs: int, warmup: int) -> Latency:
        outputs = self._new_outputs()
        places = addresses(inputs), addresses(outputs)
        self._module.run(*places)  # a failed check is an error here, not a time
        call = self._module.bind(*places)
        with self._module.in_use.call():
            samples = time_calls(call, runs, warmup)
        return Latency.of(samples, self.threads, self.dtype, self.cpu_flags)

    def profile(
        self,
        inputs: tuple[Any, ...] | Mapping[str, Any] | None = None,
        *,
        sizes: Mapping[str, int] | None = None,
        runs: int = 100,
        warmup: int = 10,
    ) -> Profile:
        """Time each kernel inside `runs` runs of the model.

        `inputs` are given as to `canao.compile`, and left out they are the example inputs. Where
        dimensions vary, times, operations and bytes are those at the size of the inputs; `sizes`
        gives such dimensions other values, by name, for which inputs are cut or repeated.
        """
        if runs < 1:
            raise CanaoError(f"a profile takes at least one run, not {runs}")
        symbols, placed = self.program.symbols, self._placed(inputs)
        if sizes:
            placed = resized(symbols, self._shapes, placed, sizes)
        latency = self._measure(placed, runs, warmup)
        found = sizes_of(symbols, placed)
        return profile_of(
            self.program.at_sizes(found),
            self._profiles(placed, runs),
            self.build.peaks(self.threads),
            latency_ms=latency.median,
            sizes=found,
            threads=self.threads,
            dtype=self.dtype,
            target=self.build.target.title,
        )

    @cached_property
    def report(self) -> ExecutionReport:
        """Counts, sizes and times; measured when first asked for, then kept.

        There are no times of a model for another machine.
        """
        build, sizes = self.build, sizes_of(self.program.symbols, self.examples)
        program = self.program.at_sizes(sizes)
        times, use = None, None
        profiles = np.zeros((1, len(program.calls)), np.float64)
        if not build.target.is_foreign:
            times, use = self._times(), self._use()
            profiles = self._profiles(self.examples, _REPORT_RUNS)
        peaks = build.peaks(self.threads)
        return ExecutionReport(
            layers_before=program.counts.layers_before,
            layers_after=program.counts.layers_after,
            computations_before=program.counts.computations_before,
            computations_after=program.counts.computations_after,
            fused_layers=fused_layers(program),
            fallbacks=0,
            flops=total_flops(program),
            latency_ms=times[0] if times else None,
            cpu_utilization=times[1] if times else None,
            gpu_utilization=use.busy if use else None,
            transfer_ms=use.transfer_ms if use else None,
            transfer_bytes=use.transfer_bytes if use else 0,
            peak_bytes=self.peak_bytes,
            compile_seconds=dict(build.seconds),
            kernels=kernel_rows(program, profiles, peaks),
            rewrites=program.rewrites,
            fast_products=program.fast_products,
            threads=self.threads,
            thread_choice=self.thread_choice,
            dtype=self.dtype,
            target=build.target.title,
            compiler=build.compiler,
            cpu_flags=self.cpu_flags,
            peak_gflops=peaks.gflops,
            peak_bandwidth=peaks.bandwidth,
            widened=self.convention.widened,
        )

    def _times(self) -> tuple[float, float]:
        """The median latency in milliseconds, and the part of its threads that was busy."""
        before, start = cpu_seconds(), time.perf_counter()
        latency = self.measure(runs=_REPORT_RUNS, warmup=5)
        wall = time.perf_counter() - start
        busy = (cpu_seconds() - before) / (wall * self.threads)
        return latency.median, min(1.0, busy)

    def _profiles(
        self, inputs: Sequence[Array], runs: int
    ) -> np.ndarray[Any, np.dtype[np.float64]]:
        outputs = self._new_outputs()
        places = addresses(inputs), addresses(outputs)
        return np.stack([self._module.profile(*places) for _ in range(runs)])

    def _use(self) -> DeviceUse | None:
        """How an OpenCL device was used; None for C."""
        outputs = self._new_outputs()
        return measure_use(self._module, addresses(self.examples), addresses(outputs))

    @property
    def peak_bytes(self) -> int:
        """Memory of weights, working memory, inputs and results."""
        specs = (*self.program.inputs, *self.program.outputs, *self.program.weights)
        return self._module.arena_bytes + sum(spec.bytes for spec in specs)

    def export(self, directory: str | os.PathLike[str], *, name: str = "canao") -> Path:
        """Write the model as C that needs nothing of canao, with a program that runs it.

        `model.h` says what to call from C or C++: `{name}_model_open` and so on. Beside it are
        model.c, kernels.c (for an OpenCL target kernels.cl), main.c, weights.bin, metadata.json
        and what builds them.
        """
        return self.export_for(Path(directory), name=name)

    def export_for(
        self, directory: Path, use: DecoderStep | Asking | None = None, *, name: str
    ) -> Path:
        """Write C for a use of its own; see `Decoder.export` and `QuestionAnswerer.export`."""
        weights, target = self._module.weights, self.build.target
        return export_model(
            self.program, weights, directory, target, threads=self.threads, name=name, use=use
        )

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the compiled model to a directory that `canao.load` reads.

        No class is saved: results come back in the containers of Python and PyTorch and
        in the outputs of transformers. Others keep their fields, in every process alike:
        named tuples as named tuples, outputs as dicts, dataclasses as `SimpleNamespace`.
        """
        return save_model(self._parts(), Path(path))

    def _parts(self) -> SavedModel:
        build = replace(self.build, threads=self.thread_choice)
        return SavedModel(self.program, self.convention, build, self._module.weights, self.examples)

    @classmethod
    def opened(cls, parts: SavedModel) -> CompiledModel:
        """The model that was saved as these parts, ready to be called."""
        program, build = parts.program, parts.build
        assert build.threads is not None
        weights = [aligned(array) for array in parts.weights]
        module = open_program(program, build.library, weights, build.target, build.threads.threads)
        return cls(program, module, parts.convention, build, parts.examples)

    def update_weights(self, model: torch.nn.Module) -> None:
        """Take the weights that `model` has now, packed again without compiling.

        A compiled model is a snapshot: it keeps the weights that it was compiled
        with until this is called. `model` has the parameters and buffers of the
        model that was compiled. Calls that run meanwhile end with the old
        weights. Raises `UnsupportedModelError` where compiled code does not fit.
        """
        self._module.in_use.check_open()
        if self._state is None:
            raise UnsupportedModelError(
                "the weights cannot be updated: the model came from a file; compile it from the "
                "PyTorch model"
            )
        weights = self._state.read(model)
        program = self.program
        if program.fast_products:
            products = measure_errors(program.fast_products, weights)
            program = replace(program, fast_products=products)
        prepared = prepare_weights(program, weights)
        # The old module ends its threads when the last call that uses it has ended.
        self._module = self._opened(program, prepared)
        self.program = program
        vars(self).pop("report", None)

    def _opened(self, program: Program, weights: Sequence[Array]) -> Module:
        library = self.build.library_for(self.program, self.examples)
        return open_program(program, library, weights, self.build.target, self.threads)

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledModel:
        """A model with threads and working memory of its own; weights, never written to, shared."""
        module = self._opened(self.program, self._module.weights)
        return CompiledModel(
            self.program, module, self.convention, self.build, self.examples, state=self._state
        )

    def __copy__(self) -> CompiledModel:
        return self.__deepcopy__({})

    def __reduce__(self) -> tuple[Any, ...]:
        """For worker pools: the files of the saved form, loaded again on the other side."""
        return _unpickled, (pack(self._parts()),)

    def close(self) -> None:
        """End the model's threads, after the calls that run; later ones are refused."""
        self._module.close()

    def __repr__(self) -> str:
        counts = self.program.counts
        return (
            f"<CompiledModel {counts.layers_before} -> {counts.layers_after} layers, "
            f"{self.threads} threads, {self.build.target.vector_unit.name}>"
        )


def _unpickled(files: Mapping[str, bytes]) -> CompiledModel:
    with unpacked(files) as parts:
        return CompiledModel.opened(parts)
