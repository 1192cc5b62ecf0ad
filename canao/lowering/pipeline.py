"""The road from a module to a `Program`: passes in order, each stage observable."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from math import prod
from time import perf_counter
from typing import Literal

from xdsl.context import Context
from xdsl.dialects import func
from xdsl.dialects.builtin import ModuleOp, TensorType, UnregisteredOp
from xdsl.ir import BlockArgument, Operation, SSAValue
from xdsl.passes import ModulePass

from canao.dialects.canao import ConstantOp, LayerOp, WeightOp
from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import shape_of
from canao.dialects.interfaces import AccessPattern, CanaoOp, Reorganising
from canao.extent import most
from canao.lowering.approximate_math import ApproximateMathPass
from canao.lowering.choose.layer_task import Chooser, PrepareTasks, choose_by_model, prepare_nothing
from canao.lowering.lower_canao_to_affine import LowerCanaoToAffinePass, ModuleLowering
from canao.lowering.print_unit import plan_memory, print_unit
from canao.lowering.specs import sizes_spec, tensor_specs
from canao.lowering.stages.reads import varying_points
from canao.machine.opencl_device import DeviceKind, DeviceModel
from canao.machine.processor import VectorUnit
from canao.program import Counts, FastProduct, KernelSpec, Program, Rewrite
from canao.storage_types import STORAGE_TYPES
from canao.transforms.canao_simplify import CanaoSimplifyPass
from canao.transforms.collapse_rows import CollapseRowsPass
from canao.transforms.constants import is_constant_expression
from canao.transforms.convert_torch_to_canao import ConvertTorchToCanaoPass
from canao.transforms.expand_composites import ExpandCompositesPass
from canao.transforms.keep_roundings import KeepRoundingsPass
from canao.transforms.law_uses import Uses
from canao.transforms.lp_fusion import LPFusionPass
from canao.transforms.name_layers import NameLayersPass
from canao.transforms.narrow_storage import NarrowStoragePass, storage_of
from canao.transforms.outline_weights import OutlineWeightsPass
from canao.transforms.widen_integers import WidenIntegersPass

Fusion = bool | Literal["exact", "fast"]

OnStage = Callable[[str, Callable[[], str], float], None]
"""Called after each stage with its name, a function that prints it, and its seconds."""

OnPass = Callable[[str, ModuleOp], None]
"""Called after each pass with its name and the module as it stands, to look at only."""


@dataclass(frozen=True)
class _Layer:
    """What a layer computes, noted before its composites are expanded."""

    ops: tuple[str, ...]
    flops: int
    computations: int


class _Stages:
    def __init__(self, on_stage: OnStage | None) -> None:
        self.on_stage = on_stage
        self.started = perf_counter()

    def done(self, name: str, text: Callable[[], str]) -> None:
        seconds = perf_counter() - self.started
        if self.on_stage is not None:
            self.on_stage(name, text, seconds)
        self.started = perf_counter()


def lower(
    module: ModuleOp,
    *,
    target_unit: VectorUnit,
    threads: int,
    fusion: Fusion = True,
    device: DeviceModel | None = None,
    dtype: str = "float32",
    chooser: Chooser = choose_by_model,
    prepare_tasks: PrepareTasks = prepare_nothing,
    on_stage: OnStage | None = None,
    on_pass: OnPass | None = None,
) -> Program:
    """Compiles a module of the torch or the canao dialect; `module` is consumed.

    The text is C for `threads` threads, or OpenCL C if there is a `device`.
    With `fusion="exact"`, only laws are used that keep every rounding; with
    "fast", large products with weights are multiplied by Strassen-Winograd; without
    fusion, every operation is a layer. `dtype` is that of the weights and of what
    lies between layers: "float32" or, for a device, a type of `STORAGE_TYPES`. `chooser` picks the
    schedule of every distinct layer, after `prepare_tasks` was called with all of them.

    Stages: torch, canao, simplified, fused, expanded, affine, c or opencl.
    """
    ctx = Context()
    stages = _Stages(on_stage)
    look = on_pass or (lambda name, module: None)

    def run(name: str, *passes: ModulePass) -> None:
        for each in passes:
            each.apply(ctx, module)
            look(each.name, module)
        stages.done(name, lambda: str(module))

    if _is_foreign(module):
        stages.done("torch", lambda: str(module))
        run("canao", ConvertTorchToCanaoPass())
    exact = fusion == "exact"
    simplify = CanaoSimplifyPass(exact=exact)
    fuse = LPFusionPass(
        fuse=fusion is not False,
        exact=exact,
        fast=fusion == "fast",
        unit=target_unit,
        threads=threads,
        narrow_tasks=device is not None and device.kind is DeviceKind.gpu,
    )
    expand = ExpandCompositesPass(exact=exact)
    run("simplified", WidenIntegersPass(), simplify)
    main = _function(module, "main")
    inputs = tensor_specs("input", [a.type for a in main.body.block.args])
    before = _count(main)
    # without fusion every product is stored, and so rounded
    keep = [] if fusion is False else [KeepRoundingsPass()]
    run("fused", *keep, fuse, OutlineWeightsPass(), NameLayersPass())
    layers = [_note(op) for op in main.body.block.ops if isinstance(op, LayerOp)]
    assert main.body.block.last_op is not None
    outputs = tensor_specs("output", [v.type for v in main.body.block.last_op.operands])
    narrow = [NarrowStoragePass(dtype)] if dtype in STORAGE_TYPES else []
    run("expanded", expand, CollapseRowsPass(), *narrow)
    moved = [_bytes(op) for op in main.body.block.ops if isinstance(op, LayerOp)]
    lowering = ModuleLowering(target_unit, threads, chooser, prepare_tasks, device=device)
    lowering.run(module)
    look(LowerCanaoToAffinePass.name, module)
    approximate = ApproximateMathPass(target_unit.side_by_side.chains)
    run("affine", approximate, plan_memory(device))
    unit = print_unit(module, threads, device)
    stages.done("c" if device is None else "opencl", lambda: unit.source)
    prepare = _function(module, "prepare")
    weights = tensor_specs("weight", prepare.function_type.outputs.data)
    return Program(
        source=unit.source,
        inputs=(*inputs, *sizes_spec(lowering.symbols)),
        symbols=lowering.symbols,
        outputs=outputs,
        weights=weights,
        prepare=str(ModuleOp([prepare.clone()])),
        arena_bytes=unit.arena_bytes,
        kernels=tuple(
            KernelSpec(
                name=kernel.function.sym_name.data,
                ops=layers[kernel.layer].ops,
                flops=layers[kernel.layer].flops,
                bytes=moved[kernel.layer],
                computations=layers[kernel.layer].computations,
                variant=kernel.schedule.name,
                variants_tried=kernel.tried,
                points=varying_points(kernel.task.stages, len(kernel.schedule.band)),
                least=kernel.least,
                most=kernel.most,
            )
            for kernel in lowering.kernels
        ),
        calls=tuple(lowering.calls),
        counts=Counts(
            layers_before=before[0],
            layers_after=len(layers),
            computations_before=before[1],
            computations_after=sum(layer.computations for layer in layers),
        ),
        threads=threads,
        dtype=dtype,
        rewrites=_rewrites(simplify.used, fuse.used, expand.used),
        fast_products=tuple(FastProduct(**asdict(p)) for p in fuse.products),
        launches=unit.launches,
    )


def _rewrites(*passes: Uses) -> tuple[Rewrite, ...]:
    """What the passes used, those laws first that change rounding."""
    total: Uses = sum(passes, Counter())
    return tuple(
        Rewrite(use.law, count, use.changes_rounding)
        for use, count in sorted(total.items(), key=lambda item: (not item[0][1], item[0]))
    )


def _is_foreign(module: ModuleOp) -> bool:
    """Whether a module is in the torch dialect: its operations, or what its functions take."""
    functions = [op for op in module.ops if isinstance(op, func.FuncOp)]
    taken = (kind for function in functions for kind in function.function_type.inputs)
    return any(isinstance(op, UnregisteredOp) for op in module.walk()) or any(
        not isinstance(kind, TensorType) for kind in taken
    )


def _function(module: ModuleOp, name: str) -> func.FuncOp:
    return next(f for f in module.ops if isinstance(f, func.FuncOp) and f.sym_name.data == name)


def _count(main: func.FuncOp) -> tuple[int, int]:
    """Layers and computations before fusion: a shared operator computes for each use."""
    layers = computations = 0
    for op in main.body.block.ops:
        if not isinstance(op, CanaoOp) or is_constant_expression(op.results[0]):
            continue
        if isinstance(op, Reorganising):
            continue
        layers += 1
        uses = sum(1 for result in op.results for _ in result.uses)
        computations += op.computations() * max(1, uses)
    return layers, computations


def _note(layer: LayerOp) -> _Layer:
    parts: Sequence[Operation] = [
        op
        for op in layer.body.block.ops
        if isinstance(op, CanaoOp) and not isinstance(op, ConstantOp | WeightOp)
    ]
    return _Layer(
        ops=tuple(op.name for op in parts),
        flops=layer.flops(),
        computations=layer.computations(),
    )


def _bytes(layer: LayerOp) -> int:
    """Bytes that a layer reads and writes at least."""
    values = (*layer.body.block.args, *layer.outs)
    return sum(
        _elements_used(value) * dtype_of_element(stored).itemsize
        for value, stored in zip(values, storage_of(layer), strict=True)
    )


def _elements_used(value: SSAValue) -> int:
    """Elements of an input or a result of a layer; of a table, only those that are looked up."""
    size, looked_up = prod(shape_of(value)), 0
    if not isinstance(value, BlockArgument):
        return size
    for use in value.uses:
        op = use.operation
        if not isinstance(op, CanaoOp) or op.access_pattern() is not AccessPattern.GATHER:
            return size
        looked_up += prod(shape_of(op.results[0]))
    return min(size, looked_up, key=most)
