"""Pass `name-layers`: layers get names that say what they compute, such as `linear_gelu_384x1536`.

A name is made of the words of a layer's operations and of its sizes. It is read off
access patterns, laws and iteration spaces before shorthands such as softmax are expanded.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from math import prod
from typing import cast

from xdsl.context import Context
from xdsl.dialects.builtin import ModuleOp, StringAttr
from xdsl.ir import Block, Operation, SSAValue
from xdsl.passes import ModulePass

from canao.dialects.canao import LayerOp, WeightOp
from canao.dialects.canao.types import shape_of
from canao.dialects.interfaces import AccessPattern, CanaoOp, Decomposable, Indexed
from canao.extent import volume

_NAME, _PARTS = "canao.name", "canao.parts"
"""Attributes of a layer: its name, and its operations in words."""

_MOST_WORDS = 4
_LONGEST = 60
_ELEMENTWISE = (AccessPattern.ONE_TO_ONE, AccessPattern.BROADCAST)


@dataclass(frozen=True)
class NameLayersPass(ModulePass):
    """Notes the name of each `canao.layer` that has none."""

    name = "name-layers"

    def apply(self, ctx: Context, op: ModuleOp) -> None:
        for layer in op.walk():
            if isinstance(layer, LayerOp) and _NAME not in layer.attributes:
                layer.attributes[_NAME] = StringAttr(layer_name(layer))
                layer.attributes[_PARTS] = StringAttr(layer_parts(layer))


def copy_name(source: LayerOp, target: LayerOp) -> None:
    """Gives a layer the name of another one."""
    for key in (_NAME, _PARTS):
        if key in source.attributes:
            target.attributes[key] = source.attributes[key]


def layer_name(layer: LayerOp) -> str:
    """The name that a layer was given, or the one that its operations give it.

    Made of small letters, digits and underscores, whatever the layer was told; it ends in a
    number. Layers that differ may have the same name.
    """
    noted = layer.attributes.get(_NAME)
    name = noted.data if isinstance(noted, StringAttr) else _Description(layer).name()
    clean = re.sub(r"[^a-z0-9_]+", "_", name.lower()).strip("_")[:_LONGEST].rstrip("_")
    whole = clean if clean[:1].isalpha() else f"layer_{clean}".rstrip("_")
    return whole if whole[-1].isdigit() else f"{whole}_1"


def layer_parts(layer: LayerOp) -> str:
    """The operations of a layer in words, in order: `matmul, add, gelu`."""
    noted = layer.attributes.get(_PARTS)
    if isinstance(noted, StringAttr):
        return noted.data
    return ", ".join(op.word() for op in _computing(layer.body.block))


def _computing(block: Block) -> list[CanaoOp]:
    return [
        op
        for op in block.ops
        if isinstance(op, CanaoOp) and op.access_pattern() is not AccessPattern.SOURCE
    ]


@dataclass(frozen=True)
class _Phrase:
    """A word of a name, and the operation that it stands for."""

    word: str
    op: CanaoOp

    @property
    def is_elementwise(self) -> bool:
        return self.op.access_pattern() in _ELEMENTWISE


class _Description:
    """Reads a layer."""

    def __init__(self, layer: LayerOp) -> None:
        block = layer.body.block
        weights = zip(block.args, layer.inputs, strict=True)
        self.constants: set[SSAValue] = {
            a for a, value in weights if isinstance(value.owner, WeightOp)
        }
        self.ops: list[CanaoOp] = []
        for op in block.ops:
            if not isinstance(op, CanaoOp):
                continue
            if all(v in self.constants for v in op.operands):
                self.constants.update(op.results)
            else:
                self.ops.append(op)
        self.moves = [op for op in self.ops if _is_move(op)]
        self.linear = {op for op in self.ops if _is_contraction(op) and self._has_constant(op)}

    def name(self) -> str:
        """The words, then the sizes."""
        phrases = self._phrases()
        if not phrases:
            words = dict.fromkeys(op.word() for op in self.moves) or ["copy"]
            return _joined([*words], self._result_sizes())
        if all(phrase.is_elementwise for phrase in phrases):
            words = _shortened(phrases, _MOST_WORDS - 1)
            return _joined(["elementwise", *words], self._result_sizes())
        return _joined(_shortened(phrases, _MOST_WORDS), self._sizes(phrases))

    def _has_constant(self, op: CanaoOp) -> bool:
        return any(v in self.constants for v in op.operands)

    def _phrases(self) -> list[_Phrase]:
        phrases: list[_Phrase] = []
        attention = self._attention()
        for op in self.ops:
            if attention is not None and op in attention:
                if op is attention[-1]:
                    phrases.append(_Phrase("attention", op))
            elif not _is_move(op) and not self._is_bias(op):
                phrases.append(_Phrase(self._word(op), op))
        return phrases

    def _word(self, op: CanaoOp) -> str:
        if op in self.linear:
            return "linear"
        if _is_lookup(op) and op.operands[0] in self.constants:
            return "embedding"
        return op.word()

    def _is_bias(self, op: CanaoOp) -> bool:
        """Whether a constant that is the same for all rows is added to what weights gave."""
        laws = op.LAWS
        adds = laws.commutative and laws.associative and laws.identity == 0
        if not adds or not self._has_constant(op):
            return False
        (shift,) = [v for v in op.operands if v in self.constants][:1]
        (other,) = [v for v in op.operands if v is not shift][:1] or [shift]
        made = _behind_moves(other).owner
        looked_up = isinstance(made, CanaoOp) and _is_lookup(made)
        is_row = prod(shape_of(shift)[:-1]) == 1
        return looked_up or (made in self.linear and is_row)

    def _attention(self) -> Sequence[CanaoOp] | None:
        """Two products of computed values and all between, if elements are mixed there."""
        products = [op for op in self.ops if _is_contraction(op) and op not in self.linear]
        if len(products) != 2:
            return None
        first, second = products
        between = [op for op in _reaching(second) if first in _reaching(op)]
        if not any(isinstance(op, Decomposable) and op.mixed_axes() for op in between):
            return None
        # What feeds the chain beside the first product, such as a mask, belongs to it.
        inside = set(_reaching(second)) | {second}
        found = [op for op in self.ops if op in inside]
        return found if not any(op in self.linear for op in found) else [first, *between, second]

    # ---------------------------------------------------------------- sizes

    def _sizes(self, phrases: Sequence[_Phrase]) -> tuple[int, ...]:
        ops = [phrase.op for phrase in phrases]
        products = [cast(Indexed, op) for op in ops if _is_contraction(op)]
        if products:
            largest = max(products, key=lambda op: volume(op.iteration_space().extents))
            return self._product_sizes(largest)
        mixing = [op for op in ops if isinstance(op, Decomposable) and op.mixed_axes()]
        if mixing:
            shape = shape_of(mixing[-1].operands[0])
            return tuple(shape[axis] for axis in mixing[-1].mixed_axes())
        if any(map(_is_lookup, ops)):
            return shape_of(ops[-1].results[0])[-1:]
        reductions = [op for op in ops if op.access_pattern() is AccessPattern.REDUCE]
        if reductions:
            return _without_ones(shape_of(reductions[-1].operands[0]))
        return self._result_sizes()

    def _product_sizes(self, op: Indexed) -> tuple[int, ...]:
        """Terms and columns of a product with a weight; heads and columns in attention."""
        space = op.iteration_space()
        parallel, terms = space.extents[: space.parallel], space.extents[space.parallel :]
        if op in self.linear:
            return (prod(terms), parallel[-1])
        attention = self._attention()
        if attention is not None and op in attention:
            shape = shape_of(attention[-1].results[0])
            return (*shape[-3:-2], shape[-1])
        return (*_without_ones(parallel[:-1]), prod(terms), parallel[-1])

    def _result_sizes(self) -> tuple[int, ...]:
        last = self.ops[-1].results[0] if self.ops else None
        return () if last is None else _without_ones(shape_of(last))


def _joined(words: Sequence[str], sizes: Sequence[int]) -> str:
    return "_".join([*words, "x".join(map(_size_word, sizes)) or "1"])


def _size_word(extent: int) -> str:
    """A size in a name; that of a symbol is what the symbol is called, of other extents `n`."""
    text = str(extent)
    return text if (text.isascii() and text.isidentifier()) or text.isdigit() else "n"


def _shortened(phrases: Sequence[_Phrase], most: int) -> list[str]:
    """At most so many words, each run of the same one once; what is elementwise goes first."""
    words = _without_runs([phrase.word for phrase in phrases])
    if len(words) > most:
        kept = [phrase.word for phrase in phrases if not phrase.is_elementwise]
        words = _without_runs(kept or words)
    return words[:most]


def _without_runs(words: Sequence[str]) -> list[str]:
    return [word for n, word in enumerate(words) if n == 0 or word != words[n - 1]]


def _without_ones(extents: Sequence[int]) -> tuple[int, ...]:
    return tuple(extent for extent in extents if extent != 1)


def _is_contraction(op: CanaoOp) -> bool:
    return isinstance(op, Indexed) and op.access_pattern() is AccessPattern.CONTRACT


def _is_lookup(op: CanaoOp) -> bool:
    return op.access_pattern() is AccessPattern.GATHER


def _is_move(op: CanaoOp) -> bool:
    return op.access_pattern() is AccessPattern.REORGANISE


def _behind_moves(value: SSAValue) -> SSAValue:
    while isinstance(owner := value.owner, CanaoOp) and _is_move(owner):
        value = owner.operands[0]
    return value


def _reaching(op: Operation) -> Collection[CanaoOp]:
    """The operations that an operation depends on."""
    found: dict[CanaoOp, None] = {}
    pending = [*op.operands]
    while pending:
        owner = pending.pop().owner
        if isinstance(owner, CanaoOp) and owner not in found:
            found[owner] = None
            pending.extend(owner.operands)
    return found.keys()
