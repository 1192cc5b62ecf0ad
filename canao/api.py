"""Compiling models and loading compiled ones."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, overload

from canao.compiled_model import CompiledModel
from canao.compiling.collector import old_objects_set_aside
from canao.compiling.compile_model import compile_model
from canao.compiling.options import (
    Fusion,
    Options,
    Tune,
    cache_directory,
    check_threads,
    checked_options,
    compiler_named,
)
from canao.devices.device import Device
from canao.errors import UndecidedError, UnsupportedModelError
from canao.frontend.auto_shapes import AUTO, DynamicShapes
from canao.huggingface.doors import compiled_object
from canao.huggingface.known_types import known_types_named
from canao.huggingface.pretrained import pretrained_with_inputs
from canao.machine.target import Target
from canao.measuring.stopwatch import Progress, Stopwatch
from canao.saved import load_model

if TYPE_CHECKING:
    from sentence_transformers import CrossEncoder, SentenceTransformer
    from transformers import Pipeline

    from canao.compiling.import_source import ExampleInputs, Model

    Whole = TypeVar("Whole", bound=Pipeline | SentenceTransformer | CrossEncoder)


@overload
# A sentence encoder is a module, too: the first that fits counts.
def compile(  # pyright: ignore[reportOverlappingOverload]
    model: Whole,
    example_inputs: None = None,
    *,
    target: str | Target = "c",
    device: str | Device | None = None,
    threads: int | None = None,
    fusion: Fusion = True,
    tune: Tune = "default",
    dtype: str = "float32",
    dynamic_shapes: DynamicShapes = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> Whole: ...
@overload
def compile(
    model: Model,
    example_inputs: ExampleInputs | None = None,
    *,
    target: str | Target = "c",
    device: str | Device | None = None,
    threads: int | None = None,
    fusion: Fusion = True,
    tune: Tune = "default",
    dtype: str = "float32",
    dynamic_shapes: DynamicShapes = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> CompiledModel: ...
def compile(
    model: Model | Whole,
    example_inputs: ExampleInputs | None = None,
    *,
    target: str | Target = "c",
    device: str | Device | None = None,
    threads: int | None = None,
    fusion: Fusion = True,
    tune: Tune = "default",
    dtype: str = "float32",
    dynamic_shapes: DynamicShapes = None,
    cache_dir: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> CompiledModel | Whole:
    """Compile a model for inputs of the shapes and dtypes of `example_inputs`.

    `model` is a module, a function of tensors, an exported program, the path of an ONNX file, or
    MLIR (a path or the text). An exported program has examples of its own, and MLIR needs none:
    leave them out. In an ONNX file they fix the dimensions that the file leaves open, which vary
    without them; results are a dict by the names of its outputs. Models of transformers, given
    themselves or by the name of a folder or of the hub, need no examples: without them they are
    compiled for what their tokenizer gives, of every batch and length. A pipeline of transformers,
    a `SentenceTransformer` or a `CrossEncoder` comes back as one of the same kind, compiled inside.
    `target` is "c" for this machine, "opencl" for its first OpenCL device, or a
    `Target`, such as `Target.opencl("gpu")`. `device` is where the model will run and schedules
    are measured, if that is not this process: "local", "qemu:aarch64", "ssh:user@host",
    "adb:SERIAL", or a `Device`; code is then made for its processor. `threads` is obeyed; if it is
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
    options = checked_options(target, threads, fusion, tune, dtype, cache_dir, device)

    def compile_one(
        model: Model, inputs: ExampleInputs | None, shapes: DynamicShapes
    ) -> CompiledModel:
        return _compiled(model, inputs, shapes, options, Stopwatch(progress))

    if example_inputs is not None:
        return compile_one(model, example_inputs, dynamic_shapes)
    whole = compiled_object(model, compile_one, dynamic_shapes)
    if whole is not None:
        return whole
    pretrained = pretrained_with_inputs(model)
    if pretrained is not None:
        return compile_one(*pretrained, AUTO if dynamic_shapes is None else dynamic_shapes)
    return compile_one(model, None, dynamic_shapes)


def _compiled(
    model: Model,
    example_inputs: ExampleInputs | None,
    dynamic_shapes: DynamicShapes,
    options: Options,
    watch: Stopwatch,
) -> CompiledModel:
    try:
        with old_objects_set_aside(), known_types_named(model):
            return compile_model(model, example_inputs, dynamic_shapes, options, watch)
    except UndecidedError as error:
        raise UnsupportedModelError(
            f"the model cannot run for all sizes that are asked for: {error}; name fewer "
            "dimensions in dynamic_shapes, or compile for fixed shapes"
        ) from error


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
