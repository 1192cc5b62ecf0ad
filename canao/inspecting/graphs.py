"""The operators of a model before fusion, and its layers after, as graphs that can be shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from xdsl.dialects.func import FuncOp
from xdsl.ir import SSAValue

from canao.dialects.canao import ConstantOp, LayerOp, WeightOp
from canao.dialects.canao.source import dtype_of_element
from canao.dialects.canao.types import element_of, shape_of
from canao.dialects.interfaces import CanaoOp, Reorganising
from canao.errors import VerificationError
from canao.frontend.imported import parse_mlir
from canao.inspecting.places import module_paths
from canao.lowering.block_labels import (
    Path,
    block_labels,
    weight_sources,
    weights_behind,
    weights_path,
)
from canao.program import KernelSpec, Program
from canao.transforms.constants import constant_expressions
from canao.transforms.name_layers import layer_name

BEFORE, AFTER = "simplified", "fused"
"""The stages whose modules are read: the last before LP-Fusion, and the one that it ends."""

INPUT, OPERATOR, MOVE, LAYER, RESULT = "input", "operator", "move", "layer", "result"
"""Kinds of nodes. Operators count as layers before fusion; moves compute nothing and do not."""

_LONGEST = 160


@dataclass(frozen=True)
class Edge:
    """A value that a node reads."""

    source: str
    """The node that makes it."""
    result: int
    """Which of the results of that node it is."""
    operand: int
    """Which operand of the reader it is."""


@dataclass(frozen=True)
class Node:
    """What makes a value, or takes one from the model."""

    id: str
    label: str
    kind: str
    results: tuple[str, ...] = ()
    """Type and shape of each."""
    reads: tuple[Edge, ...] = ()
    weights: tuple[str, ...] = ()
    """The weights of the model that it reads, also those that were computed with ahead of time."""
    attributes: Mapping[str, str] | None = None
    path: Path = ()
    """The module that it belongs to."""


@dataclass(frozen=True)
class Layer:
    """A fused layer: operators that one kernel evaluates."""

    number: int
    node: Node
    """What it writes to memory."""
    operators: tuple[Node, ...]
    operands: tuple[str, ...]
    """Type and shape of all that it reads, weights included."""
    calls: tuple[int, ...]
    """Numbers of the program's calls: one, or one for each range of lengths."""

    @property
    def reads(self) -> tuple[str, ...]:
        """The layers and inputs that it reads, each once."""
        inside = {node.id for node in (*self.operators, self.node)}
        edges = (edge for node in (*self.operators, self.node) for edge in node.reads)
        return tuple(dict.fromkeys(e.source for e in edges if e.source not in inside))


@dataclass(frozen=True)
class ModelGraphs:
    """A model before and after fusion. Each list is in an order in which nodes can be run."""

    before: tuple[Node, ...]
    inputs: tuple[Node, ...]
    layers: tuple[Layer, ...]
    results: tuple[Node, ...]


Known = dict[SSAValue, tuple[str, int]]
"""The node that makes a value, and which of its results it is."""


def read_graphs(program: Program, before: str, after: str) -> ModelGraphs:
    """The graphs of a program from the texts of the stages `BEFORE` and `AFTER`."""
    names = [spec.name for spec in program.inputs]
    fused = _functions(after)
    inputs, layers, results = _layers(fused["main"], fused.get("prepare"), names)
    calls = _calls_of_layers(program.kernels, program.calls)
    if len(calls) != len(layers):
        raise VerificationError(
            f"the module after fusion has {len(layers)} layers and the program calls {len(calls)}; "
            "compile the model again"
        )
    pairs = zip(layers, calls, strict=True)
    return ModelGraphs(
        before=_operators(_functions(before)["main"], names),
        inputs=inputs,
        layers=tuple(replace(layer, calls=some) for layer, some in pairs),
        results=results,
    )


def _functions(text: str) -> dict[str, FuncOp]:
    module = parse_mlir(text)
    return {op.sym_name.data: op for op in module.ops if isinstance(op, FuncOp)}


def _calls_of_layers(kernels: Sequence[KernelSpec], calls: Sequence[int]) -> list[tuple[int, ...]]:
    """The numbers of the calls of each layer: kernels whose ranges of lengths make a whole."""
    found: list[list[int]] = []
    for number, kernel in enumerate(calls):
        if kernels[kernel].least == 0:
            found.append([])
        found[-1].append(number)
    return [tuple(numbers) for numbers in found]


def _inputs(main: FuncOp, names: Sequence[str]) -> tuple[list[Node], Known]:
    nodes: list[Node] = []
    known: Known = {}
    for number, value in enumerate(main.body.block.args):
        node = Node(f"input.{number}", names[number], INPUT, (_type(value),))
        known[value] = node.id, 0
        nodes.append(node)
    return nodes, known


