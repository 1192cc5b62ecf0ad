"""Laws that look at one operation and those that make its operands.

A law builds its proposal beside what is there; the proposal is kept if it costs
less, counting what goes with the old form, and removed if not.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from xdsl.builder import Builder
from xdsl.ir import Block, Operation, SSAValue
from xdsl.rewriter import InsertPoint

from canao.dialects.canao.types import is_float
from canao.transforms.cost import Cost, cost_of_op
from canao.transforms.decisions import decides
from canao.transforms.law_uses import Use, Uses

IsConstant = Callable[[SSAValue], bool]


class LocalLaw(ABC):
    """A law that rewrites one operation; its docstring is the law."""

    name: str
    exact: bool = False
    """Whether every rounding stays."""
    kinds: tuple[type[Operation], ...]
    """The operations that the law looks at."""

    @abstractmethod
    def propose(self, op: Operation, is_constant: IsConstant, builder: Builder) -> SSAValue | None:
        """Builds another form of the result of an operation; None where the law says nothing."""


@dataclass
class LocalRewriting:
    """Applies local laws to each operation of a block once.

    Those that change rounding only where the last digits of the result decide nothing.
    """

    block: Block
    is_constant: IsConstant
    laws: Sequence[LocalLaw]
    exact: bool

    def apply(self) -> Uses:
        """Rewrites the operations; how often each law was used."""
        used: Uses = Counter()
        laws = [law for law in self.laws if law.exact or not self.exact]
        for op in reversed(list(self.block.ops)):
            if op.parent is not self.block or len(op.results) != 1:
                continue
            if not is_float(op.results[0]) or self.is_constant(op.results[0]):
                continue
            for law in laws:
                if isinstance(op, law.kinds) and self._may_use(law, op) and self._try(op, law):
                    used[Use(law.name, not law.exact)] += 1
                    break
        return used

    @staticmethod
    def _may_use(law: LocalLaw, op: Operation) -> bool:
        return law.exact or not decides(op.results[0])

    def _try(self, op: Operation, law: LocalLaw) -> bool:
        before = op.prev_op
        value = law.propose(op, self.is_constant, Builder(InsertPoint.before(op)))
        proposal = _between(self.block, before, op)
        if value is None or not self._is_cheaper(op, value, proposal):
            _erase(list(reversed(proposal)))
            return False
        result = op.results[0]
        value.name_hint = value.name_hint or result.name_hint
        result.replace_all_uses_with(value)
        _erase(_going(op))
        return True

    def _is_cheaper(self, op: Operation, value: SSAValue, proposal: Sequence[Operation]) -> bool:
        built = [o for o in proposal if o is value.owner or o.results[0].uses.get_length()]
        return self._cost(built) < self._cost(_going(op))

    def _cost(self, ops: Sequence[Operation]) -> Cost:
        return sum((cost_of_op(o) for o in ops if not self.is_constant(o.results[0])), Cost())


def _between(block: Block, before: Operation | None, after: Operation) -> list[Operation]:
    ops: list[Operation] = []
    op = before.next_op if before is not None else block.first_op
    while op is not None and op is not after:
        ops.append(op)
        op = op.next_op
    return ops


def _going(root: Operation) -> list[Operation]:
    """An operation and those that nothing else needs, users first."""
    going: dict[Operation, None] = {root: None}
    pending = [root]
    while pending:
        for value in pending.pop(0).operands:
            owner = value.owner
            if not isinstance(owner, Operation) or owner in going:
                continue
            if all(use.operation in going for use in value.uses):
                going[owner] = None
                pending.append(owner)
    return list(going)


def _erase(ops: Sequence[Operation]) -> None:
    for op in ops:
        op.detach()
    for op in ops:
        op.erase(safe_erase=False, drop_references=True)
