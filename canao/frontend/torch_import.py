"""Imports PyTorch models: torch.export, then torch-mlir, then xDSL."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from time import perf_counter
from typing import Any

import torch
from torch import nn
from torch.export import ExportedProgram
from torch.export.graph_signature import ConstantArgument, InputKind, TensorArgument
from torch.fx import Node
from torch_mlir import ir as torch_mlir_ir
from torch_mlir.dialects import torch as torch_dialect
from torch_mlir.extras.fx_importer import (
    FxImporter,
    FxImporterHooks,
    GraphNodeImporter,
    InputInfo,
)
from xdsl.dialects.builtin import ModuleOp
from xdsl.dialects.func import FuncOp

from canao.dialects.canao import ConstantOp, WeightOp
from canao.dialects.canao.names import ascii_name
from canao.dialects.canao.source import dtype_of_element, element_of_dtype
from canao.dialects.canao.types import element_of, is_float
from canao.errors import UnsupportedModelError
from canao.frontend.auto_shapes import DynamicShapes
from canao.frontend.convention import (
    Argument,
    CallConvention,
    FixedInput,
    InputTensor,
    Result,
)
from canao.frontend.dtypes import (
    NARROW_FLOATS,
    Widened,
    check_dtype,
    dtype_name,
    held_dtype,
)
from canao.frontend.imported import ImportedModel, entry_point, keep_computed, parse_mlir
from canao.frontend.module import as_module, parameter_names
from canao.frontend.shape_maps import quote_products
from canao.frontend.state import ModelState
from canao.frontend.structure import LEAF, Structure, structure_of
from canao.frontend.tracing.check_tensors import check_program
from canao.frontend.tracing.dynamic_shapes import extents
from canao.frontend.tracing.fold_weights import folded_weights
from canao.frontend.tracing.source_location import source_location
from canao.frontend.tracing.torch_export import export_program, prepare_program
from canao.frontend.weights import WeightStore, is_small
from canao.transforms.convert_torch_to_canao.constants import LOCATION
from canao.transforms.convert_torch_to_canao.symbolic_shapes import name_symbols
from canao.transforms.convert_torch_to_canao.torch_types import torch_element

# The bindings come without types.
ir: Any = torch_mlir_ir

ENTRY = "main"

_MOST_PRINTED = 64
"""Elements of a constant of the graph; larger ones are references."""


class _Weights(FxImporterHooks):
    """Writes parameters, buffers and constants as references by name."""

    def __init__(self, store: WeightStore) -> None:
        self.store = store
        self.foldable: set[str] = set()
        self.state: set[str] = set()
        """Names of parameters and buffers."""

    def reference(self, name: str, tensor: torch.Tensor, foldable: bool) -> Any:
        """A `canao.weight` for a tensor; `foldable` if its values may enter the IR."""
        stored = self.store.add(ascii_name(name), tensor)
        if foldable:
            self.foldable.add(stored)
        element = element_of_dtype(held_dtype(dtype_name(tensor)))
        dims = "".join(f"{extent}x" for extent in tensor.shape)
        weight = ir.Operation.create(
            "canao.weight",
            results=[ir.Type.parse(f"tensor<{dims}{element}>")],
            attributes={"name": ir.StringAttr.get(stored)},
        ).result
        # Lists of torch-mlir take tensors of the torch dialect only.
        sizes = ",".join(map(str, tensor.shape))
        return ir.Operation.create(
            "torch_c.from_builtin_tensor",
            results=[ir.Type.parse(f"!torch.vtensor<[{sizes}],{torch_element(element)}>")],
            operands=[weight],
        ).result

    def resolve_input(self, gni: GraphNodeImporter, value: Any, info: InputInfo) -> Any:
        """A parameter or a buffer."""
        spec = info.input_spec
        if spec.kind in (InputKind.PARAMETER, InputKind.BUFFER):
            self.state.add(ascii_name(str(spec.target)))
        return self.reference(str(spec.target), value, spec.kind != InputKind.PARAMETER)


class _Importer(FxImporter):
    """torch-mlir's importer, with weights kept out of the IR."""

    def __init__(self, context: Any, weights: _Weights) -> None:
        super().__init__(context=context, hooks=weights, graph_node_importer_cls=_LocatingImporter)
        self.weights = weights


class _LocatingImporter(GraphNodeImporter):
    """Notes the source line on every operation and names the constants of the graph."""

    def import_constant(self, loc: Any, node: Node, constant: Any) -> Any:
        importer = self.fx_importer
        if not isinstance(constant, torch.Tensor) or not isinstance(importer, _Importer):
            return super().import_constant(loc, node, constant)
        with loc, ir.InsertionPoint(self._b):
            value = importer.weights.reference(node.name, constant, True)
        self.bind_node_value(node, value)
        return value

    def bind_node_value(self, node: Node, value: Any, result_index: int = 0) -> None:
        super().bind_node_value(node, value, result_index)
        where = source_location(node)
        if where and isinstance(value, ir.OpResult):
            value.owner.attributes[LOCATION] = ir.StringAttr.get(ascii_name(where))


