"""`as_strided` as a lookup: views of memory by offset and strides have no other meaning here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch.export import ExportedProgram
from torch.fx import Node

from canao.errors import UnsupportedOpError
from canao.frontend.tracing.source_location import source_location


def _fills_its_memory(value: torch.Tensor) -> bool:
    """Whether a tensor has each element of its memory once."""
    extents = sorted(zip(value.stride(), value.shape, strict=True))
    dense = 1
    for stride, extent in extents:
        if extent == 1:
            continue
        if stride != dense:
            return False
        dense *= extent
    size = value.untyped_storage().nbytes() // value.element_size()
    return value.storage_offset() == 0 and size == dense


def check_strided(program: ExportedProgram) -> None:
    """Refuses `as_strided` of a part of memory: the rest is not in the graph."""
    for node in program.graph.nodes:
        if node.target is not torch.ops.aten.as_strided.default:
            continue
        source = node.args[0]
        value = source.meta.get("val") if isinstance(source, Node) else None
        if not isinstance(value, torch.Tensor) or not _fills_its_memory(value):
            raise UnsupportedOpError(
                "aten.as_strided",
                source_location(node),
                "its operand is a part of another tensor; call .contiguous() on it first",
            )


def _as_strided(
    value: torch.Tensor, size: Sequence[int], stride: Sequence[int], offset: int | None = None
) -> torch.Tensor:
    """`out[i, j] = memory[offset + i * stride[0] + j * stride[1]]`."""
    order = sorted(range(value.dim()), key=lambda n: (value.stride(n), value.shape[n]))[::-1]
    memory = value.permute(order).reshape(-1)
    place = torch.full((1,) * len(size), offset or 0)
    for axis, (extent, step) in enumerate(zip(size, stride, strict=True)):
        shape = [extent if n == axis else 1 for n in range(len(size))]
        place = place + step * torch.arange(extent).reshape(shape)
    return memory[place] if size else memory[offset or 0]


STRIDED: dict[Any, Callable[..., Any]] = {torch.ops.aten.as_strided.default: _as_strided}
"""The decomposition, for `ExportedProgram.run_decompositions`."""
