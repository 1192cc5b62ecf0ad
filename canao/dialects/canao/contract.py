"""Products: contractions of two tensors over one dimension."""

from __future__ import annotations

from typing import ClassVar

from xdsl.dialects.builtin import TensorType
from xdsl.ir import SSAValue
from xdsl.ir.affine import AffineDimExpr, AffineExpr, AffineMap
from xdsl.irdl import IRDLOperation, irdl_op_definition, operand_def, result_def, traits_def
from xdsl.traits import Pure
from xdsl.utils.exceptions import VerifyException

from canao.dialects.canao.elementwise import AddOp, SubOp
from canao.dialects.canao.symbolic import tensor_type
from canao.dialects.canao.types import broadcast_map, broadcast_shapes, element_of, shape_of
from canao.dialects.interfaces import AccessPattern, Indexed, IterationSpace, Laws, SignOfZero


def matmul_shape(lhs: tuple[int, ...], rhs: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of `lhs @ rhs`; a `VerifyException` if there is none."""
    if len(lhs) < 2 or len(rhs) < 2:
        raise VerifyException(f"operands need rank 2 or more, got shapes {lhs} and {rhs}")
    if lhs[-1] != rhs[-2]:
        raise VerifyException(f"inner extents differ: {lhs} and {rhs}")
    return (*broadcast_shapes([lhs[:-2], rhs[:-2]]), lhs[-2], rhs[-1])


@irdl_op_definition
class MatmulOp(IRDLOperation, Indexed):
    """`out[..., m, n] = sum over k of lhs[..., m, k] * rhs[..., k, n]`.

    Leading dimensions broadcast as in numpy; both operands have rank 2 or more.
    """

    name = "canao.matmul"
    SIGN_OF_ZERO: ClassVar[SignOfZero] = SignOfZero.LOST
    lhs = operand_def(TensorType)
    rhs = operand_def(TensorType)
    result = result_def(TensorType)
    traits = traits_def(Pure())
    assembly_format = "$lhs `,` $rhs attr-dict `:` functional-type(operands, results)"
    LAWS: ClassVar[Laws] = Laws(associative=True, distributes_over=(AddOp, SubOp), linear_in=(0, 1))

    def __init__(self, lhs: SSAValue, rhs: SSAValue) -> None:
        shape = matmul_shape(shape_of(lhs), shape_of(rhs))
        super().__init__(operands=[lhs, rhs], result_types=[tensor_type(element_of(lhs), shape)])

    def access_pattern(self) -> AccessPattern:
        return AccessPattern.CONTRACT

    def sums_up(self) -> bool:
        return True

    def iteration_space(self) -> IterationSpace:
        """Dimensions: the leading ones, m, n, and the reduced k."""
        shape = shape_of(self.result)
        rank = len(shape)
        batch = shape[:-2]
        m, n, k = (AffineDimExpr(rank - 2), AffineDimExpr(rank - 1), AffineDimExpr(rank))

        def access(of: tuple[int, ...], *last: AffineExpr) -> AffineMap:
            leading = broadcast_map(of[:-2], batch, rank + 1).results
            return AffineMap(rank + 1, 0, (*leading, *last))

        lhs, rhs = shape_of(self.lhs), shape_of(self.rhs)
        identity: tuple[AffineExpr, ...] = tuple(AffineDimExpr(d) for d in range(rank))
        return IterationSpace(
            (*shape, lhs[-1]),
            rank,
            (access(lhs, m, k), access(rhs, k, n)),
            AffineMap(rank + 1, 0, identity),
        )

    def flops(self) -> int:
        return 2 * self.iteration_space().points

    def verify_(self) -> None:
        shape = matmul_shape(shape_of(self.lhs), shape_of(self.rhs))
        if shape_of(self.result) != shape:
            raise VerifyException(f"result must have shape {shape}")
        elements = {element_of(v) for v in (self.lhs, self.rhs, self.result)}
        if len(elements) != 1:
            raise VerifyException("operands and result must have one element type")
