"""Where in the model's Python source an operation comes from."""

from __future__ import annotations

import re

from torch.fx import Node

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>\S+)')
_INSIDE_TORCH = re.compile(r"[/\\]site-packages[/\\]torch[/\\]|[/\\]torch[/\\](nn|_|fx|utils)")


def source_location(node: Node) -> str:
    """`file:line in function` of the innermost frame outside PyTorch; "" if unknown."""
    frames = list(_FRAME.finditer(node.meta.get("stack_trace") or ""))
    if not frames:
        return ""
    outside = [frame for frame in frames if not _INSIDE_TORCH.search(frame["file"])]
    frame = (outside or frames)[-1]
    return f"{frame['file']}:{frame['line']} in {frame['function']}"
