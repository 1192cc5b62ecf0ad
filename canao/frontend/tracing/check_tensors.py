"""What tensors a model may take, hold and return: checked where its own names are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import nn
from torch.export import ExportedProgram
from torch.export.graph_signature import InputKind, OutputKind, TensorArgument
from torch.fx import Node
from torch.utils._pytree import keystr, tree_flatten_with_path

from canao.errors import UnsupportedModelError
from canao.frontend.dtypes import check_dtype, dtype_name, storage_problem
from canao.frontend.state import tensors_of

_PLAIN = (torch.Tensor, bool, int, float, str, type(None))
"""What inputs are made of."""


def check_example(
    parameters: Sequence[str], args: Sequence[object], kwargs: Mapping[str, object]
) -> None:
    """An `UnsupportedModelError` for an example input that no compiled model takes.

    `parameters` are the names of positional arguments.
    """
    names = [*parameters, *(f"arg{n}" for n in range(len(parameters), len(args)))]
    given = {**dict(zip(names, args, strict=False)), **kwargs}
    for name, argument in given.items():
        for path, value in tree_flatten_with_path(argument)[0]:
            where = f"input '{name}{keystr(path)}'"
            if isinstance(value, torch.Tensor):
                _check_tensor(where, value)
            elif not isinstance(value, _PLAIN):
                kind = type(value)
                raise UnsupportedModelError(
                    f"{where} is a {kind.__module__}.{kind.__qualname__}; pass tensors, numbers, "
                    "strings or None, in tuples, lists or dicts"
                )


def check_weights(model: nn.Module) -> None:
    """An `UnsupportedModelError` for a weight that cannot be exported.

    It is quantised, or is not in the CPU's memory.
    """
    for name, tensor in tensors_of(model).items():
        if tensor.is_quantized:
            check_dtype(f"weight '{name}'", dtype_name(tensor))
        problem = storage_problem(tensor)
        if problem:
            raise UnsupportedModelError(f"weight '{name}' {problem}")


def _check_tensor(what: str, tensor: torch.Tensor) -> None:
    check_dtype(what, dtype_name(tensor))
    problem = storage_problem(tensor)
    if problem:
        raise UnsupportedModelError(f"{what} {problem}")


def check_program(program: ExportedProgram, results: Sequence[str]) -> None:
    """An `UnsupportedModelError` for a weight in use, or a result, of a dtype not compiled.

    `results` are the names of the leaves of what the model returns.
    """
    nodes: dict[str, Node] = {node.name: node for node in program.graph.nodes}
    for spec in program.graph_signature.input_specs:
        node = nodes[spec.arg.name]
        if spec.kind != InputKind.USER_INPUT and node.users:
            _check(f"weight '{spec.target}'", node)
    outputs = program.graph_signature.output_specs
    returned = [spec.arg for spec in outputs if spec.kind == OutputKind.USER_OUTPUT]
    for path, argument in zip(results, returned, strict=False):
        if isinstance(argument, TensorArgument):
            _check(f"result '{path}'", nodes[argument.name])


def _check(what: str, node: Node) -> None:
    value = node.meta.get("val")
    if isinstance(value, torch.Tensor):
        check_dtype(what, dtype_name(value))
