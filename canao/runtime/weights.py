"""The weights that emitted code reads: packed, joined and aligned."""

from __future__ import annotations

from collections.abc import Mapping

from canao.errors import VerificationError
from canao.lowering.program import Program
from canao.runtime.memory import aligned
from canao.runtime.module import Array


def prepare_weights(program: Program, weights: Mapping[str, Array]) -> list[Array]:
    """The results of the program's `@prepare`, each where emitted code can read it.

    A result that is aligned already, such as an embedding table used as it is,
    shares the memory of the weight.
    """
    if not program.weights:
        return []
    # xDSL takes a third of a second to import; loading a saved model never comes here.
    from canao.interpreters.canao import evaluate
    from canao.runtime.parse import parse_module

    module = parse_module(program.prepare)
    results = list(evaluate(module, (), weights, function="prepare"))
    if len(results) != len(program.weights):
        raise VerificationError(
            f"@prepare makes {len(results)} weights and the program names {len(program.weights)}; "
            "compile the model again"
        )
    results.reverse()
    prepared: list[Array] = []
    for spec in program.weights:
        # Each unaligned result is dropped as soon as its copy exists.
        array = results.pop()
        if array.dtype.name != spec.dtype or array.shape != spec.shape:
            raise VerificationError(
                f"weight '{spec.name}' must be {spec.dtype} of shape {spec.shape}, @prepare made "
                f"{array.dtype.name} of shape {array.shape}; compile the model again"
            )
        prepared.append(aligned(array))
    return prepared
