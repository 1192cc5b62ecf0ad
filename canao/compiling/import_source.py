"""A model in MLIR with its weights and the way to call it, from whatever form it has."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from canao.errors import CanaoError
from canao.extent import at
from canao.frontend.auto_shapes import DynamicShapes
from canao.frontend.convention import CallConvention, split_example
from canao.frontend.dtypes import computed_dtype
from canao.measuring.stopwatch import Stopwatch
from canao.runtime.module import Array
from canao.runtime.rooms import bind_sizes, in_rooms
from canao.runtime.tensor_file import map_tensors

if TYPE_CHECKING:
    import torch
    from torch.export import ExportedProgram
    from xdsl.dialects.builtin import ModuleOp

    from canao.frontend.imported import ImportedModel
    from canao.frontend.state import ModelState

    Model = torch.nn.Module | ExportedProgram | Callable[..., Any] | str | Path
    ExampleInputs = tuple[Any, ...] | Mapping[str, Any]


@dataclass(frozen=True)
class Imported:
    """A model in MLIR with its weights and the way to call it."""

    module: ModuleOp
    text: str
    weights: Mapping[str, Array]
    convention: CallConvention
    state: ModelState | None = None
    """None for a model that came as text."""
    examples: tuple[tuple[Any, ...], Mapping[str, Any]] | None = None
    """The arguments and the named ones that an exported program brings."""


def import_source(
    model: Model,
    example_inputs: ExampleInputs | None,
    dynamic_shapes: DynamicShapes,
    watch: Stopwatch,
) -> Imported:
    """The model in MLIR, from whatever form it has."""
    if isinstance(model, str | Path) and is_onnx(model):
        from canao.frontend.onnx.onnx_import import import_onnx

        watch.announce("import")
        return _imported(import_onnx(Path(model), example_inputs, dynamic_shapes), watch)
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

    return _imported(import_model(model, example_inputs, dynamic_shapes), watch)


def is_onnx(model: object) -> bool:
    """Whether a model is the path of an ONNX file."""
    return isinstance(model, str | Path) and (
        "\n" not in str(model) and str(model).lower().endswith(".onnx")
    )


def _imported(found: ImportedModel, watch: Stopwatch) -> Imported:
    watch.seconds |= {"export": found.export_seconds, "import": found.import_seconds}
    text = str(found.module)
    return Imported(
        found.module, text, found.weights, found.convention, found.state, found.examples
    )


def _import_mlir(model: str | Path) -> Imported:
    """A module from text; its weights are in the safetensors file beside a `.mlir` file."""
    from canao.frontend.imported import convention_of, parse_mlir

    module = parse_mlir(model)
    data = Path(model).with_suffix(".safetensors") if _is_path(model) else None
    weights = map_tensors(data) if data and data.exists() else {}
    return Imported(module, str(module), weights, convention_of(module))


def _is_path(model: str | Path) -> bool:
    return isinstance(model, Path) or ("\n" not in model and model.endswith(".mlir"))


def flat_examples(example_inputs: ExampleInputs | None, imported: Imported) -> list[Array]:
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
