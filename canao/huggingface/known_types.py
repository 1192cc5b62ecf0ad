"""Types of encoders that are known to compile, for messages about those that do not."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

from canao.errors import UnsupportedModelError, UnsupportedOpError

KNOWN_TYPES = (
    "albert",
    "bert",
    "big_bird",
    "camembert",
    "clip_text_model",
    "convbert",
    "data2vec-text",
    "deberta",
    "deberta-v2",
    "distilbert",
    "electra",
    "ernie",
    "esm",
    "eurobert",
    "gte",
    "ibert",
    "jina_embeddings_v3",
    "layoutlm",
    "luke",
    "megatron-bert",
    "mobilebert",
    "modernbert",
    "mpnet",
    "mra",
    "mt5",
    "nomic_bert",
    "nystromformer",
    "rembert",
    "roberta",
    "roberta-prelayernorm",
    "roc_bert",
    "roformer",
    "squeezebert",
    "t5",
    "umt5",
    "xlm-roberta",
    "xlm-roberta-xl",
    "xlnet",
)
"""As `model_type` of a configuration names them; `docs/models.md` says what of each compiles."""


@contextmanager
def known_types_named(model: object) -> Generator[None]:
    """A refusal of a model of another type says, too, which types are known to compile.

    `UnsupportedOpError` still names the operator and its source line.
    """
    try:
        yield
    except UnsupportedOpError as error:
        known = _known_instead(model)
        if not known:
            raise
        raise UnsupportedOpError(error.op, error.location, f"{error.hint}; {known}") from error
    except UnsupportedModelError as error:
        known = _known_instead(model)
        if not known:
            raise
        raise UnsupportedModelError(f"{error}; {known}") from error


def _known_instead(model: object) -> str:
    """A sentence for a model of transformers whose type is not known to compile; else ""."""
    kind = getattr(getattr(model, "config", None), "model_type", None)
    if not isinstance(kind, str) or not kind or kind in KNOWN_TYPES:
        return ""
    return (
        f"'{kind}' is none of the types of encoders known to compile: {', '.join(KNOWN_TYPES)} "
        "(docs/models.md)"
    )
