"""Emits a stage whose tiles the work-items of a group share.

The loops over tiles become one parallel loop, at whose end the items wait for
each other. A reduction that has few results is itself shared: each item takes some
of its terms, and the partial results, in local memory, are reduced at the end.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product

from xdsl.ir import Block, SSAValue

from canao.dialects.canao.types import element_of
from canao.dialects.interfaces import Indexed
from canao.lowering.emit.groups.stage_buffers import StageBuffers
from canao.lowering.emit.loops import Loops, Names, carrying_loop, share
from canao.lowering.emit.reduction import Reduction
from canao.lowering.emit.runs import Run, runs_of
from canao.lowering.emit.sizes import Sizes
from canao.lowering.emit.stage_emitter import StageEmitter
from canao.lowering.emit.tile import Point, Terms
from canao.lowering.emit.value_emitter import Buffer, ValueEmitter
from canao.lowering.schedules.schedule import StageSchedule
from canao.lowering.stages.layout import Dense
from canao.lowering.stages.stage import Part, Stage
from canao.machine.processor import VectorUnit
from canao.polyhedral.index import Index, apply_map


class SharedStageEmitter(StageEmitter):
    """Emits a stage into the block of a group."""

    def __init__(
        self,
        stage: Stage,
        schedule: StageSchedule,
        unit: VectorUnit,
        buffers: Mapping[SSAValue, Buffer],
        names: Names,
        sizes: Sizes,
        stage_buffers: StageBuffers,
        sums: Buffer | None = None,
    ) -> None:
        super().__init__(stage, schedule, unit, buffers, names, sizes, sums)
        self.stage_buffers = stage_buffers

    def emit(self, block: Block, loops: Loops, parts: Sequence[Part]) -> None:
        emitter = ValueEmitter(block, loops, self.buffers, self.stage.target, self.sizes)
        if self.stage_buffers.shared is not None:
            self._reduce_together(emitter, parts, self.stage_buffers.shared)
            return
        reduced = range(self.stage.parallel, len(self.stage.extents))
        self._share(emitter, parts, Terms(self.reductions.whole(reduced[0])) if reduced else None)

    # ----------------------------------------------------------------- tiles

    def _share(self, emitter: ValueEmitter, parts: Sequence[Part], terms: Terms | None) -> None:
        """One parallel loop for each combination of tile sizes."""
        order = self.schedule.order
        runs, known = [], emitter.loops
        for d in order:
            lanes = self.lanes if d in (self.schedule.vector, self.schedule.across) else None
            tile = self.schedule.tile[d]
            found, known = runs_of(emitter.block, known, self.names, parts[d], tile, lanes)
            runs.append(found)
        for chosen in product(*runs):

            def body(
                inner: Block,
                inside: Loops,
                at: Sequence[Index],
                chosen: tuple[Run, ...] = chosen,
            ) -> None:
                mine = list(parts)
                for d, run, n in zip(order, chosen, at, strict=False):
                    mine[d] = Part(parts[d].start + run.start + n * run.size, run.size)
                within = emitter.inside(inner, inside)
                self._nest(within, mine, max(len(order) - 1, 0), terms)

            counts = [run.count for run in chosen] or [1]
            most = [run.most for run in chosen] or [1]
            share(emitter.block, known, self.names, counts, body, most=most)

    # ----------------------------------------------------------------- reductions

    def _reduce_together(
        self, emitter: ValueEmitter, parts: Sequence[Part], partials: SSAValue
    ) -> None:
        """Partial results first, then the whole of each point."""
        stage, split_k = self.stage, self.stage_buffers.split_k
        assert stage.anchor is not None
        anchor: Indexed = stage.anchor
        reduction = Reduction(anchor, element_of(anchor.results[0]))
        sizes = [part.size for part in parts] or [1]
        counts = [part.size if part.count is None else part.count for part in parts] or [1]
        layout = Dense((*sizes, split_k))
        reduced = (Index(),) * (len(stage.extents) - stage.parallel)

        def point(at: Sequence[Index]) -> Point:
            dims = tuple(part.start + n for part, n in zip(parts, at, strict=False))
            return Point(dims + reduced, None)

        def reduce(inner: Block, inside: Loops, at: Sequence[Index]) -> None:
            within = emitter.inside(inner, inside)
            size = stage.extents[stage.parallel] // split_k
            terms = Terms(Part(at[-1], size, stride=split_k))
            (total,) = self.reductions.totals(within, reduction, [point(at)], terms)
            within.store(total, partials, layout.position(at), None)

        def finish(inner: Block, inside: Loops, at: Sequence[Index]) -> None:
            within = emitter.inside(inner, inside)

            def add_up(
                block: Block, now: Loops, way: Index, carried: Sequence[SSAValue]
            ) -> Sequence[SSAValue]:
                loaded = within.inside(block, now).load(partials, layout.position([*at, way]), None)
                return [reduction.combine(block, carried[0], loaded)]

            start = [reduction.neutral(inner, reduction.element)]
            (total,) = carrying_loop(inner, inside, self.names, split_k, start, add_up)
            here = point(at)
            key = (anchor.results[0], apply_map(anchor.iteration_space().result, here.dims))
            within.known[key] = total
            target = self.buffers[stage.target]
            position = target.layout.position(apply_map(stage.target_map, here.dims))
            self.store(within, [here], [position])

        ways, most = [*counts, split_k], [*sizes, split_k]
        share(emitter.block, emitter.loops, self.names, ways, reduce, most=most)
        share(emitter.block, emitter.loops, self.names, counts, finish, most=sizes)
