"""The vector dialect, but for loads and stores, and what holds vectors in registers."""

from __future__ import annotations

from xdsl.dialects import arith, vector
from xdsl.dialects.vector import CombiningKindFlag
from xdsl.ir import Operation

from canao.dialects import canao_vector
from canao.lowering.c.context import FunctionPrinter, OpPrinter
from canao.lowering.c.errors import Unprintable
from canao.lowering.c.expressions import helpers
from canao.lowering.c.expressions.arithmetic import combine, lane_scalar
from canao.lowering.c.expressions.conversions import print_bits
from canao.lowering.c.expressions.functions import print_fma
from canao.lowering.c.language.types import CType

# For each kind: the operation on floats, the one on integers.
_COMBINERS: dict[CombiningKindFlag, tuple[type[Operation] | None, type[Operation] | None]] = {
    CombiningKindFlag.ADD: (arith.AddfOp, arith.AddiOp),
    CombiningKindFlag.MUL: (arith.MulfOp, arith.MuliOp),
    CombiningKindFlag.MAXIMUMF: (arith.MaximumfOp, None),
    CombiningKindFlag.MINIMUMF: (arith.MinimumfOp, None),
    CombiningKindFlag.MAXNUMF: (arith.MaxnumfOp, None),
    CombiningKindFlag.MINNUMF: (arith.MinnumfOp, None),
    CombiningKindFlag.MAXSI: (None, arith.MaxSIOp),
    CombiningKindFlag.MINSI: (None, arith.MinSIOp),
    CombiningKindFlag.MAXUI: (None, arith.MaxUIOp),
    CombiningKindFlag.MINUI: (None, arith.MinUIOp),
    CombiningKindFlag.AND: (None, arith.AndIOp),
    CombiningKindFlag.OR: (None, arith.OrIOp),
    CombiningKindFlag.XOR: (None, arith.XOrIOp),
}


def _print_reduction(fn: FunctionPrinter, op: vector.ReductionOp) -> None:
    ctype = fn.ctype(op.vector)
    kind = _COMBINERS[op.kind.data][0 if ctype.element.is_float else 1]
    if kind is None:
        raise Unprintable(f"reduction <{op.kind.data}> of {op.vector.type}")
    binary = combine(kind)
    text = fn.name(op.vector)
    if ctype.is_vector:

        def pair(part: CType, a: str, b: str) -> str:
            return binary(fn.unit, part, a, b)

        text = helpers.reduction(fn.unit, ctype, str(op.kind.data), pair, text)
        if ctype.element.is_bool:
            text = f"({text} != 0)"
    if op.acc is not None:
        text = binary(fn.unit, ctype.with_lanes(1), fn.name(op.acc), text)
    fn.define(op.dest, text)


def _print_broadcast(fn: FunctionPrinter, op: vector.BroadcastOp) -> None:
    source, target = fn.ctype(op.source), fn.ctype(op.vector)
    name = fn.name(op.source)
    if source.lanes == target.lanes:
        fn.define(op.vector, name)
        return
    if source.is_vector:
        raise Unprintable(f"a broadcast of {source.lanes} lanes to {target.lanes}")
    fn.define(op.vector, helpers.splat(fn.unit, target, lane_scalar(source, name)))


def _position(fn: FunctionPrinter, op: vector.ExtractOp | vector.InsertOp) -> int | str | None:
    """The lane that an op names, if it names one."""
    position = op.get_mixed_position()
    if len(position) > 1:
        raise Unprintable("a vector of rank above 1")
    if not position:
        return None
    place = position[0]
    return place if isinstance(place, int) else fn.name(place)


def _print_extract(fn: FunctionPrinter, op: vector.ExtractOp) -> None:
    ctype, name = fn.ctype(op.vector), fn.name(op.vector)
    place = _position(fn, op)
    if not ctype.is_vector or place is None:
        fn.define(op.result, name)
        return
    text = fn.unit.dialect.lane(ctype, name, place)
    fn.define(op.result, f"{text} != 0" if ctype.element.is_bool else text)


def _print_insert(fn: FunctionPrinter, op: vector.InsertOp) -> None:
    ctype, source = fn.ctype(op.dest), fn.name(op.source)
    place = _position(fn, op)
    if not ctype.is_vector or place is None:
        fn.define(op.result, source)
        return
    name = fn.bind(op.result)
    fn.line(f"{ctype.c} {name} = {fn.name(op.dest)};")
    fn.line(f"{fn.unit.dialect.lane(ctype, name, place)} = {lane_scalar(ctype, source)};")


def _print_shuffle(fn: FunctionPrinter, op: vector.ShuffleOp) -> None:
    first, second, target = fn.ctype(op.v1), fn.ctype(op.v2), fn.ctype(op.result)
    places = op.mask.get_values()
    if first.is_vector and first == second and target.is_vector:
        names = [fn.name(op.v1), fn.name(op.v2)]
        fn.define(op.result, fn.unit.dialect.shuffle(first, names, places))
        return
    lanes = [_lane(fn, op, place, first, second, target) for place in places]
    text = fn.unit.dialect.vector(target, lanes) if target.is_vector else lanes[0]
    fn.define(op.result, text)


def _lane(
    fn: FunctionPrinter, op: vector.ShuffleOp, place: int, first: CType, second: CType, to: CType
) -> str:
    """One lane of a shuffle of vectors that differ in length."""
    if place < 0:
        return "0"
    from_first = place < first.lanes
    ctype = first if from_first else second
    name = fn.name(op.v1 if from_first else op.v2)
    if not ctype.is_vector:
        return lane_scalar(ctype, name) if to.is_vector else name
    text = fn.unit.dialect.lane(ctype, name, place if from_first else place - first.lanes)
    return f"({text} != 0)" if ctype.element.is_bool and not to.is_vector else text


def _print_keep(fn: FunctionPrinter, op: canao_vector.KeepOp) -> None:
    _print_hint(fn, op, "keep", fn.unit.dialect.keep(fn.ctype(op.operand)))


def _print_in_order(fn: FunctionPrinter, op: canao_vector.InOrderOp) -> None:
    _print_hint(fn, op, "in_order", fn.unit.dialect.in_order(fn.ctype(op.operand)))


def _print_hint(fn: FunctionPrinter, op: canao_vector.HintOp, name: str, body: str | None) -> None:
    ctype, text = fn.ctype(op.operand), fn.name(op.operand)
    fn.define(op.result, helpers.hint(fn.unit, ctype, name, body, text))


PRINTERS: dict[type[Operation], OpPrinter] = {
    canao_vector.InOrderOp: _print_in_order,
    canao_vector.KeepOp: _print_keep,
    vector.BitcastOp: print_bits,
    vector.BroadcastOp: _print_broadcast,
    vector.ExtractOp: _print_extract,
    vector.FMAOp: print_fma,
    vector.InsertOp: _print_insert,
    vector.ReductionOp: _print_reduction,
    vector.ShuffleOp: _print_shuffle,
}
