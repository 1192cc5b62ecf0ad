"""Adapters of PEFT: models with some inside, and folders that hold one beside the name of its base.

A model is compiled with the adapters that are active, merged or not. What they add to weights is
made part of these ahead of time.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from canao.errors import InputFileError, MissingExtraError, UnsupportedModelError

_CONFIG = "adapter_config.json"
_WEIGHTS = "adapter_model.safetensors"
_HEADS = {
    "SEQ_CLS": "AutoModelForSequenceClassification",
    "TOKEN_CLS": "AutoModelForTokenClassification",
    "QUESTION_ANS": "AutoModelForQuestionAnswering",
    "CAUSAL_LM": "AutoModelForCausalLM",
    "FEATURE_EXTRACTION": "AutoModel",
}
"""Tasks of adapters, and which class of transformers reads the model for it."""

LoadBase = Callable[[str, str | None], Any]
"""Reads a base model: its name, and the class of transformers if the adapter tells."""


def is_adapter(name: str | Path) -> bool:
    """Whether a folder holds an adapter."""
    return (Path(name) / _CONFIG).is_file()


def name_of_base(folder: str | Path) -> str:
    """The folder or name on the hub of the model that an adapter was made for."""
    base = _config(folder).get("base_model_name_or_path")
    if not isinstance(base, str) or not base:
        raise InputFileError(
            f"{Path(folder) / _CONFIG} names no base model; read the model and its adapter by "
            "peft and give canao the model"
        )
    return base


def load_adapter(folder: str | Path, load_base: LoadBase) -> Any:
    """The base model with the adapter of a folder in it, in evaluation mode."""
    if find_spec("peft") is None:
        raise MissingExtraError("reading adapters", "peft")
    base = name_of_base(folder)
    # The other format is a pickle, which runs code when it is read.
    if not (Path(folder) / _WEIGHTS).is_file():
        raise InputFileError(f"{folder} has no {_WEIGHTS}; save the adapter as safetensors")
    from peft import PeftModel
    from safetensors import SafetensorError

    model = load_base(base, _HEADS.get(str(_config(folder).get("task_type"))))
    try:
        adapted = PeftModel.from_pretrained(model, str(folder))
    except (OSError, ValueError, KeyError, TypeError, RuntimeError, SafetensorError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise InputFileError(
            f"the adapter in {folder} does not fit its base model {base}: {reason}; read both by "
            "peft, with num_labels for instance, and give canao the model"
        ) from error
    return without_wrapper(adapted).eval()


def without_wrapper(model: Any) -> Any:
    """The model of transformers inside a `PeftModel`, adapters included; others as they are.

    `UnsupportedModelError` where the wrapper computes something of its own.
    """
    known = getattr(sys.modules.get("peft.peft_model"), "PeftModel", None)
    if not isinstance(known, type) or not isinstance(model, known):
        return model
    wrapped: Any = model
    tuner = getattr(sys.modules.get("peft.tuners.tuners_utils"), "BaseTuner", None)
    plain = isinstance(tuner, type) and isinstance(wrapped.base_model, tuner)
    if not plain or type(wrapped.base_model).forward is not getattr(tuner, "forward", None):
        kinds = ", ".join(sorted({str(c.peft_type.value) for c in wrapped.peft_config.values()}))
        raise UnsupportedModelError(
            f"adapters of the kind {kinds} change more than weights; give example inputs, for "
            "which the model is compiled as it is"
        )
    return wrapped.get_base_model()


def _config(folder: str | Path) -> dict[str, Any]:
    path = Path(folder) / _CONFIG
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputFileError(f"{path} cannot be read: {error}; check the file") from error
    if not isinstance(found, dict):
        raise InputFileError(f"{path} is no configuration of an adapter; check the file")
    return found
