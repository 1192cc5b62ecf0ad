"""Loads, stores, subscripts and scratch buffers."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from xdsl.dialects import affine, arith, memref, vector
from xdsl.dialects.builtin import MemRefType, NoneAttr
from xdsl.ir import Attribute, Operation, SSAValue

from canao.dialects import canao_vector
from canao.dialects.canao_memory import CompilerFenceOp, PrefetchOp
from canao.lowering.c.context import FunctionPrinter, OpPrinter
from canao.lowering.c.errors import Unprintable
from canao.lowering.c.expressions import helpers
from canao.lowering.c.language.types import CType, Element, element_of
from canao.lowering.c.subscripts import Linear, Subscripts

ALIGNMENT = 64

STORES = (affine.StoreOp, affine.VectorStoreOp, memref.StoreOp, vector.StoreOp)
"""Operations that write their second operand."""

CONVERSIONS = (arith.ExtFOp, arith.TruncFOp, canao_vector.ConvertOp)
"""Operations that make what memory holds a number to compute with, or the reverse."""


def buffer_shape(type_: Attribute) -> tuple[Element, tuple[int, ...]]:
    """Element and shape of a dense row-major buffer."""
    if not isinstance(type_, MemRefType):
        raise Unprintable(f"{type_} is no buffer")
    shape = type_.get_shape()
    if not isinstance(type_.layout, NoneAttr) or any(extent < 0 for extent in shape):
        raise Unprintable(f"buffer {type_} is not dense with a static shape")
    return element_of(type_.element_type), shape


def buffer_bytes(type_: Attribute) -> int:
    """Size of a buffer."""
    element, shape = buffer_shape(type_)
    return element.bytes * prod(shape)


def round_up(size: int) -> int:
    """The next multiple of the alignment of buffers."""
    return -(-size // ALIGNMENT) * ALIGNMENT


def subscripts(fn: FunctionPrinter) -> Subscripts:
    """Evaluates affine expressions over the variables of a function."""
    return Subscripts(
        fn.bounds, lambda kind, a, divisor: helpers.index_division(fn.unit, kind, a, divisor)
    )


def _flatten(type_: Attribute, indices: Sequence[Linear]) -> Linear:
    """The position of an element in its buffer."""
    _, shape = buffer_shape(type_)
    if len(indices) != len(shape):
        raise Unprintable(f"{len(indices)} indices into {type_}")
    position = Linear({}, 0)
    for extent, index in zip(shape, indices, strict=True):
        position = position.times(extent).plus(index)
    return position


def _affine_place(
    fn: FunctionPrinter,
    op: affine.LoadOp | affine.StoreOp | affine.VectorLoadOp | affine.VectorStoreOp,
) -> Linear:
    operands = [fn.linear(index) for index in op.indices]
    return _flatten(op.memref.type, subscripts(fn).results(op.map.data, operands))


def _place(fn: FunctionPrinter, buffer: SSAValue, indices: Sequence[SSAValue]) -> Linear:
    return _flatten(buffer.type, [fn.linear(index) for index in indices])


def _load(fn: FunctionPrinter, result: SSAValue, buffer: SSAValue, place: Linear) -> None:
    ctype = fn.ctype(result)
    if ctype.element.is_only_stored:
        _check_uses(fn, result, CONVERSIONS, "loaded and not made a float32")
        aligned = place.is_multiple_of(ctype.lanes)
        text = fn.unit.dialect.load_stored(ctype, _address(fn, buffer, place), aligned=aligned)
        fn.define(result, text, fn.letter(buffer))
        return
    if ctype.is_vector:
        fn.define(result, _load_vector(fn, ctype, buffer, place), fn.letter(buffer))
        return
    text = f"{fn.name(buffer)}[{fn.within(buffer, place)}]"
    fn.define(result, f"{text} != 0" if ctype.element.is_bool else text, fn.letter(buffer))


def _load_vector(fn: FunctionPrinter, ctype: CType, buffer: SSAValue, place: Linear) -> str:
    place_of_it = _address(fn, buffer, place), fn.space(buffer)
    aligned = place.is_multiple_of(ctype.lanes)
    text = fn.unit.dialect.load(fn.unit, ctype, *place_of_it, aligned=aligned)
    if ctype.element.is_bool:
        return f"{fn.unit.dialect.convert(fn.unit, ctype, text)} != 0"
    return text


def _store(fn: FunctionPrinter, value: SSAValue, buffer: SSAValue, place: Linear) -> None:
    ctype, name = fn.ctype(value), fn.name(value)
    aligned = place.is_multiple_of(ctype.lanes)
    if ctype.element.is_only_stored:
        address = _address(fn, buffer, place)
        fn.line(fn.unit.dialect.store_stored(ctype, address, name, aligned=aligned))
        return
    if not ctype.is_vector:
        text = f"(unsigned char){name}" if ctype.element.is_bool else name
        fn.line(f"{fn.name(buffer)}[{fn.within(buffer, place)}] = {text};")
        return
    if ctype.element.is_bool:
        name = fn.unit.dialect.convert(fn.unit, ctype.of("u8"), f"-{name}")
    place_of_it = _address(fn, buffer, place), fn.space(buffer)
    fn.line(fn.unit.dialect.store(fn.unit, ctype, *place_of_it, name, aligned=aligned))


def print_stored(fn: FunctionPrinter, op: Operation) -> None:
    """Prints a conversion from or to a storage type: memory is read or written so."""
    (result,) = op.results
    elements = [fn.ctype(value).element for value in (op.operands[0], result)]
    if not any(element.key == "f32" for element in elements):
        raise Unprintable(f"a conversion of {elements[0].key} to {elements[1].key}")
    if elements[1].is_only_stored:
        _check_uses(fn, result, STORES, "made and not stored")
    fn.define(result, fn.name(op.operands[0]))


def _check_uses(
    fn: FunctionPrinter, value: SSAValue, users: tuple[type[Operation], ...], what: str
) -> None:
    if not all(isinstance(use.operation, users) for use in value.uses):
        kind = fn.ctype(value).element.key
        raise Unprintable(f"a number of type {kind} that is {what}: only memory holds such numbers")


def _address(fn: FunctionPrinter, buffer: SSAValue, place: Linear) -> str:
    text = str(fn.within(buffer, place))
    return fn.name(buffer) if text == "0" else f"{fn.name(buffer)} + {text}"


def _print_affine_load(fn: FunctionPrinter, op: affine.LoadOp | affine.VectorLoadOp) -> None:
    _load(fn, op.result, op.memref, _affine_place(fn, op))


def _print_affine_store(fn: FunctionPrinter, op: affine.StoreOp | affine.VectorStoreOp) -> None:
    _store(fn, op.value, op.memref, _affine_place(fn, op))


def _print_prefetch(fn: FunctionPrinter, op: PrefetchOp) -> None:
    operands = [fn.linear(index) for index in op.indices]
    place = _flatten(op.memref.type, subscripts(fn).results(op.map.data, operands))
    writes, hint = int(op.is_write is not None), op.locality.value.data
    fn.line(f"__builtin_prefetch({_address(fn, op.memref, place)}, {writes}, {hint});")


def _print_compiler_fence(fn: FunctionPrinter, op: CompilerFenceOp) -> None:
    held = [helpers.hold(fn.unit, fn.ctype(value), fn.name(value)) for value in op.held]
    for statement in filter(None, (*held, fn.unit.dialect.compiler_fence())):
        fn.line(statement)


def _print_load(fn: FunctionPrinter, op: memref.LoadOp) -> None:
    _load(fn, op.res, op.memref, _place(fn, op.memref, op.indices))


def _print_store(fn: FunctionPrinter, op: memref.StoreOp) -> None:
    _store(fn, op.value, op.memref, _place(fn, op.memref, op.indices))


def _print_vector_load(fn: FunctionPrinter, op: vector.LoadOp) -> None:
    _load(fn, op.result, op.base, _place(fn, op.base, op.indices))


def _print_vector_store(fn: FunctionPrinter, op: vector.StoreOp) -> None:
    _store(fn, op.vector, op.base, _place(fn, op.base, op.indices))


def _print_alloca(fn: FunctionPrinter, op: memref.AllocaOp) -> None:
    if not fn.is_kernel:
        raise Unprintable("scratch memory outside a kernel")
    element, _ = buffer_shape(op.memref.type)
    fn.uses_call = True
    offset = fn.scratch_bytes
    fn.scratch_bytes += round_up(buffer_bytes(op.memref.type))
    name = fn.bind(op.memref, "s")
    pointer = f"{element.memory} *"
    fn.line(f"{pointer}restrict const {name} = ({pointer})(void *)(call->scratch + {offset});")


def define_index(fn: FunctionPrinter, result: SSAValue, value: Linear, text: str) -> None:
    """Gives an index a name, and keeps what is known of it."""
    if not value.terms and result not in fn.assigned:
        fn.constants[result] = value.constant
        fn.names[result] = f"{value.constant}L" if value.constant >= 0 else f"({value.constant}L)"
        return
    fn.define(result, text)
    fn.bounds[fn.name(result)] = value.interval(fn.bounds)


def _print_apply(fn: FunctionPrinter, op: affine.ApplyOp) -> None:
    operands = [fn.linear(operand) for operand in op.mapOperands]
    (value,) = subscripts(fn).results(op.map.data, operands)
    define_index(fn, op.result, value, str(value))


def _print_min(fn: FunctionPrinter, op: affine.MinOp) -> None:
    operands = [fn.linear(operand) for operand in op.arguments]
    values = subscripts(fn).results(op.map.data, operands)
    fn.define(op.result, helpers.index_extremum(fn.unit, "min", [str(v) for v in values]))
    intervals = [value.interval(fn.bounds) for value in values]
    lows = [low for low, _ in intervals if low is not None]
    highs = [high for _, high in intervals if high is not None]
    fn.bounds[fn.name(op.result)] = (
        min(lows) if len(lows) == len(intervals) else None,
        min(highs) if highs else None,
    )


PRINTERS: dict[type[Operation], OpPrinter] = {
    affine.ApplyOp: _print_apply,
    affine.LoadOp: _print_affine_load,
    affine.MinOp: _print_min,
    affine.StoreOp: _print_affine_store,
    affine.VectorLoadOp: _print_affine_load,
    affine.VectorStoreOp: _print_affine_store,
    memref.AllocaOp: _print_alloca,
    memref.LoadOp: _print_load,
    memref.StoreOp: _print_store,
    CompilerFenceOp: _print_compiler_fence,
    PrefetchOp: _print_prefetch,
    vector.LoadOp: _print_vector_load,
    vector.StoreOp: _print_vector_store,
}
