"""Conversions of bags of embeddings and of places among sorted boundaries."""

from __future__ import annotations

from math import inf, prod

from xdsl.ir import SSAValue

from canao.dialects.canao import (
    CompareOp,
    ConstantOp,
    DivOp,
    GatherOp,
    MaximumOp,
    MulOp,
    NotOp,
    ReduceMaxOp,
    ReduceSumOp,
    SelectOp,
)
from canao.dialects.canao.types import i1, i64, shape_of
from canao.transforms.convert_torch_to_canao.emitter import Converter, Emitter, promoted
from canao.transforms.convert_torch_to_canao.indexing.pairs import check_pairs
from canao.transforms.convert_torch_to_canao.indexing.scattering import within
from canao.transforms.convert_torch_to_canao.movement.shapes import joined
from canao.transforms.convert_torch_to_canao.torch_call import TorchCall

_SUM, _MEAN, _MAX = range(3)


def one_hot(e: Emitter, call: TorchCall) -> SSAValue:
    """`out[i, n] = 1` for the class of `i`, 0 elsewhere; the number of classes is fixed."""
    if call.integer(1, -1) < 0:
        raise call.unsupported("the number of classes depends on values; pass num_classes=")
    index = within(e, e.cast(call.tensor(0), i64), call.shape[-1])
    wide = e.reshape(index, [*shape_of(index), 1])
    return e.cast(e.emit(CompareOp("eq", wide, e.iota(call.shape[-1]))), call.element)


def _offsets(call: TorchCall, length: int) -> list[tuple[int, int]]:
    """Where each bag starts and ends."""
    owner = call.tensor(2).owner
    if not isinstance(owner, ConstantOp):
        raise call.unsupported(
            "bags whose offsets are an input are not; pass ids of shape (bags, ids) instead"
        )
    starts = [int(start) for start in owner.array()]
    ends = starts[1:] if call.flag(7) else [*starts[1:], length]
    return list(zip(starts[: len(ends)], ends, strict=True))


class _Bags:
    """The rows that the bags look up, and which of them count."""

    def __init__(self, e: Emitter, call: TorchCall) -> None:
        table, ids = call.tensor(0), e.cast(call.tensor(1), i64)
        self.rows = e.emit(GatherOp(table, [ids]))
        self.width = shape_of(table)[1]
        weights = call.optional_tensor(6)
        if weights is not None:
            self.rows = e.emit(MulOp(self.rows, e.reshape(weights, [shape_of(ids)[0], 1])))
        padding = call.integer(8, -1) if call.argument(8) is not None else -1
        here = e.emit(CompareOp("ne", ids, e.scalar(padding, i64)))
        self.kept = e.reshape(here, [shape_of(ids)[0], 1])
        self.skips = padding >= 0

    def fold(self, e: Emitter, call: TorchCall, start: int, end: int, count: int) -> SSAValue:
        """The result of `count` bags of equal size one after another: [count, width]."""
        mode, size = call.integer(4, 0), (end - start) // count
        if not size:
            return e.filled(0, call.element, [count, self.width])
        rows = e.reshape(e.slice(self.rows, 0, start, end - start), [count, size, self.width])
        kept = e.reshape(e.slice(self.kept, 0, start, end - start), [count, size, 1])
        shape = [count, self.width]
        zero = e.scalar(0, call.element)
        if mode == _MAX:
            if not self.skips:
                return e.reshape(e.emit(ReduceMaxOp(rows, [1])), shape)
            rows = e.emit(SelectOp(kept, rows, e.scalar(-inf, call.element)))
            best = e.emit(ReduceMaxOp(rows, [1]))
            some = e.cast(e.emit(ReduceMaxOp(e.cast(kept, i64), [1])), i1)
            return e.reshape(e.emit(SelectOp(some, best, zero)), shape)
        if self.skips:
            rows = e.emit(SelectOp(kept, rows, zero))
        total = e.emit(ReduceSumOp(rows, [1]))
        if mode == _MEAN and self.skips:
            number = e.emit(ReduceSumOp(e.cast(kept, call.element), [1]))
            total = e.emit(DivOp(total, e.emit(MaximumOp(number, e.scalar(1, call.element)))))
        elif mode == _MEAN:
            total = e.emit(MulOp(total, e.scalar(1 / size, call.element)))
        return e.reshape(total, shape)


def embedding_bag(e: Emitter, call: TorchCall) -> list[SSAValue | None]:
    """`embedding_bag(table, ids, offsets, _, mode, _, weights, last, padding)`, its first result.

    The modes are 0 (sum), 1 (mean) and 2 (max); empty bags give zeros.
    """
    if any(call.used[1:]):
        raise call.unsupported("only its first result is")
    bags, places = _Bags(e, call), _offsets(call, shape_of(call.tensor(1))[0])
    sizes = {end - start for start, end in places}
    if len(sizes) == 1:
        out = bags.fold(e, call, places[0][0], places[-1][1], len(places))
    else:
        out = joined(e, [bags.fold(e, call, start, end, 1) for start, end in places], 0)
    return [out, *(None for _ in call.results[1:])]


def _before(
    e: Emitter, call: TorchCall, value: SSAValue, bounds: SSAValue, right: bool
) -> SSAValue:
    """How many boundaries lie before each value, along the last axis; all before NaN."""
    beyond = e.emit(CompareOp("gt" if right else "ge", bounds, value))
    count = e.cast(e.emit(NotOp(beyond)), i64)
    total = e.emit(ReduceSumOp(count, [len(shape_of(count)) - 1]))
    return e.cast(e.reshape(total, call.shape), call.element)


def _right(call: TorchCall, number: int) -> bool:
    return call.flag(number) or call.text(number + 1) == "right"


def _counted(e: Emitter, call: TorchCall, number: int, given: int, right: bool) -> SSAValue:
    """Boundaries, argument `number`, before the values, argument `given`."""
    element = promoted([call.argument(given), call.argument(number)])
    bounds, value = (e.as_tensor(call.argument(n), element) for n in (number, given))
    *front, extent = shape_of(bounds)
    shape = shape_of(value)
    check_pairs(call, extent * prod(shape))
    wide = e.reshape(value, [*shape, 1])
    rows = e.reshape(bounds, [*front, 1, extent]) if front else bounds
    return _before(e, call, wide, rows, right)


def bucketize(e: Emitter, call: TorchCall) -> SSAValue:
    """`bucketize(a, boundaries, out_int32, right)`."""
    return _counted(e, call, 1, 0, call.flag(3))


def search_sorted(e: Emitter, call: TorchCall) -> SSAValue:
    """`searchsorted(boundaries, a, out_int32, right, side, sorter)`."""
    if call.argument(5) is not None:
        raise call.unsupported("its sorter is not; sort the boundaries first")
    return _counted(e, call, 0, 1, _right(call, 3))


CONVERSIONS: dict[str, Converter] = {
    "one_hot": one_hot,
    **dict.fromkeys(
        (
            "embedding_bag",
            "embedding_bag.padding_idx",
            "_embedding_bag",
            "_embedding_bag_forward_only",
        ),
        embedding_bag,
    ),
    "bucketize.Tensor": bucketize,
    "bucketize.Scalar": bucketize,
    "searchsorted.Tensor": search_sorted,
    "searchsorted.Scalar": search_sorted,
}
