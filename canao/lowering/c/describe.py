"""What a kernel does, in lines for people: what it computes, its buffers and its schedule."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import ceil, prod
from textwrap import wrap

from xdsl.dialects.builtin import ArrayAttr, StringAttr, f32
from xdsl.dialects.func import FuncOp
from xdsl.ir import SSAValue

from canao.dialects.canao.types import element_of, shape_of
from canao.lowering.c.names import Names
from canao.lowering.choose.layer_task import LayerTask
from canao.lowering.schedules.schedule import Schedule, StageSchedule
from canao.lowering.stages.reads import varying_points
from canao.lowering.stages.stage import Stage
from canao.transforms.name_layers import layer_parts

_COMMENT = "canao.comment"
_WIDTH = 96


def describe(
    function: FuncOp,
    task: LayerTask,
    schedule: Schedule,
    roles: Sequence[str],
    points: tuple[int, int | None] = (0, None),
) -> None:
    """Notes in a kernel what it does; `roles` are what its buffers are called, in order.

    `points` are the least and the most for which it has tasks.
    """
    paragraphs = (
        f"{function.sym_name.data}: {layer_parts(task.layer)}",
        _buffers(task, schedule, roles),
        *_range(task, schedule, points),
        *_schedule(task.stages, schedule),
    )
    lines = [line for paragraph in paragraphs for line in wrap(paragraph, _WIDTH)]
    function.attributes[_COMMENT] = ArrayAttr([StringAttr(line) for line in lines])


def description(function: FuncOp) -> list[str]:
    """The lines that were noted in a kernel."""
    noted = function.attributes.get(_COMMENT)
    if not isinstance(noted, ArrayAttr):
        return []
    return [line.data for line in noted if isinstance(line, StringAttr)]


def _buffers(task: LayerTask, schedule: Schedule, roles: Sequence[str]) -> str:
    layer, names = task.layer, Names()
    panels = {packed.input: packed.width for packed in schedule.packed}
    inputs = len(layer.body.block.args)
    values = (*layer.body.block.args, *layer.outs)
    texts = [
        _buffer(names.word(role), value, panels.get(n) if n < inputs else None)
        for n, (role, value) in enumerate(zip(roles, values, strict=True))
    ]
    return f"{', '.join(texts[:inputs])} -> {', '.join(texts[inputs:])}"


def _buffer(name: str, value: SSAValue, panel: int | None) -> str:
    sizes = "x".join(map(str, shape_of(value))) or "1"
    element = element_of(value)
    kind = "" if element == f32 else f" of {element}"
    packed = "" if panel is None else f" in panels of {panel} columns"
    return f"{name} {sizes}{kind}{packed}"


def _range(task: LayerTask, schedule: Schedule, points: tuple[int, int | None]) -> Iterator[str]:
    least, most = points
    if points == (0, None):
        return
    counted = varying_points(task.stages, len(schedule.band))
    limits = [f"at least {least}"] if least else []
    limits += [f"at most {most}"] if most is not None else []
    yield f"Only where {counted} is {' and '.join(limits)}; else it has no tasks."


def _schedule(stages: Sequence[Stage], schedule: Schedule) -> Iterator[str]:
    first = stages[0]
    sizes = zip(schedule.band, first.extents, first.words, strict=False)
    parts = [(min(size, extent), extent, word) for size, extent, word in sizes if extent > 1]
    tasks = prod(ceil(extent / size) for size, extent, _ in parts)
    shares = " x ".join(_count(size, word) for size, _, word in parts)
    yield f"{_count(tasks, 'task')} of {shares}." if shares else "One task."
    for n, (stage, how) in enumerate(zip(stages, schedule.stages, strict=True)):
        anchor = "" if stage.anchor is None else f", {stage.anchor.word()}"
        start = f"Stage {n + 1}{anchor}: " if len(stages) > 1 else ""
        text = "; ".join(_stage(stage, how))
        yield f"{start}{text[:1].upper()}{text[1:]}."
    if schedule.group is not None:
        yield f"{_count(schedule.group.items, 'work-item')} share a task."


def _stage(stage: Stage, how: StageSchedule) -> Iterator[str]:
    tiles = zip(how.tile, stage.extents, stage.words, strict=True)
    together = [_count(size, word) for size, extent, word in tiles if size > 1 and extent > 1]
    yield f"{' x '.join(together)} at once" if together else "element by element"
    if how.vector is not None:
        yield f"vectors of {stage.words[how.vector]}s"
    if how.across is not None:
        yield f"transposed to vectors of {stage.words[how.across]}s"
    if how.block is not None and how.block < prod(stage.extents[stage.parallel :]):
        yield f"blocks of {_count(how.block, 'term')}"
    if how.prefetch is not None:
        yield f"{_count(how.prefetch, 'term')} fetched ahead"
    if how.fetch_results:
        yield "lines of results fetched before their sums"
    if how.hoist:
        yield "what inner loops do not change computed before them"
    if how.keep:
        yield "sums held in registers"


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
