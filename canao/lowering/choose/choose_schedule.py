"""Chooses a schedule by a cost model: no measuring, the same answer every time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import ceil, prod

from xdsl.ir import SSAValue

from canao.dialects.canao.types import element_of
from canao.dialects.interfaces import AccessPattern, Indexed
from canao.lowering.choose.choose_row_lanes import choose_row_lanes
from canao.lowering.choose.register_tiles import is_held, register_tile
from canao.lowering.schedules.schedule import Packed, Schedule, StageSchedule
from canao.lowering.stages.layout import stored_shape
from canao.lowering.stages.packed_source import packed_source
from canao.lowering.stages.reads import point_variables, shared_band, stage_reads, stays_inside
from canao.lowering.stages.row_lanes import RowLanes
from canao.lowering.stages.stage import Stage
from canao.machine.processor import Caches, VectorUnit
from canao.polyhedral.index import Index, apply_map, linearise

_ROW_TASKS_A_THREAD = 2
"""Tasks per thread where each reads all weights: enough for one slow core to matter less."""
_TASKS_A_THREAD = 4
"""Tasks per thread where splitting finer costs nothing."""
_TERMS_A_SUM = 256
"""Longest chain of additions in a product: rounding as small as that of other libraries."""


@dataclass(frozen=True)
class _Choice:
    stages: tuple[Stage, ...]
    stored: Collection[SSAValue]
    weights: Collection[SSAValue]
    unit: VectorUnit
    threads: int


def choose_schedule(
    stages: tuple[Stage, ...], weights: Collection[SSAValue], unit: VectorUnit, threads: int
) -> Schedule:
    """The schedule that the cost model expects to be fastest.

    `weights` are the inputs of the layer whose values never change.
    """
    row_lanes = RowLanes.of(stages)
    if row_lanes is not None:
        return choose_row_lanes(row_lanes, unit)
    return choose_column_lanes(stages, weights, unit, threads)


def choose_column_lanes(
    stages: tuple[Stage, ...], weights: Collection[SSAValue], unit: VectorUnit, threads: int
) -> Schedule:
    """The same with column lanes: vectors hold neighbouring columns of products."""
    choice = _Choice(stages, {s.target for s in stages}, weights, unit, threads)
    packed: list[Packed] = []
    chosen = tuple(_choose_stage(choice, stage, packed) for stage in stages)
    band = _choose_band(choice, chosen, bool(packed))
    tasks = _wanted_tasks(choice, band, bool(packed))
    fewest, step = (choice.unit.caches.least_rows, choice.threads) if tasks else (1, 1)
    return Schedule(band, chosen, tuple(packed), None, tasks, fewest, step)


def _choose_stage(choice: _Choice, stage: Stage, packed: list[Packed]) -> StageSchedule:
    pattern = stage.anchor.access_pattern() if stage.anchor is not None else None
    if pattern is AccessPattern.CONTRACT:
        return _choose_product(choice, stage, packed)
    vector = _vector_dimension(choice, stage)
    tile = [1] * len(stage.extents)
    if vector is not None:
        tile[vector] = choice.unit.lanes_f32 * choice.unit.side_by_side.vectors
        rows = [d for d in range(stage.parallel) if stage.extents[d] > 1 and d != vector]
        if vector >= stage.parallel and rows:
            tile[rows[-1]] = choice.unit.side_by_side.rows
    return StageSchedule(_order(stage, vector), tuple(tile), vector)


def _order(stage: Stage, vector: int | None) -> tuple[int, ...]:
    """Natural order, the vector dimension last."""
    dims = [d for d in range(stage.parallel) if d != vector]
    return (*dims, vector) if vector is not None and vector < stage.parallel else tuple(dims)


def _strides(choice: _Choice, stage: Stage) -> list[list[int | None]]:
    """For each dimension the strides of all reads, then of the store."""
    variables = point_variables(stage)
    dims = [Index.of(v) for v in variables]
    reads = stage_reads(stage, choice.stored)
    target = linearise(apply_map(stage.target_map, dims), stored_shape(stage.target))
    return [[*(r.stride(v) for r in reads), target.coefficient(v)] for v in variables]


def _vector_dimension(choice: _Choice, stage: Stage) -> int | None:
    """The dimension along which the most accesses are contiguous and none irregular."""
    best, best_score = None, 0.0
    for d, strides in enumerate(_strides(choice, stage)):
        extent = stage.extents[d]
        if extent < 2 or not stays_inside(stage, d, choice.stored):
            continue
        reduced = d >= stage.parallel
        if reduced and d != len(stage.extents) - 1:
            continue
        store = strides[-1]
        counted = strides[:-1] if reduced else strides
        contiguous = sum(s == 1 for s in counted)
        irregular = sum(s not in (0, 1) for s in counted)
        if reduced is False and store != 1:
            irregular += 1
        score = (contiguous - 2 * irregular) * min(1.0, extent / choice.unit.lanes_f32)
        if contiguous and score > best_score:
            best, best_score = d, score
    return best


# ------------------------------------------------------------------ products


def _choose_product(choice: _Choice, stage: Stage, packed: list[Packed]) -> StageSchedule:
    """Register tile for a product: columns in vectors, rows broadcast."""
    columns, rows = stage.parallel - 1, stage.parallel - 2
    wide = stage.extents[columns] > 1 and stays_inside(stage, columns, choice.stored)
    vector = columns if wide else None
    if vector is None:
        fallback = _vector_dimension(choice, stage)
        if fallback is not None and fallback >= stage.parallel:
            tile = [1] * len(stage.extents)
            tile[fallback] = choice.unit.lanes_f32 * choice.unit.side_by_side.vectors
            tile[rows] = choice.unit.side_by_side.rows
            return StageSchedule(_order(stage, fallback), tuple(tile), fallback)
    height, width = register_tile(stage.extents[rows], stage.extents[columns], choice.unit)
    tile = [1] * len(stage.extents)
    tile[rows], tile[columns] = height, width
    pack = _packable(choice, stage)
    if pack is not None and vector is not None and Packed(pack, width) not in packed:
        packed.append(Packed(pack, width))
    leading = tuple(range(stage.parallel - 2))
    order = (columns, *leading, rows) if pack is not None else (*leading, columns, rows)
    block = _choose_block(stage)
    keep = vector is not None and is_held(height, width, choice.unit)
    how = StageSchedule(order, tuple(tile), vector, block, keep=keep)
    if pack is None or vector is None or not _is_large(choice, stage.anchor):
        return how
    terms = block or stage.extents[-1]
    tile[-1] = min(choice.unit.prefetch.terms, terms)
    stream = choice.unit.prefetch.bytes_ahead // (4 * width)
    distance = terms if stage.extents[rows] > height else min(terms, stream)
    far = _is_far(choice, stage)
    return replace(how, tile=tuple(tile), prefetch=distance, fetch_results=far)


def _is_large(choice: _Choice, anchor: Indexed | None) -> bool:
    """Whether the right operand of a product comes from afar each time it is read."""
    assert anchor is not None
    return prod(stored_shape(anchor.operands[1])) * 4 > choice.unit.caches.nearest_bytes


def _is_far(choice: _Choice, stage: Stage) -> bool:
    """Whether the lines of a product's result are fetched before they are written."""
    least = choice.unit.prefetch.results_from
    return least is not None and prod(stored_shape(stage.target)) * 4 >= least


