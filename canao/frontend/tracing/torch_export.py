"""Exports a PyTorch model and prepares its graph for the import."""

from __future__ import annotations

import threading
import warnings
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import import_module
from typing import Any

import torch
import torch.fx.experimental._config as export_config
from torch import nn
from torch._dynamo.exc import UserError
from torch.export import ExportedProgram
from torch.export.graph_signature import OutputKind
from torch.fx import Node
from torch.utils._pytree import tree_leaves, tree_map_only

from canao.errors import CanaoError, UnsupportedModelError, UnsupportedOpError
from canao.frontend.auto_shapes import DynamicShapes
from canao.frontend.convention import split_example
from canao.frontend.dtypes import storage_problem
from canao.frontend.module import inference_model, parameter_names
from canao.frontend.tracing.check_tensors import check_example, check_weights
from canao.frontend.tracing.decompositions import DECOMPOSITIONS
from canao.frontend.tracing.dynamic_shapes import (
    asked_shapes,
    dim_names,
    smallest,
    smallest_results,
    varied,
)
from canao.frontend.tracing.fold_weights import fold_weights
from canao.frontend.tracing.refused import check_shapes_are_known, hint_for
from canao.frontend.tracing.source_location import source_location, whole_stacks
from canao.frontend.tracing.strided import check_strided
from canao.transforms.convert_torch_to_canao.table import CONVERSIONS

_one_trace_at_a_time = threading.Lock()
"""Tracing sets state of the whole process."""

_ROUNDS = 8
"""Decompositions may need others in turn; more rounds than this mean a cycle."""


@contextmanager
def _unchanged(model: nn.Module) -> Generator[None]:
    """Every submodule keeps the attributes, parameters, buffers and children that it has."""
    before = [(module, dict(vars(module)), _tables(module)) for module in model.modules()]
    try:
        yield
    finally:
        for module, attributes, tables in before:
            vars(module).clear()
            vars(module).update(attributes)
            for table, entries in tables:
                table.clear()
                table.update(entries)


def _tables(module: nn.Module) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """The tables of a module (parameters, buffers, children, hooks) and what they hold now."""
    found: list[dict[str, Any]] = [v for v in vars(module).values() if isinstance(v, dict)]
    return [(table, dict(table)) for table in found]


def _each_its_own(value: Any) -> Any:
    """Examples in memory of their own: tracing takes one tensor given twice for one input."""
    return tree_map_only(torch.Tensor, lambda tensor: tensor.detach().clone(), value)


def first_line(error: Exception) -> str:
    """The first line of an error's text; its class where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def export_program(
    model: nn.Module, example_inputs: object, dynamic_shapes: DynamicShapes = None
) -> tuple[ExportedProgram, dict[str, str]]:
    """`torch.export` of the model as it runs in inference; the model stays as it is.

    With it the names of the dimensions that `dynamic_shapes` asks for, by those of its symbols.
    """
    args, kwargs = _each_its_own(split_example(example_inputs))
    if any(isinstance(t, torch.Tensor) and storage_problem(t) for t in tree_leaves((args, kwargs))):
        check_example(parameter_names(model), args, kwargs)
    with _one_trace_at_a_time:
        model = inference_model(model)
        dims = asked_shapes(model, args, kwargs, dynamic_shapes)
    args, kwargs = varied(args, kwargs, parameter_names(model), dims)
    with _one_trace_at_a_time, _unchanged(model), torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with whole_stacks():
                program = _exported(model, args, kwargs, dims)
                names = dim_names(program, args, kwargs, parameter_names(model), dims)
                return program, names
        except CanaoError:
            raise
        except Exception as error:
            check_example(parameter_names(model), args, kwargs)
            check_weights(model)
            if dims is not None:
                raise UnsupportedModelError(
                    f"torch.export cannot trace {type(model).__name__} with these dynamic shapes: "
                    f"{first_line(error)}; name other dimensions, or compile for fixed shapes"
                ) from error
            raise UnsupportedModelError(
                f"torch.export cannot trace {type(model).__name__}: {first_line(error)}; check "
                "that model(*example) runs, that control flow does not depend on values, and that "
                "caches are off (use_cache=False)"
            ) from error


def _exported(
    model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any], dims: Any
) -> ExportedProgram:
    """The exported program; where PyTorch guards against sizes of 1 and 2, without these guards.

    The model is run at the smallest sizes to see that it gives there what the program does.
    """
    if dims is None:
        return torch.export.export(model, args, kwargs, strict=False)
    try:
        program = torch.export.export(model, args, kwargs, dynamic_shapes=dims, strict=False)
    except UserError:
        with export_config.patch(backed_size_oblivious=True):  # pyright: ignore[reportAttributeAccessIssue]
            program = torch.export.export(model, args, kwargs, dynamic_shapes=dims, strict=False)
    args, kwargs = smallest(args, kwargs, parameter_names(model), dims)
    wanted = [tuple(getattr(leaf, "shape", ())) for leaf in tree_leaves(model(*args, **kwargs))]
    if wanted != smallest_results(program):
        raise UnsupportedModelError(
            "the model does something else at the smallest sizes of its dynamic shapes; give them "
            "a larger minimum: torch.export.Dim('sequence', min=2, max=512)"
        )
    return program


def mlir_name(target: object) -> str:
    """The name of an FX target in torch-mlir's torch dialect."""
    if not isinstance(target, torch._ops.OpOverload):  # pyright: ignore[reportPrivateUsage]
        return str(target)
    return "torch." + str(target).replace("::", ".").removesuffix(".default")


