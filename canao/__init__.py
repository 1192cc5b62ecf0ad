"""canao compiles BERT-like encoders to plain C, fused and scheduled for the processor at hand.

    compiled = canao.compile(model, (input_ids, attention_mask))
    compiled(input_ids, attention_mask)

Names are imported when first used, so that `import canao` costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from canao.package import VERSION as __version__

if TYPE_CHECKING:
    from canao.api import compile, load
    from canao.auto_models import (
        CanaoModel,
        CanaoModelForMaskedLM,
        CanaoModelForMultipleChoice,
        CanaoModelForQuestionAnswering,
        CanaoModelForSequenceClassification,
        CanaoModelForTokenClassification,
    )
    from canao.compiled_model import CompiledModel
    from canao.errors import (
        CacheError,
        CanaoError,
        CandidateError,
        DeviceError,
        ExecutionError,
        FailedCheckError,
        HungError,
        IllegalScheduleError,
        InputFileError,
        MissingExtraError,
        PeerError,
        SearchError,
        ShapeMismatchError,
        ToolchainError,
        UnsupportedModelError,
        UnsupportedOpError,
        VerificationError,
    )
    from canao.frontend.auto_shapes import AutoShapes
    from canao.generation.causal_model import CanaoModelForCausalLM
    from canao.generation.generator import CompiledGenerator
    from canao.machine.target import Target
    from canao.measuring.measure import Latency
    from canao.nas.search import search
    from canao.report.execution_report import ExecutionReport

__all__ = [
    "AutoShapes",
    "CacheError",
    "CanaoError",
    "CanaoModel",
    "CanaoModelForCausalLM",
    "CanaoModelForMaskedLM",
    "CanaoModelForMultipleChoice",
    "CanaoModelForQuestionAnswering",
    "CanaoModelForSequenceClassification",
    "CanaoModelForTokenClassification",
    "CandidateError",
    "CompiledGenerator",
    "CompiledModel",
    "DeviceError",
    "ExecutionError",
    "ExecutionReport",
    "FailedCheckError",
    "HungError",
    "IllegalScheduleError",
    "InputFileError",
    "Latency",
    "MissingExtraError",
    "PeerError",
    "SearchError",
    "ShapeMismatchError",
    "Target",
    "ToolchainError",
    "UnsupportedModelError",
    "UnsupportedOpError",
    "VerificationError",
    "__version__",
    "compile",
    "load",
    "search",
]

_HOMES = {
    "AutoShapes": "canao.frontend.auto_shapes",
    "CanaoModel": "canao.auto_models",
    "CanaoModelForCausalLM": "canao.generation.causal_model",
    "CanaoModelForMaskedLM": "canao.auto_models",
    "CanaoModelForMultipleChoice": "canao.auto_models",
    "CanaoModelForQuestionAnswering": "canao.auto_models",
    "CanaoModelForSequenceClassification": "canao.auto_models",
    "CanaoModelForTokenClassification": "canao.auto_models",
    "compile": "canao.api",
    "load": "canao.api",
    "search": "canao.nas.search",
    "CompiledGenerator": "canao.generation.generator",
    "CompiledModel": "canao.compiled_model",
    "ExecutionReport": "canao.report.execution_report",
    "Latency": "canao.measuring.measure",
    "Target": "canao.machine.target",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'canao' has no attribute {name!r}")
    return getattr(import_module(_HOMES.get(name, "canao.errors")), name)


def __dir__() -> list[str]:
    return sorted(__all__)
