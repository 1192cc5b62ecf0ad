"""What `canao-opt` knows by name: dialects, passes and targets.

Each entry names a module and what to take from it, so that nothing is imported
before it is asked for. A new pass needs one line here.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from xdsl.ir import Dialect
from xdsl.passes import ModulePass
from xdsl.utils.target import Target

_DIALECTS = {
    "affine": "xdsl.dialects.affine:Affine",
    "arith": "xdsl.dialects.arith:Arith",
    "builtin": "xdsl.dialects.builtin:Builtin",
    "canao": "canao.dialects.canao:Canao",
    "canao_memory": "canao.dialects.canao_memory:CanaoMemory",
    "canao_vector": "canao.dialects.canao_vector:CanaoVector",
    "cf": "xdsl.dialects.cf:Cf",
    "func": "xdsl.dialects.func:Func",
    "math": "xdsl.dialects.math:Math",
    "memref": "xdsl.dialects.memref:MemRef",
    "scf": "xdsl.dialects.scf:Scf",
    "vector": "xdsl.dialects.vector:Vector",
}

_PASSES = {
    # in the order of the road from torch to C
    "convert-torch-to-canao": "canao.transforms.convert_torch_to_canao:ConvertTorchToCanaoPass",
    "widen-integers": "canao.transforms.widen_integers:WidenIntegersPass",
    "canao-simplify": "canao.transforms.canao_simplify:CanaoSimplifyPass",
    "keep-roundings": "canao.transforms.keep_roundings:KeepRoundingsPass",
    "lp-fusion": "canao.transforms.lp_fusion:LPFusionPass",
    "outline-weights": "canao.transforms.outline_weights:OutlineWeightsPass",
    "name-layers": "canao.transforms.name_layers:NameLayersPass",
    "expand-composites": "canao.transforms.expand_composites:ExpandCompositesPass",
    "collapse-rows": "canao.transforms.collapse_rows:CollapseRowsPass",
    "narrow-storage": "canao.transforms.narrow_storage:NarrowStoragePass",
    "lower-canao-to-affine": "canao.lowering.lower_canao_to_affine:LowerCanaoToAffinePass",
    "approximate-math": "canao.lowering.approximate_math:ApproximateMathPass",
    "plan-memory": "canao.lowering.plan_memory:PlanMemoryPass",
    # what a module is for some sizes
    "fix-extents": "canao.transforms.fix_extents:FixExtentsPass",
    # general ones, from xDSL
    "canonicalize": "xdsl.transforms.canonicalize:CanonicalizePass",
    "cse": "xdsl.transforms.common_subexpression_elimination:CommonSubexpressionElimination",
    "dce": "xdsl.transforms.dead_code_elimination:DeadCodeElimination",
}

_TARGETS = {
    "mlir": "xdsl.targets.mlir:MLIRTarget",
    "c": "canao.lowering.c.target:CTarget",
    "opencl": "canao.lowering.opencl.target:OpenCLTarget",
}


def _lazy(path: str) -> Callable[[], Any]:
    """A function that imports `module:name` when it is called."""
    module, name = path.split(":")
    return lambda: getattr(import_module(module), name)


def get_all_dialects() -> dict[str, Callable[[], Dialect]]:
    """The dialects that the road from torch to C goes through, by name."""
    return {name: _lazy(path) for name, path in _DIALECTS.items()}


def get_all_passes() -> dict[str, Callable[[], type[ModulePass]]]:
    """The passes by name, those of the road first and in its order."""
    return {name: _lazy(path) for name, path in _PASSES.items()}


def get_all_targets() -> dict[str, Callable[[], type[Target]]]:
    """What a module can be printed as, by name."""
    return {name: _lazy(path) for name, path in _TARGETS.items()}