def _results(main: FuncOp, known: Known) -> list[Node]:
    last = main.body.block.last_op
    assert last is not None
    return [
        Node(f"result.{n}", f"result {n}", RESULT, (_type(value),), _edges([value], known))
        for n, value in enumerate(last.operands)
    ]


def _operators(main: FuncOp, names: Sequence[str]) -> tuple[Node, ...]:
    """The nodes before fusion; what depends on weights only is computed ahead and has none."""
    block = main.body.block
    constants = constant_expressions(block)
    inputs, known = _inputs(main, names)
    nodes: list[Node] = []
    for op in block.ops:
        if not isinstance(op, CanaoOp) or all(value in constants for value in op.results):
            continue
        behind = [name for v in op.operands if v in constants for name in weights_behind(v)]
        kind = MOVE if isinstance(op, Reorganising) else OPERATOR
        nodes.append(_node(f"op.{len(nodes)}", op, kind, known, behind))
        known.update({value: (nodes[-1].id, n) for n, value in enumerate(op.results)})
    numbers = {node.id: n for n, node in enumerate(nodes)}
    reads = [[numbers[e.source] for e in node.reads if e.source in numbers] for node in nodes]
    paths = module_paths([weights_path(node.weights) for node in nodes], reads)
    placed = [replace(node, path=path) for node, path in zip(nodes, paths, strict=True)]
    return (*inputs, *placed, *_results(main, known))


def _layers(
    main: FuncOp, prepare: FuncOp | None, names: Sequence[str]
) -> tuple[tuple[Node, ...], list[Layer], tuple[Node, ...]]:
    ops = [op for op in main.body.block.ops if isinstance(op, LayerOp)]
    sources = {} if prepare is None else weight_sources(prepare)
    inputs, known = _inputs(main, names)
    layers: list[Layer] = []
    for number, (op, label) in enumerate(zip(ops, block_labels(ops, prepare), strict=True)):
        path = tuple(filter(None, label.split(".")))
        layers.append(_layer(number, op, path, known, sources))
        known.update({value: (f"layer.{number}", n) for n, value in enumerate(op.outs)})
    return tuple(inputs), layers, tuple(_results(main, known))


def _layer(
    number: int, layer: LayerOp, path: Path, known: Known, sources: Mapping[str, Sequence[str]]
) -> Layer:
    block = layer.body.block
    inside: Known = {}
    weights: dict[SSAValue, Sequence[str]] = {}
    for argument, value in zip(block.args, layer.inputs, strict=True):
        if isinstance(value.owner, WeightOp):
            name = value.owner.sym.data
            weights[argument] = sources.get(name, [name])
        else:
            inside[argument] = known[value]
    nodes: list[Node] = []
    for op in block.ops:
        if not isinstance(op, CanaoOp) or isinstance(op, ConstantOp | WeightOp):
            continue
        behind = [name for v in op.operands for name in weights.get(v, ())]
        kind = MOVE if isinstance(op, Reorganising) else OPERATOR
        node = _node(f"layer.{number}.{len(nodes)}", op, kind, inside, behind)
        nodes.append(replace(node, path=path))
        inside.update({value: (node.id, n) for n, value in enumerate(op.results)})
    last = block.last_op
    assert last is not None
    stored = Node(
        f"layer.{number}",
        layer_name(layer),
        LAYER,
        tuple(map(_type, layer.outs)),
        _edges(last.operands, inside),
        tuple(dict.fromkeys(name for node in nodes for name in node.weights)),
        path=path,
    )
    return Layer(number, stored, tuple(nodes), tuple(map(_type, layer.inputs)), ())


def _node(name: str, op: CanaoOp, kind: str, known: Known, weights: Sequence[str]) -> Node:
    """The node of an operation; constants that it reads are among its attributes."""
    given = {**op.properties, **op.attributes}
    attributes = {key: _shortened(str(value)) for key, value in given.items()}
    for n, value in enumerate(op.operands):
        if isinstance(value.owner, ConstantOp):
            attributes[f"operand {n}"] = _shortened(str(value.owner).partition(" = ")[2])
    results = tuple(map(_type, op.results))
    reads, read = _edges(op.operands, known), tuple(dict.fromkeys(weights))
    return Node(name, op.word(), kind, results, reads, read, attributes)


def _edges(values: Sequence[SSAValue], known: Known) -> tuple[Edge, ...]:
    return tuple(Edge(*known[v], operand=n) for n, v in enumerate(values) if v in known)


def _type(value: SSAValue) -> str:
    """Such as `float32 1x16x64`, and `float32 batch x sequence x 64` where a dimension varies."""
    sizes = [str(extent) for extent in shape_of(value)]
    shape = ("x" if all(map(str.isdigit, sizes)) else " x ").join(sizes)
    return f"{dtype_of_element(element_of(value)).name} {shape or 'scalar'}"


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
