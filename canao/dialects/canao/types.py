"""Tensor types, shapes and broadcasting: helpers of the dialect's verifiers."""

from __future__ import annotations

from collections.abc import Sequence

from xdsl.dialects.builtin import AnyFloat, IntegerType, Signedness, TensorType
from xdsl.ir import Attribute, SSAValue
from xdsl.ir.affine import AffineConstantExpr, AffineDimExpr, AffineExpr, AffineMap
from xdsl.utils.exceptions import VerifyException

from canao.dialects.canao.symbolic import shape_of_type

i1 = IntegerType(1)
i8 = IntegerType(8)
i16 = IntegerType(16)
i32 = IntegerType(32)
i64 = IntegerType(64)
ui8 = IntegerType(8, Signedness.UNSIGNED)

NARROW_INTEGERS = (i8, i16, i32, ui8)
"""Integers that are computed as i64 once `widen-integers` has run."""


def tensor_of(value: SSAValue) -> TensorType[Attribute]:
    """The tensor type of a value; a `VerifyException` if it has none."""
    if not isinstance(value.type, TensorType):
        raise VerifyException(f"expected a tensor, got {value.type}")
    return value.type


def shape_of(value: SSAValue) -> tuple[int, ...]:
    """The shape of a tensor value; an extent may depend on symbols."""
    return shape_of_type(tensor_of(value))


def element_of(value: SSAValue) -> Attribute:
    """The element type of a tensor value."""
    return tensor_of(value).element_type


def is_integer(element: Attribute) -> bool:
    """Whether an element type is one of integers; truth values are none."""
    return isinstance(element, IntegerType) and element != i1


def range_of(element: Attribute) -> tuple[int, int]:
    """The least and the largest number of an integer type, or of i1 as 0 and 1."""
    assert isinstance(element, IntegerType)
    bits = element.width.data
    if element == i1 or element.signedness.data is Signedness.UNSIGNED:
        return 0, (1 << bits) - 1
    return -(1 << bits - 1), (1 << bits - 1) - 1


def is_float(value: SSAValue) -> bool:
    """Whether a tensor value holds floating-point numbers."""
    return isinstance(element_of(value), AnyFloat)


def broadcast_shapes(shapes: Sequence[Sequence[int]]) -> tuple[int, ...]:
    """The shape that numpy would broadcast `shapes` to.

    Raises `VerifyException` where two extents differ and neither is 1.
    """
    rank = max((len(s) for s in shapes), default=0)
    padded = [(1,) * (rank - len(s)) + tuple(s) for s in shapes]
    out: list[int] = []
    for extents in zip(*padded, strict=True):
        distinct = {e for e in extents if e != 1}
        if len(distinct) > 1:
            raise VerifyException(
                f"shapes {[tuple(s) for s in shapes]} cannot be broadcast together"
            )
        out.append(distinct.pop() if distinct else 1)
    return tuple(out)


def broadcast_map(shape: Sequence[int], to: Sequence[int], dims: int | None = None) -> AffineMap:
    """Maps an index of shape `to` to the index of `shape` broadcast to it.

    `dims` is the number of dimensions of the map's domain where that is more
    than the rank of `to`.
    """
    skip = len(to) - len(shape)
    results: list[AffineExpr] = [
        AffineConstantExpr(0) if extent == 1 else AffineDimExpr(skip + n)
        for n, extent in enumerate(shape)
    ]
    return AffineMap(len(to) if dims is None else dims, 0, tuple(results))


def normalise_axis(axis: int, rank: int) -> int:
    """`axis` counted from the front; a `VerifyException` if out of range."""
    if not -rank <= axis < rank:
        raise VerifyException(f"axis {axis} is out of range for rank {rank}")
    return axis % rank
