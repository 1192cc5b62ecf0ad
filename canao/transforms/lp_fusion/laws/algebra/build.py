"""Writes an expression as operations."""

from __future__ import annotations

from collections.abc import Callable

from xdsl.builder import Builder
from xdsl.dialects.builtin import TensorType
from xdsl.ir import Attribute, SSAValue

from canao.dialects.canao import BroadcastOp
from canao.dialects.canao.symbolic import tensor_type
from canao.dialects.canao.types import shape_of
from canao.transforms.constants import build_splat
from canao.transforms.lp_fusion.laws.algebra.cost import plan_bag
from canao.transforms.lp_fusion.laws.algebra.monoids import monoids
from canao.transforms.lp_fusion.laws.algebra.terms import (
    Bag,
    Image,
    Leaf,
    Node,
    Number,
    Shape,
    Terms,
)


class Writer:
    """Builds the operations of expressions; parts that are kept are used as they are."""

    def __init__(
        self, terms: Terms, like: SSAValue, keeps: Callable[[SSAValue], bool], builder: Builder
    ) -> None:
        self.terms = terms
        self.like = like
        self.keeps = keeps
        self.builder = builder
        self._built: dict[Node, SSAValue] = {}

    def write(self, node: Node, shape: Shape) -> SSAValue:
        """A value that holds an expression, broadcast to a shape."""
        value = self._value(node)
        if shape_of(value) == shape:
            return value
        return self.builder.insert(BroadcastOp(value, shape)).result

    def _value(self, node: Node) -> SSAValue:
        if node not in self._built:
            self._built[node] = self._make(node)
        return self._built[node]

    def _make(self, node: Node) -> SSAValue:
        existing = self.terms.existing.get(node)
        if existing is not None and self.keeps(existing):
            return existing
        form = self.terms.forms[node]
        if isinstance(form, Leaf):
            return form.value
        if isinstance(form, Number):
            return build_splat(self.builder, form.value, self.like)
        if isinstance(form, Bag):
            return self._bag(form)
        return self._image(form)

    def _bag(self, bag: Bag) -> SSAValue:
        plan = plan_bag(self.terms, bag)
        members = [self._value(n) for n in plan.members]
        reached: list[SSAValue] = []
        for step in plan.steps:
            lhs, rhs = (reached[~n] if n < 0 else members[n] for n in (step.lhs, step.rhs))
            reached.append(self.builder.insert(step.op(lhs, rhs)).result)
        last = reached[-1] if reached else members[0]
        if not plan.negate:
            return last
        negation = monoids()[bag.op].negation
        assert negation is not None
        return self.builder.insert(negation(last)).result

    def _image(self, image: Image) -> SSAValue:
        pairs = zip(image.operands, image.shapes, strict=True)
        operands = [self.write(n, shape) for n, shape in pairs]
        element: Attribute = image.template.results[0].type
        assert isinstance(element, TensorType)
        op = image.op.create(
            operands=operands,
            properties=dict(image.properties),
            result_types=[tensor_type(element.element_type, image.result)],
        )
        return self.builder.insert(op).results[0]
