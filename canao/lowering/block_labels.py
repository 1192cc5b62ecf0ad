"""Which block of a model each layer belongs to, as the names of its weights tell."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import takewhile

from xdsl.dialects import func
from xdsl.dialects.builtin import ArrayAttr, StringAttr
from xdsl.ir import SSAValue

from canao.dialects.canao import LayerOp, WeightOp
from canao.dialects.interfaces import CanaoOp
from canao.transforms.outline_weights import WEIGHT_NAMES

Path = tuple[str, ...]
"""A name at its dots: `encoder.layer.3` is `("encoder", "layer", "3")`."""


def block_labels(layers: Sequence[LayerOp], prepare: func.FuncOp | None) -> list[str]:
    """A name such as `encoder.layer.3.attention` for each layer; empty where none is known.

    It is what the names of all weights begin with that a layer reads, and for a layer
    without weights, what those of the layers around it begin with.
    """
    sources = {} if prepare is None else weight_sources(prepare)
    paths = [_of_weights(layer, sources) for layer in layers]
    numbers: dict[SSAValue, int] = {
        value: n for n, layer in enumerate(layers) for value in layer.outs
    }
    around: list[set[int]] = [set() for _ in layers]
    for n, layer in enumerate(layers):
        for value in layer.inputs:
            if value in numbers:
                around[n].add(numbers[value])
                around[numbers[value]].add(n)
    found = [
        path or common_path([paths[m] for m in sorted(around[n]) if paths[m]])
        for n, path in enumerate(paths)
    ]
    return [".".join(path) for path in found]


def weight_sources(prepare: func.FuncOp) -> dict[str, list[str]]:
    """The names of the model's weights that each prepared weight is made from."""
    names = prepare.attributes.get(WEIGHT_NAMES)
    returned = prepare.body.block.last_op
    if not isinstance(names, ArrayAttr) or returned is None:
        return {}
    labelled = zip(names, returned.operands, strict=False)
    return {n.data: weights_behind(v) for n, v in labelled if isinstance(n, StringAttr)}


def weights_behind(value: SSAValue) -> list[str]:
    """The names of the weights that a value is computed from."""
    found: dict[str, None] = {}
    pending, seen = [value], {value}
    while pending:
        owner = pending.pop().owner
        if isinstance(owner, WeightOp):
            found[owner.sym.data] = None
        elif isinstance(owner, CanaoOp):
            fresh = [v for v in owner.operands if v not in seen]
            seen.update(fresh)
            pending.extend(fresh)
    return list(found)


def _of_weights(layer: LayerOp, sources: Mapping[str, Sequence[str]]) -> Path:
    owners = [value.owner for value in layer.inputs]
    names = [
        name
        for owner in owners
        if isinstance(owner, WeightOp)
        for name in sources.get(owner.sym.data, [owner.sym.data])
    ]
    return weights_path(names)


def weights_path(names: Sequence[str]) -> Path:
    """What the names of some weights begin with, but for the last part, which is the weight's."""
    return common_path([tuple(name.split(".")[:-1]) for name in names if "." in name])


def common_path(paths: Sequence[Path]) -> Path:
    """What all paths begin with."""
    parts = takewhile(lambda part: len(set(part)) == 1, zip(*paths, strict=False))
    return tuple(part[0] for part in parts)
