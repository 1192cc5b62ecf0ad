"""Where in the model's Python source an operation comes from."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager
from traceback import StackSummary

from torch.fx import Node
from torch.fx.proxy import TracerBase

_FRAME = re.compile(r'File "(?P<file>[^"]+)", line (?P<line>\d+), in (?P<function>\S+)')
_INSIDE_TORCH = re.compile(r"[/\\]site-packages[/\\]torch[/\\]|[/\\]torch[/\\](nn|_|fx|utils)")
_FILTER = "_filter_traceback_frames"


def source_location(node: Node) -> str:
    """`file:line in function` of the innermost frame outside PyTorch; "" if unknown."""
    frames = list(_FRAME.finditer(node.meta.get("stack_trace") or ""))
    if not frames:
        return ""
    outside = [frame for frame in frames if not _INSIDE_TORCH.search(frame["file"])]
    frame = (outside or frames)[-1]
    return f"{frame['file']}:{frame['line']} in {frame['function']}"


def _model_frames(_: TracerBase, stack: StackSummary) -> StackSummary:
    """The frames from the first `forward` on that are not PyTorch's own."""
    names = [frame.name for frame in stack]
    called = stack[names.index("forward") :] if "forward" in names else []
    outside = [frame for frame in called if not _INSIDE_TORCH.search(frame.filename)]
    return StackSummary.from_list(outside or called)


@contextmanager
def whole_stacks() -> Generator[None]:
    """Tracing notes for each operation all frames of the model.

    PyTorch keeps those of functions named `forward` and drops the helpers that
    they call. One trace at a time: the filter is the whole process's.
    """
    original = vars(TracerBase).get(_FILTER)
    if original is None:
        yield
        return
    setattr(TracerBase, _FILTER, _model_frames)
    try:
        yield
    finally:
        setattr(TracerBase, _FILTER, original)
