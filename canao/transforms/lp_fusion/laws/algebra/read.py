"""Reads the operations behind a value as an expression."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import isfinite

from xdsl.ir import Operation, SSAValue

from canao.dialects.canao import BroadcastOp
from canao.dialects.canao.types import is_float, shape_of
from canao.dialects.interfaces import AccessPattern, CanaoOp, Indexed
from canao.transforms.constants import LARGEST, may_be_infinite, splat_value
from canao.transforms.lp_fusion.laws.algebra.monoids import Monoid, laws_hold_for, role_of, rounds
from canao.transforms.lp_fusion.laws.algebra.terms import Leaf, Node, Number, Terms

_DEEPEST = 12
"""An expression reaches at most this many operations back from its result."""

_SHARED = 6
"""A value with other uses takes this many of those: its operations stay, so that
rewriting them gains less."""

_LINEAR = (AccessPattern.CONTRACT, AccessPattern.REDUCE)


@dataclass
class Reading:
    """An expression of a value, and the operations that it was read from."""

    terms: Terms
    root: Node
    ops: set[Operation] = field(default_factory=set[Operation])


def monoid_of(op: Operation) -> Monoid | None:
    """The monoid whose laws an operation obeys; None if none."""
    monoid = role_of(type(op))
    return monoid if monoid is not None and laws_hold_for(monoid, op) else None


def is_linear(op: Operation) -> bool:
    """Whether an operation is a linear map that computes: a product or a sum over axes."""
    return (
        isinstance(op, Indexed)
        and bool(op.LAWS.linear_in)
        and op.access_pattern() in _LINEAR
        and monoid_of(op) is None
    )


class Reader:
    """Reads one value."""

    def __init__(
        self, is_constant: Callable[[SSAValue], bool], exact: bool, like: SSAValue
    ) -> None:
        self.is_constant = is_constant
        self.exact = exact
        self.terms = Terms(regroup=not exact or not is_float(like))
        self.ops: set[Operation] = set()
        self._read: dict[SSAValue, Node] = {}

    def read(self, op: Operation) -> Reading:
        """The expression of the result of an operation."""
        root = self._node(op.results[0], 0, root=True)
        return Reading(self.terms, root, self.ops)

    def _node(self, value: SSAValue, depth: int, root: bool = False) -> Node:
        known = self._read.get(value)
        if known is not None:
            return known
        shared = not root and not value.has_one_use()
        node = self._made(value, depth + _SHARED if shared else depth)
        self._read[value] = node
        self.terms.existing.setdefault(node, value)
        if shared and not self.terms.constant[node]:
            self.terms.whole.add(node)
        return node

    def _made(self, value: SSAValue, depth: int) -> Node:
        number = splat_value(value)
        if number is not None and isfinite(number) and not isinstance(number, bool):
            return self.terms.number(number)
        owner = value.owner
        if self.is_constant(value) or not isinstance(owner, CanaoOp) or depth > _DEEPEST:
            return self._leaf(value)
        if isinstance(owner, BroadcastOp):
            self.ops.add(owner)
            return self._node(owner.operand, depth + 1)
        monoid = monoid_of(owner)
        if monoid is not None:
            self.ops.add(owner)
            return self._bag(owner, monoid, depth)
        if is_linear(owner):
            self.ops.add(owner)
            return self._image(owner, depth)
        return self._leaf(value)

    def _leaf(self, value: SSAValue) -> Node:
        return self.terms.leaf(value, self.is_constant(value))

    def _bag(self, op: Operation, monoid: Monoid, depth: int) -> Node:
        operands = [self._node(v, depth + 1) for v in op.operands]
        regroup = self.terms.regroup
        self.terms.regroup = not self.exact or not rounds(monoid, op.results[0])
        if type(op) is monoid.op:
            node = self.terms.bag(monoid.op, operands)
        else:
            node = self.terms.bag(monoid.op, operands[:-1], operands[-1:])
        self.terms.regroup = regroup
        return node

    def _image(self, op: Operation, depth: int) -> Node:
        assert isinstance(op, CanaoOp)
        through = op.access_pattern() is AccessPattern.REDUCE
        operands = [
            self._node(v, depth + 1) if through else self.terms.leaf(v, self.is_constant(v))
            for v in op.operands
        ]
        shapes = [shape_of(v) for v in op.operands]
        return self.terms.image(op, operands, shapes, shape_of(op.results[0]))


def is_bounded(terms: Terms) -> bool:
    """Whether no infinity, NaN or huge number is known to take part in expressions."""
    for form in terms.forms:
        if isinstance(form, Number) and abs(form.value) > LARGEST:
            return False
        if isinstance(form, Leaf) and may_be_infinite(form.value):
            return False
    return True
