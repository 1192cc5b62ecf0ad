"""Objects of other libraries that `canao.compile` takes whole: it gives back one of the same kind.

What is compiled is the model inside, at once for an example as their tokenizers make it, and
again for a call of another kind. A library that was not imported made no object, so none is
imported here.
"""

from __future__ import annotations

import copy
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from canao.errors import UnsupportedModelError
from canao.frontend.auto_shapes import AUTO, AutoShapes, DynamicShapes

if TYPE_CHECKING:
    from canao.huggingface.compiled_forward import CompileCall

    Door = Callable[[Any, CompileCall, AutoShapes], Any]

_EXAMPLE = "An example of a sentence."
_GENERATION = "text-generation"


def compiled_object(
    given: object, compile_call: CompileCall, dynamic_shapes: DynamicShapes
) -> Any | None:
    """An object of the same kind, compiled inside; None for what is none of those known."""
    door = _door_for(given)
    return None if door is None else door(given, compile_call, _auto_shapes(dynamic_shapes))


def _door_for(given: object) -> Door | None:
    for module, name, door in _DOORS:
        known = getattr(sys.modules.get(module), name, None)
        if isinstance(known, type) and isinstance(given, known):
            return door
    return None


def _auto_shapes(asked: DynamicShapes) -> AutoShapes:
    if asked is None or asked == AUTO:
        return AutoShapes()
    if isinstance(asked, AutoShapes):
        return asked
    raise UnsupportedModelError(
        "pipelines and sentence encoders take every batch and length: give dynamic_shapes='auto' "
        "or canao.AutoShapes(...), or leave it out"
    )


def _compile_pipeline(pipeline: Any, compile_call: CompileCall, shapes: AutoShapes) -> Any:
    """A pipeline of transformers."""
    from canao.huggingface.compiled_copies import compiled_tree, generating_copy

    compiled = copy.copy(pipeline)
    if pipeline.task == _GENERATION:
        compiled.model = generating_copy(pipeline.model, compile_call, shapes)
        return compiled
    if pipeline.task not in _EXAMPLES:
        raise UnsupportedModelError(
            f"pipelines for '{pipeline.task}' cannot be compiled; those for "
            f"{', '.join((*_EXAMPLES, _GENERATION))} can"
        )
    compiled.model = compiled_tree(pipeline.model, compile_call, shapes)
    _EXAMPLES[pipeline.task](compiled)
    return compiled


def _compile_encoder(encoder: Any, compile_call: CompileCall, shapes: AutoShapes) -> Any:
    """A `SentenceTransformer`."""
    from canao.huggingface.compiled_copies import compiled_tree

    compiled = compiled_tree(encoder, compile_call, shapes)
    compiled.encode([_EXAMPLE])
    return compiled


def _compile_cross_encoder(encoder: Any, compile_call: CompileCall, shapes: AutoShapes) -> Any:
    """A `CrossEncoder`."""
    from canao.huggingface.compiled_copies import compiled_tree

    compiled = compiled_tree(encoder, compile_call, shapes)
    compiled.predict([(_EXAMPLE, _EXAMPLE)])
    return compiled


_EXAMPLES: dict[str, Callable[[Any], Any]] = {
    "feature-extraction": lambda pipeline: pipeline(_EXAMPLE),
    "fill-mask": lambda pipeline: pipeline(f"{_EXAMPLE} {pipeline.tokenizer.mask_token}"),
    "text-classification": lambda pipeline: pipeline(_EXAMPLE),
    "token-classification": lambda pipeline: pipeline(_EXAMPLE),
    "zero-shot-classification": lambda pipeline: pipeline(_EXAMPLE, candidate_labels=["a", "b"]),
}
"""A first call of a pipeline for each task, so that the next one need not wait for a compiler."""

_DOORS: tuple[tuple[str, str, Door], ...] = (
    ("transformers.pipelines.base", "Pipeline", _compile_pipeline),
    ("sentence_transformers", "SentenceTransformer", _compile_encoder),
    ("sentence_transformers", "CrossEncoder", _compile_cross_encoder),
)
"""Where a class is, its name, and what compiles its objects."""
