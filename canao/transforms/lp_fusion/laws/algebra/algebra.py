"""Applies the laws of sums and products where they lower the cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from xdsl.builder import Builder
from xdsl.ir import Block, Operation, SSAValue
from xdsl.rewriter import InsertPoint

from canao.dialects.canao import BroadcastOp
from canao.dialects.canao.elementwise import UnaryOp
from canao.dialects.canao.reduce import ReduceOp
from canao.dialects.canao.types import is_float, shape_of
from canao.dialects.interfaces import AccessPattern, CanaoOp
from canao.transforms.cost import Cost, cost_of_op
from canao.transforms.decisions import decides
from canao.transforms.law_uses import Use, Uses
from canao.transforms.lp_fusion.laws.algebra.build import Writer
from canao.transforms.lp_fusion.laws.algebra.cost import Price
from canao.transforms.lp_fusion.laws.algebra.distributivity import (
    SUM_LAWS,
    Factored,
    best_form_of_sum,
)
from canao.transforms.lp_fusion.laws.algebra.monoids import rounds
from canao.transforms.lp_fusion.laws.algebra.read import (
    Reader,
    Reading,
    is_bounded,
    is_linear,
    monoid_of,
)
from canao.transforms.lp_fusion.laws.algebra.reductions import REDUCTION_LAWS, Reduction
from canao.transforms.lp_fusion.laws.algebra.share import ShareEqualOperations
from canao.transforms.lp_fusion.laws.algebra.terms import Bag, Image


class NormalFormLaw:
    """A law that holds because expressions are read as bags: nothing has to be matched."""

    name: str


class Regroup(NormalFormLaw):
    """`(a + b) + c -> a + (b + c)`, and so for every associative and commutative operation.

    Narrow operands are combined first, constants ahead of time. Not where a
    number is added and taken away again, as that rounds on purpose.
    """

    name = "regroup"


class AbsorbNegation(NormalFormLaw):
    """`a + (-b) -> a - b`, `a - (-b) -> a + b`, `(-a) * b -> -(a * b)`, `-(-a) -> a`.

    Floating-point numbers have a sign of their own, so that no rounding changes.
    """

    name = "absorb-negation"


_EXACT = (AbsorbNegation.name, ShareEqualOperations.name)

NORMAL_FORM_LAWS: tuple[type[NormalFormLaw], ...] = (Regroup, AbsorbNegation)


@dataclass
class Algebra:
    """Rewrites the sums and products of a block."""

    block: Block
    is_constant: Callable[[SSAValue], bool]
    exact: bool
    """Whether only laws that keep every rounding may be used; where the last digits of a result
    decide something, no others are used anyway."""

    def apply(self) -> Uses:
        """Rewrites each expression once; how often each law was used."""
        used: Uses = Counter()
        for op in list(self.block.ops):
            if op.parent is self.block and self._is_root(op):
                used.update(self._improve(op))
        return used

    def _is_root(self, op: Operation) -> bool:
        """Whether an expression ends here: no operation of the same kind goes on with it."""
        if not isinstance(op, CanaoOp) or self.is_constant(op.results[0]):
            return False
        if is_linear(op):
            return op.access_pattern() is AccessPattern.REDUCE
        monoid = monoid_of(op)
        if monoid is None or not self._may_gain(op):
            return False
        uses = list(op.results[0].uses)
        return len(uses) != 1 or monoid_of(uses[0].operation) is not monoid

    @staticmethod
    def _may_gain(op: Operation) -> bool:
        """Whether there is more to an expression than one operation on values as they are."""
        owners = [v.owner for v in op.operands]
        known = [o for o in owners if isinstance(o, CanaoOp)]
        if any(isinstance(o, BroadcastOp) or monoid_of(o) is not None for o in known):
            return True
        return sum(is_linear(o) for o in known) > 1

    def _improve(self, op: Operation) -> list[Use]:
        """Replaces an expression by its best form; the laws that were used."""
        result = op.results[0]
        exact = self.exact or decides(result)
        reading = Reader(self.is_constant, exact, result).read(op)
        dying = _dying(op, reading)
        price = Price(reading.terms, lambda v: v.owner not in dying)
        before = sum((cost_of_op(o) for o in dying if self._computes(o)), Cost())
        best = min(self._forms(reading, price), key=lambda form: price(form.node))
        after = price(best.node)
        if (after.work, after.computations) >= (before.work, before.computations):
            return []
        if not is_bounded(reading.terms):
            return []
        laws = best.laws or (self._name_of_normal_form(op, before),)
        monoid = monoid_of(op)
        changes = is_float(result) if monoid is None else rounds(monoid, result)
        # A normal form that was read exactly has the operations of the model, in their order.
        used = [Use(law, changes and not exact and law not in _EXACT) for law in laws]
        self._replace(op, reading, best, dying)
        return used

    def _computes(self, op: Operation) -> bool:
        return not isinstance(op, BroadcastOp) and not self.is_constant(op.results[0])

    def _forms(self, reading: Reading, price: Price) -> Iterator[Factored]:
        """The normal form of an expression and those that the laws lead to."""
        terms, root = reading.terms, reading.root
        yield Factored(root, ())
        if not terms.regroup:
            return
        form = terms.forms[root]
        if isinstance(form, Bag):
            yield best_form_of_sum(terms, root, price, SUM_LAWS)
        elif isinstance(form, Image) and isinstance(form.template, ReduceOp):
            reduction = Reduction(terms, form)
            for law in REDUCTION_LAWS:
                for node in law.forms(reduction):
                    yield Factored(node, (law.name,))

    def _name_of_normal_form(self, op: Operation, before: Cost) -> str:
        """Which law made the normal form cheaper: signs, equal parts, or the order of operands."""
        reading = Reader(self.is_constant, True, op.results[0]).read(op)
        dying = _dying(op, reading)
        after = Price(reading.terms, lambda v: v.owner not in dying)(reading.root)
        if not is_float(op.results[0]) or after.computations >= before.computations:
            return Regroup.name
        negations = any(isinstance(o, UnaryOp) for o in dying)
        return AbsorbNegation.name if negations else ShareEqualOperations.name

    def _replace(
        self, op: Operation, reading: Reading, best: Factored, dying: set[Operation]
    ) -> None:
        result = op.results[0]
        builder = Builder(InsertPoint.before(op))
        writer = Writer(reading.terms, result, lambda v: v.owner not in dying, builder)
        value = writer.write(best.node, shape_of(result))
        value.name_hint = value.name_hint or result.name_hint
        result.replace_all_uses_with(value)
        _erase_unused(dying, op)


def _dying(root: Operation, reading: Reading) -> set[Operation]:
    """The operations of an expression that go when its result is computed otherwise."""
    dying, pending = {root}, [root]
    while pending:
        for value in pending.pop().operands:
            owner = value.owner
            if not isinstance(owner, Operation) or owner in dying or owner not in reading.ops:
                continue
            if all(use.operation in dying for use in value.uses):
                dying.add(owner)
                pending.append(owner)
    return dying


def _erase_unused(ops: set[Operation], root: Operation) -> None:
    pending = [root]
    while pending:
        op = pending.pop()
        if op.parent is None or any(r.uses.get_length() for r in op.results):
            continue
        owners = [v.owner for v in op.operands]
        op.detach()
        op.erase()
        pending.extend(o for o in owners if isinstance(o, Operation) and o in ops)