def _choose_block(stage: Stage) -> int | None:
    """Terms a block: few blocks, of one size where the terms can be divided so."""
    assert stage.anchor is not None
    terms = stage.extents[-1]
    if not stage.is_fixed(stage.parallel):
        return None
    fewest = ceil(terms / _TERMS_A_SUM)
    if fewest == 1 or element_of(stage.target) != element_of(stage.anchor.results[0]):
        return None
    blocks = next((n for n in range(fewest, 2 * fewest) if terms % n == 0), fewest)
    return ceil(terms / blocks)


def _packable(choice: _Choice, stage: Stage) -> int | None:
    """The input that holds the right operand of a product, if packing it is worth it."""
    source = packed_source(stage)
    return None if source is None or source not in choice.weights else source.index


# --------------------------------------------------------------------- tasks


def _choose_band(
    choice: _Choice, chosen: Sequence[StageSchedule], streams_weights: bool
) -> tuple[int, ...]:
    """Task sizes: enough tasks for the threads, no more re-reading than needed."""
    stages = choice.stages
    band = shared_band(stages)
    first = stages[0]
    extents = first.extents[:band]
    if not band:
        return ()
    if not streams_weights:
        return _small_tasks(choice, chosen, extents)
    if band == first.parallel and sum(packed_source(s) is not None for s in stages) > 1:
        return _panel_tasks(choice, extents, chosen[0].tile[band - 1])
    if len(stages) > 1:
        if not all(map(first.is_fixed, range(band))):
            return _row_tasks(choice.unit.caches, extents, 1, 1)
        wanted = 1 if choice.threads == 1 else choice.threads * _ROW_TASKS_A_THREAD
        return _row_tasks(choice.unit.caches, extents, wanted, choice.threads)
    # Tasks of other columns read other panels: each comes into one processor's cache only.
    rows = _row_tasks(choice.unit.caches, extents[:-1], 1, 1)
    fixed = all(map(first.is_fixed, range(band - 1)))
    tasks = prod(ceil(e / t) for e, t in zip(extents[:-1], rows, strict=True)) if fixed else 1
    width = chosen[0].tile[band - 1]
    panels = ceil(extents[-1] / width)
    wanted = 1 if choice.threads == 1 else choice.threads * _TASKS_A_THREAD
    groups = min(panels, ceil(wanted / tasks))
    return (*rows, min(extents[-1], ceil(panels / groups) * width))


