"""Emits one fused layer under a schedule as a function over flat buffers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from math import prod

from xdsl.dialects import arith, func, memref
from xdsl.dialects.builtin import IntegerAttr, MemRefType, UnitAttr, i64
from xdsl.ir import Attribute, Block, Region, SSAValue

from canao.dialects.canao import GatherOp, LayerOp, WeightOp, YieldOp
from canao.dialects.canao.types import element_of, shape_of
from canao.dialects.group_memory import allocate_own
from canao.extent import Symbol, is_symbolic
from canao.lowering.emit.groups.pipelined_product import PipelinedProductEmitter
from canao.lowering.emit.groups.shared_stage import SharedStageEmitter
from canao.lowering.emit.groups.stage_buffers import StageBuffers
from canao.lowering.emit.loops import Loops, Names, branch, index_constant, parallel
from canao.lowering.emit.roles import role_of, stage_role
from canao.lowering.emit.scalar_ops import add
from canao.lowering.emit.sizes import Sizes
from canao.lowering.emit.stage_emitter import StageEmitter
from canao.lowering.emit.tasks import TaskRun, part_of, task_run
from canao.lowering.emit.value_emitter import Buffer
from canao.lowering.schedules.pipelining_plan import k_tile_elements, own_parts
from canao.lowering.schedules.schedule import Group, Schedule, StageSchedule
from canao.lowering.schedules.scratch import buffer_holders
from canao.lowering.stages.form_stages import form_stages
from canao.lowering.stages.layout import Dense, Layout, Panels, Window, stored_shape
from canao.lowering.stages.reads import varying_points
from canao.lowering.stages.stage import Part, Stage
from canao.lowering.stages.words import FETCHED, OUTPUT, PACKED, PARTIAL, SHARED, SIZES
from canao.machine.processor import VectorUnit
from canao.polyhedral.index import Index, Variable, apply_map
from canao.polyhedral.split import Segment, split_evenly, split_with_rest
from canao.transforms.narrow_storage import storage_of


def flat_memref(value: SSAValue, element: Attribute, elements: int | None = None) -> MemRefType:
    """The flat buffer type of a tensor value, whose elements lie in memory as one type."""
    size = prod(stored_shape(value)) if elements is None else elements
    return MemRefType(element, [size])


class KernelEmitter:
    """Emits a layer, its composites already expanded, as a `func.func`."""

    def __init__(
        self,
        layer: LayerOp,
        schedule: Schedule,
        unit: VectorUnit,
        symbols: Sequence[Symbol] = (),
        points: tuple[int, int | None] = (0, None),
    ) -> None:
        self.layer = layer
        self.schedule = schedule
        self.unit = unit
        self.lanes = unit.lanes_f32
        self.symbols = symbols
        """What the sizes that a kernel is given are the values of, in their order."""
        self.points = points
        """The least and the most points for which it has tasks."""
        self.names = Names()
        self.body = layer.body.block
        self.stages = form_stages(self.body, grouped=schedule.group is not None)
        terminator = self.body.last_op
        assert isinstance(terminator, YieldOp)
        self.outputs = tuple(terminator.arguments)
        values = (*self.body.args, *self.outputs)
        self.stored = dict(zip(values, storage_of(layer), strict=True))
        """As what the inputs and outputs lie in memory."""
        self.stage_buffers: list[StageBuffers] = []
        inputs = zip(self.body.args, layer.inputs, strict=True)
        self.constant = {a for a, value in inputs if isinstance(value.owner, WeightOp)}
        self.extents = tuple(dict.fromkeys(self._extents()))
        """What loops and checks of indices ask for."""
        self.sized = any(map(is_symbolic, self.extents))
        """Whether the kernel is given the sizes, behind its buffers."""
        self.roles = self._roles()
        """What the buffers are called: inputs, then outputs."""

    def _extents(self) -> Iterator[int]:
        for stage in self.stages:
            yield from stage.lengths
        for op in self.body.ops:
            if isinstance(op, GatherOp):
                yield from shape_of(op.table)[: len(op.indices)]

    def emit(self, name: str) -> func.FuncOp:
        """The kernel: arguments are the layer's inputs, its outputs, and sizes if it needs them."""
        layouts: list[Layout] = [Dense(stored_shape(v)) for v in self.body.args]
        for packed in self.schedule.packed:
            rows, columns = shape_of(self.body.args[packed.input])
            layouts[packed.input] = Panels(rows, columns, packed.width)
        layouts += [Dense(stored_shape(v)) for v in self.outputs]
        values = (*self.body.args, *self.outputs)
        types = [
            flat_memref(v, self.stored[v], y.size) for v, y in zip(values, layouts, strict=True)
        ]
        types += [MemRefType(i64, [len(self.symbols)])] if self.sized else []
        block = Block(arg_types=types)
        hints = [*self.roles, SIZES] if self.sized else self.roles
        for argument, role in zip(block.args, hints, strict=True):
            argument.name_hint = role
        buffers = {
            v: Buffer(memory, layout)
            for v, memory, layout in zip(values, block.args, layouts, strict=False)
        }
        self.sizes = Sizes(block, block.args[-1] if self.sized else None, self.symbols)
        for extent in self.extents:
            self.sizes.count(extent)
        segments = [self._tasks(block, b) for b in range(len(self.schedule.band))]
        trips = [s.count if isinstance(s, TaskRun) else sum(n.count for n in s) for s in segments]
        most = [s.most if isinstance(s, TaskRun) else sum(n.count for n in s) for s in segments]
        trips = self._only_for_its_points(block, trips)

        def task(inner: Block, loops: Loops, at: Sequence[Index]) -> None:
            scratch = self._scratch(inner)
            self.stage_buffers = self._stage_buffers(inner)
            self._choose(inner, loops, at, segments, [], {**buffers}, scratch)

        named = zip(self.stages[0].words, self.schedule.band, strict=False)
        words = [word if size == 1 else f"{word}_block" for word, size in named]
        parallel(block, self.names, trips, task, words, most)
        block.add_op(func.ReturnOp())
        kernel = func.FuncOp(name, (types, []), Region(block), visibility="private")
        kernel.attributes["canao.kernel"] = UnitAttr()
        if self.schedule.group is not None:
            kernel.attributes["canao.items"] = IntegerAttr(self.schedule.group.items, i64)
        return kernel

    def _roles(self) -> list[str]:
        packed = {self.body.args[p.input] for p in self.schedule.packed}
        roles = [PACKED if v in packed else role_of(v, self.constant) for v in self.body.args]
        return [*roles, *(OUTPUT for _ in self.outputs)]

    def _tasks(self, block: Block, b: int) -> Sequence[Segment] | TaskRun:
        """The tasks along a dimension of the band."""
        stage, tile = self.stages[0], self.schedule.band[b]
        length, extent = self.sizes.count(stage.lengths[b]), stage.extents[b]
        if length is None:
            return self._band_segments(b)
        wanted = self.schedule.tasks[b] if self.schedule.tasks else 1
        whole = self._in_vectors(b)
        return task_run(block, length, extent, tile, wanted, self.schedule, whole=whole)

    def _only_for_its_points(
        self, block: Block, trips: Sequence[int | SSAValue]
    ) -> Sequence[int | SSAValue]:
        """The counts of tasks, one of them 0 where the kernel is not meant for so many points."""
        least, most = self.points
        if (least, most) == (0, None):
            return trips
        found = self.sizes.value(varying_points(self.stages, len(self.schedule.band)))
        zero, one = index_constant(block, 0), index_constant(block, 1)
        rooms: list[SSAValue] = []
        if least:
            rooms.append(add(block, arith.SubiOp(found, index_constant(block, least - 1))))
        if most is not None:
            rooms.append(add(block, arith.SubiOp(index_constant(block, most + 1), found)))
        b, count = next((n, t) for n, t in enumerate(trips) if not isinstance(t, int))
        for room in rooms:
            inside = add(block, arith.MinSIOp(add(block, arith.MaxSIOp(room, zero)), one))
            count = add(block, arith.MuliOp(count, inside))
        return [*trips[:b], count, *trips[b + 1 :]]

    def _band_segments(self, b: int) -> Sequence[Segment]:
        extent, tile = self.stages[0].extents[b], self.schedule.band[b]
        return split_with_rest(extent, tile) if self._in_vectors(b) else split_evenly(extent, tile)

    def _in_vectors(self, b: int) -> bool:
        return any(b in (s.vector, s.across) for s in self.schedule.stages)

    def _most_points(self, b: int) -> int:
        """Points of the largest task along a dimension of the band."""
        if is_symbolic(self.stages[0].lengths[b]):
            return min(self.schedule.band[b], self.stages[0].extents[b])
        return max(segment.size for segment in self._band_segments(b))

    # ------------------------------------------------------------- scratch

    def _window(self, stage: Stage, schedule: StageSchedule, parts: Sequence[Part]) -> Window:
        """The part of a stage's target that one task makes."""
        variables = [Variable(f"d{n}", e) for n, e in enumerate(stage.extents)]
        stored_at = apply_map(stage.target_map, [Index.of(v) for v in variables])
        base = [Index()] * len(stored_at)
        extents = list(stored_shape(stage.target))
        for b, part in enumerate(parts):
            if stage.extents[b] > 1 and Index.of(variables[b]) in stored_at:
                r = stored_at.index(Index.of(variables[b]))
                base[r], extents[r] = part.start, part.size
        return Window(tuple(base), tuple(extents), schedule.layout)

    def _inner_stages(self) -> list[tuple[Stage, StageSchedule]]:
        """The first stage of every value that no output buffer holds."""
        first: dict[SSAValue, tuple[Stage, StageSchedule]] = {}
        for stage, schedule in zip(self.stages, self.schedule.stages, strict=True):
            if stage.target not in self.outputs:
                first.setdefault(stage.target, (stage, schedule))
        return list(first.values())

    def _scratch(self, block: Block) -> dict[SSAValue, SSAValue]:
        largest = self._largest()
        scratch: dict[SSAValue, SSAValue] = {}
        holders = buffer_holders(self.stages, self.schedule)
        for stage, schedule in self._inner_stages():
            if stage.target in holders:
                scratch[stage.target] = scratch[holders[stage.target]]
                continue
            size = self._window(stage, schedule, largest).size
            made = _allocate(block, element_of(stage.target), size)
            made.name_hint = stage_role(stage.anchor)
            scratch[stage.target] = made
        return scratch

    def _stage_buffers(self, block: Block) -> list[StageBuffers]:
        """What each stage needs beside its target.

        Stages take turns in the memory of the group, of which none leaves anything behind.
        """
        stages = range(len(self.stages))
        if self.schedule.group is None:
            return [StageBuffers(partial_sums=self._sums_memory(block, n)) for n in stages]
        needed: dict[Attribute, int] = {}
        for n in stages:
            element = self._element(n)
            needed[element] = max(needed.get(element, 0), self._shared_elements(n))
        shared = {e: _allocate(block, e, size) for e, size in needed.items() if size}
        for memory in shared.values():
            memory.name_hint = SHARED
        return [self._room(block, n, self.schedule.group, shared) for n in stages]

    def _element(self, n: int) -> Attribute:
        """The type of what a stage adds up, or stores."""
        anchor = self.stages[n].anchor
        return element_of(self.stages[n].target if anchor is None else anchor.results[0])

    def _sizes(self, n: int) -> list[int]:
        """Points of the largest part of a stage, along each independent dimension."""
        stage, largest = self.stages[n], self._largest()
        return [*(part.size for part in largest), *stage.extents[len(largest) : stage.parallel]]

    def _shared_elements(self, n: int) -> int:
        """What a stage needs of the memory of the group beside its target."""
        group = self.schedule.group
        assert group is not None
        k_tile = group.k_tile[n]
        if not k_tile:
            return prod(self._sizes(n)) * group.split_k[n] if group.split_k[n] > 1 else 0
        sizes = [*self._sizes(n), k_tile]
        return k_tile_elements(self.stages[n], sizes, group.items, self.lanes)

    def _room(
        self, block: Block, n: int, group: Group, shared: Mapping[Attribute, SSAValue]
    ) -> StageBuffers:
        split_k, k_tile, element = group.split_k[n], group.k_tile[n], self._element(n)
        if not k_tile:
            splits = split_k > 1
            partial_sums = None if splits else self._sums_memory(block, n)
            return StageBuffers(
                split_k, shared[element] if splits else None, partial_sums=partial_sums
            )
        sums, *fetched = own_parts(
            self.stages[n],
            self.schedule.stages[n],
            [*self._sizes(n), k_tile],
            group.items,
            self.lanes,
        )
        own = [allocate_own(block, element, group.items, size) for size in (sums, *fetched)]
        for memory, word in zip(own, (PARTIAL, *(FETCHED for _ in fetched)), strict=True):
            memory.name_hint = word
        return StageBuffers(
            split_k=split_k,
            shared=shared[element],
            k_tile=k_tile,
            items=group.items,
            sums=own[0],
            fetched=tuple(own[1:]),
        )

    def _largest(self) -> list[Part]:
        """The largest part of the shared dimensions that a task has."""
        return [Part(Index(), self._most_points(b)) for b in range(len(self.schedule.band))]

    def _sums_memory(self, block: Block, n: int) -> SSAValue | None:
        """Where sums wait between blocks of terms, if the target would round them."""
        stage, schedule = self.stages[n], self.schedule.stages[n]
        if stage.anchor is None:
            return None
        terms = stage.extents[stage.parallel]
        computed = element_of(stage.target)
        if self.stored.get(stage.target, computed) == computed:
            return None
        if not schedule.block or schedule.block >= terms:
            return None
        window = self._window(stage, schedule, self._largest())
        partial_sums = _allocate(block, computed, window.size)
        partial_sums.name_hint = PARTIAL
        return partial_sums

    # --------------------------------------------------------------- tasks

    def _choose(
        self,
        block: Block,
        loops: Loops,
        at: Sequence[Index],
        segments: Sequence[Sequence[Segment] | TaskRun],
        parts: list[Part],
        buffers: dict[SSAValue, Buffer],
        scratch: dict[SSAValue, SSAValue],
    ) -> None:
        """Branches on tile sizes where a dimension has two, then emits the stages."""
        b = len(parts)
        if b == len(segments):
            self._emit_stages(block, loops, parts, buffers, scratch)
            return
        tasks = segments[b]
        if isinstance(tasks, TaskRun):
            part, known = part_of(block, loops, self.names, tasks, at[b])
            self._choose(block, known, at, segments, [*parts, part], buffers, scratch)
            return
        first, *others = tasks

        def inside(inner: Block, now: Loops, segment: Segment, tile: Index) -> None:
            part = Part(tile * segment.size + segment.start, segment.size)
            self._choose(inner, now, at, segments, [*parts, part], buffers, scratch)

        if not others:
            inside(block, loops, first, at[b])
            return
        ((variable, _),) = at[b].terms
        assert isinstance(variable, Variable)
        number = loops[variable]
        end = index_constant(block, first.count)
        condition = add(block, arith.CmpiOp(number, end, "slt"))

        def fill(inner: Block, segment: Segment, skipped: int) -> None:
            # A variable of its own tells the tile's range to the index arithmetic.
            tile = self.names.variable(segment.count)
            if segment.count == 1:
                inside(inner, loops, segment, Index())
                return
            skip = index_constant(inner, skipped)
            local = add(inner, arith.SubiOp(number, skip))
            local.name_hint = number.name_hint
            inside(inner, {**loops, tile: local}, segment, Index.of(tile))

        branch(
            block,
            condition,
            lambda then: fill(then, first, 0),
            lambda other: fill(other, others[0], first.count),
        )

    def _emit_stages(
        self,
        block: Block,
        loops: Loops,
        parts: Sequence[Part],
        buffers: dict[SSAValue, Buffer],
        scratch: dict[SSAValue, SSAValue],
    ) -> None:
        local = dict(buffers)
        for stage, schedule in self._inner_stages():
            target = stage.target
            local[target] = Buffer(scratch[target], self._window(stage, schedule, parts))
        for n, stage in enumerate(self.stages):
            rest = [
                Part(Index(), stage.extents[d], count=self.sizes.count(stage.lengths[d]))
                for d in range(len(parts), stage.parallel)
            ]
            emitter = self._emitter(n, local, parts)
            emitter.emit(block, loops, [*parts, *rest])

    def _emitter(
        self, n: int, buffers: dict[SSAValue, Buffer], parts: Sequence[Part]
    ) -> StageEmitter:
        stage, schedule = self.stages[n], self.schedule.stages[n]
        stage_buffers = self.stage_buffers[n]
        sums = None
        if stage_buffers.partial_sums is not None:
            sums = Buffer(stage_buffers.partial_sums, self._window(stage, schedule, parts))
        if self.schedule.group is None:
            return StageEmitter(stage, schedule, self.unit, buffers, self.names, self.sizes, sums)
        kind = PipelinedProductEmitter if stage_buffers.k_tile else SharedStageEmitter
        more = self.sizes, stage_buffers, sums
        return kind(stage, schedule, self.unit, buffers, self.names, *more)


def _allocate(block: Block, element: Attribute, size: int) -> SSAValue:
    op = memref.AllocaOp.get(element, 64, [size])
    block.add_op(op)
    return op.results[0]
