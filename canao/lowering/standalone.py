"""One layer under one schedule as a program of its own, to be built and measured."""

from __future__ import annotations

from collections.abc import Mapping

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import DictionaryAttr, IntegerAttr, ModuleOp, TensorType, i64
from xdsl.ir import Attribute, Block, Region, SSAValue

from canao.dialects.canao import LayerOp, WeightOp
from canao.dialects.canao.types import element_of, shape_of
from canao.lowering.approximate_math import ApproximateMathPass
from canao.lowering.choose.layer_task import LayerTask
from canao.lowering.lower_canao_to_affine import ModuleLowering
from canao.lowering.print_unit import plan_memory, print_unit
from canao.lowering.schedules.schedule import Schedule
from canao.lowering.specs import sizes_spec, tensor_specs
from canao.program import Counts, KernelSpec, Program
from canao.transforms.name_layers import copy_name, layer_name
from canao.transforms.narrow_storage import storage_of, store_as, stored_values
from canao.transforms.outline_weights import OutlineWeightsPass

SIZES = "canao.sizes"
"""Attribute of `@main`: with which sizes the layer is measured, by symbol."""


def standalone_program(task: LayerTask, schedule: Schedule) -> Program:
    """A program whose `@main` is one call of the layer.

    Inputs and weights are those of the layer; weights are packed as the
    schedule asks, so `Program.weights` has their shapes in memory.
    """
    module = standalone_module(task)
    name = layer_name(task.layer)
    for copy in module.walk():
        if isinstance(copy, LayerOp):
            copy_name(task.layer, copy)
    ctx = Context()
    OutlineWeightsPass().apply(ctx, module)
    lowering = ModuleLowering(
        task.unit, task.threads, lambda _: (schedule, (schedule.name,)), device=task.device
    )
    lowering.run(module)
    ApproximateMathPass(task.unit.side_by_side.chains).apply(ctx, module)
    plan_memory(task.device).apply(ctx, module)
    unit = print_unit(module, task.threads, task.device)
    functions = {f.sym_name.data: f for f in module.ops if isinstance(f, func.FuncOp)}
    prepared = functions["prepare"].function_type.outputs.data
    layer = task.layer
    inputs = [v for v, fixed in zip(layer.inputs, task.constant, strict=True) if not fixed]
    stored = stored_values([layer])
    return Program(
        source=unit.source,
        inputs=(
            *tensor_specs("input", [_type_in_memory(v, stored[v]) for v in inputs]),
            *sizes_spec(lowering.symbols),
        ),
        symbols=lowering.symbols,
        outputs=tensor_specs("output", [_type_in_memory(v, stored[v]) for v in layer.outs]),
        weights=tensor_specs("weight", prepared),
        prepare=str(ModuleOp([functions["prepare"].clone()])),
        arena_bytes=unit.arena_bytes,
        kernels=(KernelSpec(name, (), layer.flops(), 0, 0, schedule.name),),
        calls=(0,),
        counts=Counts(1, 1, 0, 0),
        threads=task.threads,
        launches=unit.launches,
    )


def _type_in_memory(value: SSAValue, stored: Attribute) -> Attribute:
    return value.type if stored == element_of(value) else TensorType(stored, shape_of(value))


def standalone_module(task: LayerTask, sizes: Mapping[str, int] | None = None) -> ModuleOp:
    """A module whose `@main` is one call of the layer, before weights are outlined.

    `sizes` are noted in it: those of the layer's symbols with which it is measured.
    """
    main = _main(task)
    if sizes:
        numbers = {name: IntegerAttr(size, i64) for name, size in sizes.items()}
        main.attributes[SIZES] = DictionaryAttr(numbers)
    return ModuleOp([main])


def noted_sizes(module: ModuleOp) -> dict[str, int]:
    """The sizes that `standalone_module` noted."""
    found: dict[str, int] = {}
    for op in module.ops:
        noted = op.attributes.get(SIZES)
        if isinstance(noted, DictionaryAttr):
            numbers = {n: v for n, v in noted.data.items() if isinstance(v, IntegerAttr)}
            found |= {name: value.value.data for name, value in numbers.items()}
    return found


def _main(task: LayerTask) -> func.FuncOp:
    layer = task.layer
    block = Block()
    values: list[SSAValue] = []
    for n, (value, fixed) in enumerate(zip(layer.inputs, task.constant, strict=True)):
        if not fixed:
            values.append(block.insert_arg(value.type, len(block.args)))
            continue
        assert isinstance(value.type, TensorType)
        weight = WeightOp(f"weight{n}", value.type)
        block.add_op(weight)
        values.append(weight.result)
    copy = LayerOp(values, [v.type for v in layer.outs], layer.unnamed_body())
    store_as(copy, storage_of(layer))
    block.add_op(copy)
    block.add_op(func.ReturnOp(*copy.outs))
    types = ([a.type for a in block.args], [v.type for v in copy.outs])
    return func.FuncOp("main", types, Region(block))