def _wanted_tasks(choice: _Choice, band: tuple[int, ...], streams_weights: bool) -> tuple[int, ...]:
    """Tasks wanted along each dimension of the band, where rows are counted when the layer runs.

    Threads share the rows of layers that need whole rows of a product; other products have tasks
    for columns, and what reads no weights has tasks enough.
    """
    first, *others = choice.stages
    rows = len(band) - 1
    if not streams_weights or not others or choice.threads == 1:
        return ()
    if rows < 0 or first.is_fixed(rows) or rows == first.parallel - 1:
        return ()
    return (*(1 for _ in range(rows)), choice.threads * _ROW_TASKS_A_THREAD)


def _panel_tasks(choice: _Choice, extents: Sequence[int], width: int) -> tuple[int, ...]:
    """One panel of columns a task: what one product hands to the next stays in cache."""
    panels, threads = ceil(extents[-1] / width), choice.threads
    enough = threads == 1 or panels >= threads * _TASKS_A_THREAD
    wanted = 1 if enough else threads * _ROW_TASKS_A_THREAD
    rows = _row_tasks(choice.unit.caches, extents[:-1], wanted, 1 if enough else threads)
    return (*rows, min(extents[-1], width))


def _row_tasks(
    caches: Caches, extents: Sequence[int], wanted: int, threads: int
) -> tuple[int, ...]:
    """About as many tasks as wanted, since every task reads all weights.

    There are more where the rows of one would not stay in the cache.
    """
    tiles = list(extents)
    for d, extent in enumerate(extents):
        pieces = wanted
        if d == len(extents) - 1:
            pieces = max(pieces, threads * ceil(extent / (caches.most_rows * threads)))
            pieces = min(pieces, max(1, extent // caches.least_rows))
            pieces = max(pieces, ceil(extent / caches.most_rows))
        pieces = min(pieces, extent)
        tiles[d] = ceil(extent / pieces)
        wanted = ceil(wanted / pieces)
    return tuple(tiles)


def _small_tasks(
    choice: _Choice, chosen: Sequence[StageSchedule], extents: Sequence[int]
) -> tuple[int, ...]:
    """Tasks that fit the cache and are several a thread."""
    inner = max(prod(s.extents[len(extents) :]) for s in choice.stages)
    points = inner * prod(extents)
    budget = min(choice.unit.caches.task_points, ceil(points / (choice.threads * _TASKS_A_THREAD)))
    tiles = list(extents)
    for d in reversed(range(len(extents))):
        grain = max((s.tile[d] for s in chosen if s.vector == d), default=1)
        share = max(1, budget // inner)
        tiles[d] = min(extents[d], ceil(share / grain) * grain)
        inner *= tiles[d]
    return tuple(tiles)
