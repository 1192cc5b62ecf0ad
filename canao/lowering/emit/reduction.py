"""How products and reductions combine their terms, and by which arithmetic."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

from xdsl.dialects import arith, vector
from xdsl.dialects.builtin import AnyFloat, IntegerType, VectorType
from xdsl.ir import Attribute, Block, Operation, SSAValue

from canao.dialects.canao import AddOp, AndOp, MaximumOp, MinimumOp, OrOp
from canao.dialects.canao.reduce import ReduceOp, neutral_number
from canao.dialects.interfaces import AccessPattern, Indexed, ReductionKind
from canao.lowering.emit.scalar_ops import ARITHMETIC, add, element_type, number
from canao.lowering.stages.words import reduction_name

_SUM = ReductionKind("sum", 0.0, AddOp)
# On truth values the larger of two is their disjunction.
_LOGICAL: dict[type[Operation], type[Operation]] = {
    MaximumOp: OrOp,
    MinimumOp: AndOp,
    AddOp: OrOp,
}
_COMBINING: dict[type[Operation], tuple[str, str]] = {
    AddOp: ("add", "add"),
    MaximumOp: ("maximumf", "maxsi"),
    MinimumOp: ("minimumf", "minsi"),
    OrOp: ("or", "or"),
    AndOp: ("and", "and"),
}


@dataclass(frozen=True)
class Reduction:
    """The reduction of an anchor for elements of one type."""

    op: Indexed
    element: Attribute

    @property
    def multiplies(self) -> bool:
        """Whether the operands are multiplied before they are reduced."""
        return self.op.access_pattern() is AccessPattern.CONTRACT

    @property
    def _kind(self) -> ReductionKind:
        return cast(ReduceOp, self.op).KIND if not self.multiplies else _SUM

    @property
    def _binary(self) -> type[Operation]:
        binary = self._kind.binary
        return _LOGICAL[binary] if self.element == IntegerType(1) else binary

    @property
    def word(self) -> str:
        """What a total is called, for people."""
        return reduction_name(self._kind)

    def neutral(self, block: Block, type_: Attribute) -> SSAValue:
        """The value that a reduction starts from."""
        return number(block, neutral_number(self._kind, self.element), type_)

    def combine(self, block: Block, lhs: SSAValue, rhs: SSAValue) -> SSAValue:
        """One step of the reduction."""
        return ARITHMETIC[self._binary](block, self.op, [lhs, rhs])

    def accumulate(self, block: Block, total: SSAValue, terms: list[SSAValue]) -> SSAValue:
        """Adds a product of terms, or combines with the single term."""
        if not self.multiplies:
            return self.combine(block, total, terms[0])
        if isinstance(total.type, VectorType) and isinstance(self.element, AnyFloat):
            return add(block, vector.FMAOp(terms[0], terms[1], total))
        if isinstance(self.element, AnyFloat):
            return add(block, arith.AddfOp(total, add(block, arith.MulfOp(terms[0], terms[1]))))
        return add(block, arith.AddiOp(total, add(block, arith.MuliOp(terms[0], terms[1]))))

    def across(self, block: Block, value: SSAValue) -> SSAValue:
        """Reduces the lanes of a vector to a scalar; scalars are left alone."""
        if not isinstance(value.type, VectorType):
            return value
        floats, integers = _COMBINING[self._binary]
        name = floats if isinstance(element_type(value.type), AnyFloat) else integers
        kind = vector.CombiningKindAttr(vector.CombiningKindFlag(name))
        op = vector.ReductionOp.create(
            operands=[value],
            properties={"kind": kind},
            result_types=[element_type(value.type)],
        )
        return add(block, op)
