"""Pass `lower-canao-to-affine`: fused layers become kernels of loops.

Before: `@main` calls layers on tensors. After: one function a distinct layer
over flat buffers, and a `@main` that takes inputs, weights and outputs as
buffers and calls them in order, values between layers in `memref.alloc`s.
`@prepare` stays on tensors and gains the packing that schedules ask for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import StringIO

from xdsl.builder import Builder
from xdsl.context import Context
from xdsl.dialects import func, memref
from xdsl.dialects.builtin import (
    ArrayAttr,
    FunctionType,
    IntegerAttr,
    MemRefType,
    ModuleOp,
    StringAttr,
    i64,
)
from xdsl.ir import Attribute, Block, Region, SSAValue
from xdsl.passes import ModulePass
from xdsl.printer import Printer
from xdsl.rewriter import InsertPoint

from canao.dialects.canao import (
    LayerOp,
    PackOp,
    WeightOp,
)
from canao.dialects.canao.types import element_of, shape_of
from canao.errors import VerificationError
from canao.extent import Symbol
from canao.lowering.block_labels import block_labels
from canao.lowering.c.describe import describe
from canao.lowering.c.program import BLOCK
from canao.lowering.choose.layer_task import (
    Chooser,
    LayerTask,
    PrepareTasks,
    choose_by_model,
    layer_symbols,
    prepare_nothing,
)
from canao.lowering.kernel import KernelEmitter, flat_memref
from canao.lowering.schedules.check_schedule import prove_schedule
from canao.lowering.schedules.schedule import Schedule
from canao.lowering.stages.form_stages import form_stages
from canao.lowering.stages.layout import Panels
from canao.lowering.unused_name import unused_name
from canao.machine.opencl_device import DeviceKind, DeviceModel
from canao.machine.processor import VectorUnit
from canao.machine.processors import vector_unit
from canao.transforms.name_layers import layer_name
from canao.transforms.narrow_storage import as_stored, storage_of, stored_values
from canao.transforms.outline_weights import WEIGHT_NAMES

Slot = tuple[str, int | None]
"""A weight by name, plain (None) or packed into panels of a width."""


@dataclass
class Kernel:
    """A distinct layer with its schedule and its emitted function."""

    task: LayerTask
    schedule: Schedule
    tried: tuple[str, ...]
    function: func.FuncOp
    layer: int
    """The number of the first of its layers."""
    least: int = 0
    """Points that it is meant for at least."""
    most: int | None = None
    """Points that it is meant for at most, if others take what is larger."""


@dataclass
class ModuleLowering:
    """Lowers one module; `kernels` and `calls` tell what came out.

    `calls` has the numbers of kernels in the order in which they are called: one a layer, or a
    few that each have tasks for some lengths only.
    """

    unit: VectorUnit
    threads: int
    chooser: Chooser = choose_by_model
    prepare_tasks: PrepareTasks = prepare_nothing
    device: DeviceModel | None = None
    kernels: list[Kernel] = field(default_factory=list[Kernel])
    calls: list[int] = field(default_factory=list[int])
    stored: dict[SSAValue, Attribute] = field(default_factory=dict[SSAValue, Attribute])
    """As what the values of `@main` lie in memory."""
    symbols: tuple[Symbol, ...] = ()
    """What the last input of `@main` has the values of, if anything depends on symbols."""

    def run(self, module: ModuleOp) -> None:
        """Replaces the layers of `@main` by kernels and calls."""
        functions = {f.sym_name.data: f for f in module.ops if isinstance(f, func.FuncOp)}
        if "main" not in functions:
            raise VerificationError("the module has no function @main to lower")
        main = functions["main"]
        layers = _layers(main)
        self.stored = stored_values(layers)
        self.symbols = tuple(sorted({s for layer in layers for s in layer_symbols(layer)}))
        numbers = self._emit_kernels(layers)
        self.calls += [number for some in numbers for number in some]
        labels = block_labels(layers, functions.get("prepare"))
        slots = self._slots(layers, numbers)
        if "prepare" in functions:
            stored = {slot: self.stored[op.result] for slot, op in slots.items()}
            _pack_weights(functions["prepare"], stored)
        lowered = self._lower_main(main, layers, numbers, slots, labels)
        for kernel in self.kernels:
            module.body.block.insert_op_before(kernel.function, main)
        module.body.block.insert_op_before(lowered, main)
        main.detach()
        main.erase()

    def _emit_kernels(self, layers: Sequence[LayerOp]) -> list[list[int]]:
        """Emits all kernels; the numbers of those of each layer."""
        tasks: dict[str, LayerTask] = {}
        first: dict[str, int] = {}
        keys: list[str] = []
        for number, layer in enumerate(layers):
            constant = tuple(isinstance(v.owner, WeightOp) for v in layer.inputs)
            key = _key(layer, constant)
            if key not in tasks:
                grouped = self.device is not None and self.device.kind is DeviceKind.gpu
                stages = form_stages(layer.body.block, grouped=grouped)
                name = unused_name(layer_name(layer), {task.name for task in tasks.values()})
                tasks[key] = LayerTask(
                    layer, stages, constant, key, self.unit, self.threads, self.device, name
                )
                first[key] = number
            keys.append(key)
        self.prepare_tasks(list(tasks.values()))
        numbers: dict[str, list[int]] = {}
        for key, task in tasks.items():
            made = self._kernels(task, first[key])
            numbers[key] = list(range(len(self.kernels), len(self.kernels) + len(made)))
            self.kernels += made
        return [numbers[key] for key in keys]

    def _kernels(self, task: LayerTask, layer: int) -> list[Kernel]:
        """The kernels of a layer: one, or one for each range of lengths."""
        chosen, tried = self.chooser(task)
        kernels: list[Kernel] = []
        for least, most, schedule in chosen.ranges():
            name = task.name if most is None else f"{task.name}_to_{most}"
            prove_schedule(task.stages, schedule, self.unit.lanes_f32, name)
            points = least, most
            function = emit_kernel(task, schedule, self.unit, name, self.symbols, points)
            kernels.append(Kernel(task, schedule, tried, function, layer, *points))
        return kernels

    def _layer_slots(self, layer: LayerOp, number: int) -> dict[int, Slot]:
        """The weight slot of every input of a layer that is a weight."""
        widths = {p.input: p.width for p in self.kernels[number].schedule.packed}
        return {
            n: (v.owner.sym.data, widths.get(n))
            for n, v in enumerate(layer.inputs)
            if isinstance(v.owner, WeightOp)
        }

    def _slots(
        self, layers: Sequence[LayerOp], numbers: Sequence[Sequence[int]]
    ) -> dict[Slot, WeightOp]:
        slots: dict[Slot, WeightOp] = {}
        for layer, some in zip(layers, numbers, strict=True):
            for number in some:
                for n, slot in self._layer_slots(layer, number).items():
                    owner = layer.inputs[n].owner
                    assert isinstance(owner, WeightOp)
                    slots.setdefault(slot, owner)
        return slots

    def _lower_main(
        self,
        main: func.FuncOp,
        layers: Sequence[LayerOp],
        numbers: Sequence[Sequence[int]],
        slots: dict[Slot, WeightOp],
        labels: Sequence[str],
    ) -> func.FuncOp:
        source = main.body.block
        returned = source.last_op
        assert returned is not None
        inputs = [self._buffer(a) for a in source.args]
        weights = [self._buffer(op.result, _slot_size(slot, op)) for slot, op in slots.items()]
        outputs = [self._buffer(v) for v in returned.operands]
        inputs += [MemRefType(i64, [len(self.symbols)])] if self.symbols else []
        block = Block(arg_types=[*inputs, *weights, *outputs])
        memory: dict[SSAValue, SSAValue] = {}
        memory.update(zip(source.args, block.args, strict=False))
        first_weight, first_output = len(inputs), len(inputs) + len(weights)
        slot_args = dict(zip(slots, block.args[first_weight:first_output], strict=True))
        targets: dict[SSAValue, SSAValue] = {}
        targets.update(zip(returned.operands, block.args[first_output:], strict=True))
        for layer, some, label in zip(layers, numbers, labels, strict=True):
            for value in layer.outs:
                kind = self._buffer(value)
                memory[value] = targets[value] if value in targets else _allocate(block, kind)
            for number in some:
                mine = self._layer_slots(layer, number)
                arguments = [
                    slot_args[mine[n]] if n in mine else memory[v]
                    for n, v in enumerate(layer.inputs)
                ]
                arguments += [memory[value] for value in layer.outs]
                function = self.kernels[number].function
                if len(function.args) > len(arguments):
                    arguments.append(block.args[first_weight - 1])
                call = func.CallOp(function.sym_name.data, arguments, [])
                if label:
                    call.attributes[BLOCK] = StringAttr(label)
                block.add_op(call)
        block.add_op(func.ReturnOp())
        lowered = func.FuncOp("main", (block.arg_types, []), Region(block))
        counts = {"inputs": inputs, "weights": weights, "outputs": outputs}
        for name, types in counts.items():
            lowered.attributes[f"canao.{name}"] = IntegerAttr(len(types), i64)
        return lowered

    def _buffer(self, value: SSAValue, elements: int | None = None) -> MemRefType:
        return flat_memref(value, self.stored.get(value, element_of(value)), elements)


def _layers(main: func.FuncOp) -> list[LayerOp]:
    """The layers of `@main`; an error if anything else computes there."""
    layers: list[LayerOp] = []
    block = main.body.block
    for op in block.ops:
        if isinstance(op, LayerOp):
            layers.append(op)
        elif not isinstance(op, WeightOp) and op is not block.last_op:
            raise VerificationError(
                f"{op.name} in @main is outside any layer; run lp-fusion and outline-weights first"
            )
    assert block.last_op is not None
    wanted = [v for v in block.last_op.operands if 0 not in shape_of(v)]
    results = [v for v in wanted if isinstance(v.owner, LayerOp)]
    if len(set(results)) != len(wanted):
        raise VerificationError("every result of @main must be a layer's, each once; run lp-fusion")
    return layers


def _key(layer: LayerOp, constant: Sequence[bool]) -> str:
    """Equal for layers that can share a kernel.

    It has their text, which inputs are weights, and as what all lie in memory.
    """
    text = StringIO()
    Printer(text, print_generic_format=True).print_region(layer.unnamed_body())
    return f"{text.getvalue()} {list(constant)} {list(map(str, storage_of(layer)))}"


def _slot_size(slot: Slot, weight: WeightOp) -> int | None:
    if slot[1] is None:
        return None
    rows, columns = shape_of(weight.result)
    return Panels(rows, columns, slot[1]).size


def _allocate(block: Block, kind: MemRefType) -> SSAValue:
    op = memref.AllocOp.get(kind.element_type, 64, kind.get_shape())
    block.add_op(op)
    return op.memref


def _pack_weights(prepare: func.FuncOp, slots: Mapping[Slot, Attribute]) -> None:
    """Makes `@prepare` return exactly the slots, packed where asked for, as memory has them."""
    block = prepare.body.block
    returned = block.last_op
    assert returned is not None
    names = prepare.attributes[WEIGHT_NAMES]
    assert isinstance(names, ArrayAttr)
    made = {
        n.data: v
        for n, v in zip(names, returned.operands, strict=True)
        if isinstance(n, StringAttr)
    }
    results: list[SSAValue] = []
    builder = Builder(InsertPoint.before(returned))
    for (name, width), stored in slots.items():
        value = made[name]
        if width is not None:
            value = builder.insert(PackOp(value, width)).result
        results.append(as_stored(builder, value, stored))
    block.insert_op_before(func.ReturnOp(*results), returned)
    returned.detach()
    returned.erase()
    prepare.function_type = FunctionType.from_lists([], [v.type for v in results])
    labels = [f"{name}:{width}" if width else name for name, width in slots]
    prepare.attributes[WEIGHT_NAMES] = ArrayAttr([StringAttr(label) for label in labels])


def emit_kernel(
    task: LayerTask,
    schedule: Schedule,
    unit: VectorUnit,
    name: str,
    symbols: Sequence[Symbol] = (),
    points: tuple[int, int | None] = (0, None),
) -> func.FuncOp:
    """The function of a layer under a schedule, with what it does for people.

    `symbols` are those whose values it is given, in their order; it has tasks where the layer
    has the least to the most of `points`.
    """
    emitter = KernelEmitter(task.layer, schedule, unit, symbols, points)
    function = emitter.emit(name)
    function.attributes["canao.schedule"] = StringAttr(schedule.name)
    describe(function, task, schedule, emitter.roles, points)
    return function


@dataclass(frozen=True)
class LowerCanaoToAffinePass(ModulePass):
    """Lowers layers to loops: `lower-canao-to-affine{threads=2 features=avx512f}`.

    `features` are processor features as Linux names them; none means a vector
    unit of four float32 lanes.
    """

    name = "lower-canao-to-affine"

    threads: int = 1
    features: tuple[str, ...] = ()
    variants: bool = False
    """Whether the other schedules worth measuring are emitted too, as functions
    `@softmax_128_variant_1` and so on that nothing calls."""

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        lowering = ModuleLowering(vector_unit(self.features), self.threads)
        lowering.run(op)
        if self.variants:
            _emit_variants(op, lowering)


def _emit_variants(module: ModuleOp, lowering: ModuleLowering) -> None:
    from canao.lowering.choose.variants import variants

    for kernel in lowering.kernels:
        for n, schedule in enumerate(variants(kernel.task)[1:], start=1):
            name = f"{kernel.function.sym_name.data}_variant_{n}"
            prove_schedule(kernel.task.stages, schedule, lowering.unit.lanes_f32, name)
            function = emit_kernel(kernel.task, schedule, lowering.unit, name, lowering.symbols)
            module.body.block.insert_op_before(function, kernel.function)
