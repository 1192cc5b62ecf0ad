"""Operators on weights alone that have no conversion are evaluated when a model is imported.

As those that make orthogonal weights are. What they give is a weight of the program; the
weights that it was made from are noted, since it does not follow when these change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, InputSpec, TensorArgument
from torch.fx import Node

_MARK = "canao_folded"
_WEIGHTS = (InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR)


def fold_weights(program: ExportedProgram, nodes: Iterable[Node]) -> None:
    """Replaces those of the nodes that read weights alone by what they give."""
    given = weights_of(program)
    # Programs made of one share this table.
    vars(program)["_constants"] = dict(program.constants)
    known: dict[Node, Any] = {}
    for node in nodes:
        made_from = _ancestors(node)
        sources = [n for n in made_from if n.op == "placeholder"]
        if any(n.name not in given for n in sources) or any(map(_is_random, made_from)):
            continue
        for part in made_from:
            if part not in known:
                known[part] = _evaluated(part, given, known)
        _replace(program, node, known[node])
        for source in sources:
            source.meta[_MARK] = True
    program.graph.eliminate_dead_code()


def weights_of(program: ExportedProgram) -> Mapping[str, torch.Tensor]:
    """The weights of a program by the names of their nodes."""
    tensors: dict[str, Any] = {**program.constants, **program.state_dict}
    return {
        spec.arg.name: tensors[str(spec.target)]
        for spec in program.graph_signature.input_specs
        if spec.kind in _WEIGHTS and spec.target in tensors
    }


def folded_weights(program: ExportedProgram) -> dict[str, torch.Tensor]:
    """The parameters and buffers that went into what was evaluated, by their names."""
    given = weights_of(program)
    marked = {n.name for n in program.graph.nodes if n.op == "placeholder" and n.meta.get(_MARK)}
    return {
        str(spec.target): given[spec.arg.name]
        for spec in program.graph_signature.input_specs
        if spec.arg.name in marked and spec.kind != InputKind.CONSTANT_TENSOR
    }


def _ancestors(node: Node) -> list[Node]:
    """A node and all that it is made from, operands first."""
    found: dict[Node, None] = {}
    pending = [(node, False)]
    while pending:
        current, ready = pending.pop()
        if ready:
            found.setdefault(current)
        elif current not in found:
            pending.append((current, True))
            pending += [(n, False) for n in current.all_input_nodes]
    return list(found)


def _is_random(node: Node) -> bool:
    tags = getattr(node.target, "tags", ())
    return torch.Tag.nondeterministic_seeded in tags


def _evaluated(node: Node, given: Mapping[str, torch.Tensor], known: Mapping[Node, Any]) -> Any:
    if node.op == "placeholder":
        return given[node.name].detach()
    assert callable(node.target)
    args, kwargs = torch.fx.map_arg((node.args, node.kwargs), lambda n: known[n])
    with torch.no_grad():
        return node.target(*args, **kwargs)


def _replace(program: ExportedProgram, node: Node, value: Any) -> None:
    """Uses weights in place of a node, or of each of its results."""
    if isinstance(value, torch.Tensor):
        node.replace_all_uses_with(_weight(program, node, value))
        return
    for user in list(node.users):
        number = user.args[1]
        assert isinstance(number, int)
        user.replace_all_uses_with(_weight(program, user, value[number]))


def _weight(program: ExportedProgram, node: Node, value: torch.Tensor) -> Node:
    """A weight of the program that holds what a node gives."""
    name = f"folded_{node.name}"
    with program.graph.inserting_before(next(iter(program.graph.nodes))):
        made = program.graph.placeholder(name)
    made.meta["val"] = node.meta["val"]
    spec = InputSpec(InputKind.CONSTANT_TENSOR, TensorArgument(made.name), made.name)
    program.graph_signature.input_specs.insert(0, spec)
    program.constants[made.name] = value.contiguous().clone()
    return made