def _torch_module(program: ExportedProgram, hooks: _Weights, names: Mapping[str, str]) -> ModuleOp:
    """The program in the torch dialect, as xDSL reads it; `names` are those of its symbols."""
    context = ir.Context()
    torch_dialect.register_dialect(context)
    context.allow_unregistered_dialects = True
    importer = _Importer(context, hooks)
    try:
        with context:
            importer.import_program(
                program, func_name=ENTRY, import_symbolic_shape_expressions=True
            )
    except (NotImplementedError, AssertionError) as error:
        raise UnsupportedModelError(
            f"torch-mlir cannot import the model: {error}; rewrite that part of it"
        ) from error
    text = importer.module.operation.get_asm(
        print_generic_op_form=True,
        large_elements_limit=_MOST_PRINTED,
        large_resource_limit=_MOST_PRINTED,
    )
    try:
        module = parse_mlir(quote_products(text))
    except NotImplementedError as error:
        raise UnsupportedModelError(
            "the model joins dimensions that vary into one, as by view(-1, n); keep them apart, "
            "let one of them vary, or compile for fixed shapes"
        ) from error
    name_symbols(module, names)
    return module


def _write_small_constants(function: FuncOp, hooks: _Weights) -> None:
    """Small buffers and lifted constants become `canao.constant`."""
    folded: set[str] = set()
    for op in list(function.body.block.ops):
        if not isinstance(op, WeightOp) or op.sym.data not in hooks.foldable:
            continue
        name = op.sym.data
        array = hooks.store[name]
        if not is_small(is_float(op.result), array.size):
            continue
        constant = ConstantOp.from_array(array.astype(dtype_of_element(element_of(op.result))))
        function.body.block.insert_op_before(constant, op)
        op.result.replace_all_uses_with(constant.result)
        op.detach()
        op.erase()
        folded.add(name)
    used = {op.sym.data for op in function.body.block.ops if isinstance(op, WeightOp)}
    for name in folded - used:
        hooks.store.fold(name)
    for name in set(hooks.store) - used:
        hooks.store.discard(name)


def _input_leaves(
    program: ExportedProgram, names: Mapping[str, str]
) -> list[tuple[str, InputTensor | FixedInput]]:
    """What the model takes, flattened: the name in the graph and what it is."""
    extent_of = extents(program, names)
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    leaves: list[tuple[str, InputTensor | FixedInput]] = []
    for spec in program.graph_signature.input_specs:
        if spec.kind != InputKind.USER_INPUT:
            continue
        name = spec.arg.name
        if isinstance(spec.arg, ConstantArgument):
            leaves.append((name, FixedInput(name, spec.arg.value)))
            continue
        value = values[name]
        if not isinstance(value, torch.Tensor):
            raise UnsupportedModelError(
                f"input '{name}' is a number that varies; pass it as a tensor"
            )
        shape = tuple(map(extent_of, value.shape))
        leaves.append((name, InputTensor(name, shape, dtype_name(value))))
    return leaves


def _each_named(parameters: tuple[str, ...], count: int) -> tuple[str, ...]:
    """The names of `count` positional arguments; those that `*args` takes have numbers."""
    more = tuple(f"args.{number}" for number in range(count - len(parameters)))
    return (*parameters, *more)[:count] if more else parameters[:count]


def _arguments(program: ExportedProgram, parameters: tuple[str, ...]) -> list[Argument]:
    """The arguments the program was exported with, positional ones first."""
    spec = program.call_spec.in_spec
    if spec is None:
        raise UnsupportedModelError("the exported program has no input structure; export it again")
    positional, named = spec.children()
    found = [
        Argument(name, structure_of(child, "the input"))
        for name, child in zip(
            _each_named(parameters, len(positional.children())),
            positional.children(),
            strict=True,
        )
    ]
    for name, child in zip(named.context, named.children(), strict=True):
        found.append(Argument(str(name), structure_of(child, "the input")))
    return found


def _named(
    arguments: list[Argument], leaves: list[tuple[str, InputTensor | FixedInput]]
) -> list[InputTensor | FixedInput]:
    """The leaves under the names that callers know: argument, then path."""
    paths = [
        path for argument in arguments for path, _ in _paths(argument.structure, argument.name)
    ]
    named: list[InputTensor | FixedInput] = []
    for path, (_, leaf) in zip(paths, leaves, strict=True):
        if isinstance(leaf, FixedInput):
            named.append(FixedInput(path, leaf.value))
            continue
        check_dtype(f"input '{path}'", leaf.dtype)
        named.append(InputTensor(path, leaf.shape, leaf.dtype))
    return named