def aten_name(node: Node) -> str:
    """The name of an operation as PyTorch has it: `aten.sort`."""
    return mlir_name(node.target).removeprefix("torch.")


def _calls(program: ExportedProgram) -> Iterator[Node]:
    for node in program.graph.nodes:
        if node.op == "call_function" and getattr(node.target, "__name__", "") != "getitem":
            yield node


def _mutates(node: Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is not None and schema.is_mutable


def _is_region(node: Node) -> bool:
    """Whether a node calls a graph of its own, as one under autocast, which decomposing inlines."""
    return isinstance(node.target, torch._ops.HigherOrderOperator)  # pyright: ignore[reportPrivateUsage]


def _unconverted(program: ExportedProgram) -> list[Node]:
    return [
        node
        for node in _calls(program)
        if mlir_name(node.target) not in CONVERSIONS and not _computes_sizes(node)
    ]


def _computes_sizes(node: Node) -> bool:
    """Whether a node computes with sizes, or checks them, instead of tensors.

    What must hold of sizes, the ranges of dimensions say, and calls are checked by them.
    """
    value = node.meta.get("val")
    if isinstance(value, torch.SymInt | torch.SymBool | torch.SymFloat | bool | int):
        return True
    name = getattr(node.target, "__name__", str(node.target))
    return name.startswith(("_assert_scalar", "sym_constrain_range"))


def _decompositions(targets: Sequence[object]) -> dict[Any, Callable[..., Any]]:
    """What PyTorch and torch-mlir know to write the targets with."""
    from torch_mlir.extras.fx_decomp_util import get_decomposition_table

    tables: list[Mapping[Any, Callable[..., Any]]] = [
        DECOMPOSITIONS,
        get_decomposition_table(),
    ]
    tables.append(torch.export.default_decompositions())
    found: dict[Any, Callable[..., Any]] = {}
    for target in targets:
        for table in tables:
            if target in table:
                found.setdefault(target, table[target])
        composite = _composite(target)
        if composite is not None:
            found.setdefault(target, composite)
    return found


def _composite(target: object) -> Callable[..., Any] | None:
    """The program of other operations that PyTorch itself runs for an operation, if it does."""
    known: Any = import_module("torch._export.utils")
    if not isinstance(target, torch._ops.OpOverload):  # pyright: ignore[reportPrivateUsage]
        return None
    return known._get_decomp_for_cia(target) if known._is_cia_op(target) else None


def _decomposed(program: ExportedProgram, table: dict[Any, Callable[..., Any]]) -> ExportedProgram:
    with _one_trace_at_a_time, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return program.run_decompositions(table)
        except Exception as error:
            raise UnsupportedModelError(
                f"torch.export cannot decompose the model: {first_line(error)}; rewrite that "
                "part of it"
            ) from error


def prepare_program(program: ExportedProgram) -> ExportedProgram:
    """The program without mutation, with operations that have a conversion only.

    Operations with a conversion stay as they are; the others are decomposed, or evaluated if
    they read weights alone. Raises `UnsupportedOpError` with the source line of one that stays
    without.
    """
    check_shapes_are_known((node, aten_name(node)) for node in _calls(program))
    check_strided(program)
    if any(_mutates(node) or _is_region(node) for node in _calls(program)):
        program = _decomposed(program, {})
    for spec in program.graph_signature.output_specs:
        if spec.kind != OutputKind.USER_OUTPUT:
            raise UnsupportedModelError(
                f"the model changes '{spec.target or spec.arg}' in place ({spec.kind.name}); "
                "return the new value instead"
            )
    for _ in range(_ROUNDS):
        unknown = _unconverted(program)
        table = _decompositions([node.target for node in unknown])
        if not table:
            break
        program = _decomposed(program, table)
    if _unconverted(program):
        program = _decomposed(program, {})  # a program of its own
        fold_weights(program, _unconverted(program))
    for node in _unconverted(program):
        name = aten_name(node)
        raise UnsupportedOpError(name, source_location(node), hint_for(name))
    return program
