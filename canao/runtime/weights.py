"""The weights that emitted code reads: packed, joined and aligned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from canao.errors import VerificationError
from canao.program import Program, TensorSpec
from canao.runtime.memory import aligned, aligned_copy
from canao.runtime.module import Array


def prepare_weights(program: Program, weights: Mapping[str, Array]) -> list[Array]:
    """The results of the program's `@prepare`, each where emitted code can read it.

    They are a snapshot: what is used as it is, such as an embedding table, is
    copied where the weight may be written to, and shared with a mapped file.
    """
    return prepare_arrays(program.weights, program.prepare, weights)


def prepare_arrays(
    specs: Sequence[TensorSpec], text: str, weights: Mapping[str, Array]
) -> list[Array]:
    """The results of a `@prepare`, which are to be as `specs` tell; see `prepare_weights`."""
    if not specs:
        return []
    prepared: list[Array] = []
    writable = [weight for weight in weights.values() if weight.flags.writeable]
    made = _each_result(text, len(specs), weights)
    for spec, array in zip(specs, made, strict=True):
        if array.dtype.name != spec.dtype or array.shape != spec.shape:
            raise VerificationError(
                f"weight '{spec.name}' must be {spec.dtype} of shape {spec.shape}, @prepare made "
                f"{array.dtype.name} of shape {array.shape}; compile the model again"
            )
        shared = any(np.may_share_memory(array, weight) for weight in writable)
        prepared.append(aligned_copy(array) if shared else aligned(array))
    return prepared


def _each_result(text: str, count: int, weights: Mapping[str, Array]) -> Iterator[Array]:
    """The results of `@prepare` one after another, each computed when it is asked for.

    A value is dropped after its last use, so that the peak of memory is one
    result above what is kept.
    """
    # xDSL takes a third of a second to import; loading a saved model never comes here.
    from xdsl.dialects.func import FuncOp
    from xdsl.ir import Operation, SSAValue

    from canao.interpreters.canao import check_weights, evaluate_op
    from canao.runtime.parse import parse_module

    module = parse_module(text)
    (prepare,) = (op for op in module.ops if isinstance(op, FuncOp))
    returned = prepare.body.block.last_op
    assert returned is not None
    if len(returned.operands) != count:
        raise VerificationError(
            f"@prepare makes {len(returned.operands)} weights and the program names "
            f"{count}; compile the model again"
        )
    check_weights(prepare, weights)
    uses: dict[SSAValue, int] = {}
    for op in prepare.body.block.ops:
        uses.update((v, sum(1 for _ in v.uses)) for v in op.results)
    values: dict[SSAValue, Array] = {}

    def take(value: SSAValue) -> Array:
        if value not in values:
            op = value.owner
            assert isinstance(op, Operation)
            results = evaluate_op(op, [take(v) for v in op.operands], weights)
            values.update(zip(op.results, results, strict=True))
        uses[value] -= 1
        return values[value] if uses[value] else values.pop(value)

    for value in returned.operands:
        yield take(value)