def _paths(structure: Structure, path: str) -> list[tuple[str, Structure]]:
    if structure.kind == "leaf":
        return [(path, structure)]
    keys = structure.keys or range(len(structure.children))
    return [
        found
        for key, child in zip(keys, structure.children, strict=True)
        for found in _paths(child, f"{path}.{key}")
    ]


def _widened(program: ExportedProgram, convention: CallConvention) -> Iterator[Widened]:
    """The inputs, results and values of narrow floats; of values, where wider ones are narrowed."""
    paths = [path for path, _ in _paths(convention.output, "output")]
    results = zip(paths, convention.results, strict=True)
    tensors = [("input", leaf.name, leaf.dtype) for leaf in convention.inputs]
    tensors += [("result", path, result.dtype) for path, result in results]
    for node in program.graph.nodes:
        if node.op == "call_function" and not any(map(_narrow, node.all_input_nodes)):
            tensors.append(("value", node.name, _narrow(node)))
    yield from (Widened(*tensor) for tensor in tensors if tensor[-1] in NARROW_FLOATS)


def _narrow(node: Node) -> str:
    """The dtype of a node's tensor, if it is a narrow float."""
    value = node.meta.get("val")
    dtype = dtype_name(value) if isinstance(value, torch.Tensor) else ""
    return dtype if dtype in NARROW_FLOATS else ""


def _results(program: ExportedProgram, function: FuncOp) -> list[Result]:
    """Where each leaf of the result comes from."""
    values = {node.name: node.meta.get("val") for node in program.graph.nodes}
    given: list[str | Result] = []
    for spec in program.graph_signature.output_specs:
        if isinstance(spec.arg, ConstantArgument):
            given.append(Result("constant", value=spec.arg.value))
            continue
        assert isinstance(spec.arg, TensorArgument)
        given.append(dtype_name(values[spec.arg.name]))
    return keep_computed(function, given)


def _parameters_of(program: ExportedProgram) -> tuple[str, ...]:
    """Names of positional arguments of an exported program, as far as it tells."""
    inputs = program.graph_signature.input_specs
    users = [s.arg.name for s in inputs if s.kind == InputKind.USER_INPUT]
    spec = program.call_spec.in_spec
    positional = spec.children()[0].children() if spec is not None else []
    flat = all(structure_of(child, "the input") == LEAF for child in positional)
    names = tuple(users[: len(positional)])
    return names if flat else tuple(f"arg{n}" for n in range(len(positional)))


def import_model(
    model: nn.Module | ExportedProgram | Callable[..., Any],
    example_inputs: object,
    dynamic_shapes: DynamicShapes = None,
) -> ImportedModel:
    """Imports a model, or a function, for the shapes and dtypes of its example inputs.

    `dynamic_shapes` says which dimensions are known only when the model runs.
    `example_inputs` is a tuple of positional arguments or a dict of keyword
    arguments; an `ExportedProgram` brings its own. The module has one
    function, `@main`, in the torch dialect; weights are `canao.weight`
    references to `ImportedModel.weights`.
    """
    started = perf_counter()
    names: dict[str, str] = {}
    if isinstance(model, ExportedProgram):
        if dynamic_shapes is not None:
            raise UnsupportedModelError(
                "an exported program has its dynamic shapes from torch.export; leave "
                "dynamic_shapes out"
            )
        program, parameters = model, _parameters_of(model)
    else:
        model = as_module(model)
        program, names = export_program(model, example_inputs, dynamic_shapes)
        parameters = parameter_names(model)
    arguments = _arguments(program, parameters)
    named = _named(arguments, _input_leaves(program, names))
    out_spec = program.call_spec.out_spec
    output = LEAF if out_spec is None else structure_of(out_spec, "the output")
    check_program(program, [path for path, _ in _paths(output, "output")])
    program = prepare_program(program)
    exported = perf_counter()
    hooks = _Weights(WeightStore())
    module = _torch_module(program, hooks, names)
    function = entry_point(module, ENTRY)
    _write_small_constants(function, hooks)
    for name, tensor in folded_weights(program).items():
        hooks.store.note_folded(ascii_name(name), tensor)
        hooks.state.add(ascii_name(name))
    # `*args` takes what the example gave, by position.
    numbered = tuple(a.name for a in arguments if a.name.startswith("args."))
    positional = (*parameters, *numbered) or tuple(argument.name for argument in arguments)
    convention = CallConvention(
        positional,
        tuple(arguments),
        tuple(named),
        output,
        tuple(_results(program, function)),
        hooks.store.widened,
    )
    convention = replace(convention, widened=(*convention.widened, *_widened(program, convention)))
    source = model if isinstance(model, nn.Module) else nn.Module()
    state = ModelState.of(hooks.store, frozenset(hooks.state), source)
    seconds = exported - started, perf_counter() - exported
    examples = model.example_inputs if isinstance(model, ExportedProgram) else None
    return ImportedModel(module, hooks.store, convention, state, *seconds, examples)
