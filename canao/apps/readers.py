"""Models that read windows of a text: they give logits of where an answer begins and ends."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch

from canao.answering.spans import Logits
from canao.answering.windows import Numbers, WindowMaker
from canao.api import compile
from canao.apps.pytorch import torch_threads
from canao.auto_models import CanaoModelForQuestionAnswering
from canao.compiled_model import CompiledModel
from canao.compiling.options import StorageOptions
from canao.errors import UnsupportedModelError
from canao.frontend.auto_shapes import AutoShapes
from canao.frontend.module import inference_model
from canao.huggingface.compiled_forward import CompiledForward

Inputs = Mapping[str, Numbers]
"""Of shape (windows, tokens) each."""
_STARTS, _ENDS = "start_logits", "end_logits"


class Reader(Protocol):
    """Gives logits of starts and of ends, each of shape (windows, tokens)."""

    def __call__(self, inputs: Inputs) -> tuple[Logits, Logits]:
        """Read a batch of windows; what the model does not take is left out."""
        ...


class TorchReader:
    """A module, uncompiled."""

    def __init__(self, model: torch.nn.Module, threads: int | None) -> None:
        self.model = inference_model(model)
        self._names = frozenset(inspect.signature(model.forward).parameters)
        self._threads = threads

    def __call__(self, inputs: Inputs) -> tuple[Logits, Logits]:
        """Read a batch of windows."""
        with torch_threads(self._threads):
            return _logits(self.model(**_tensors(inputs, self._names)))


class CompiledReader:
    """A compiled model, which takes `batch` windows of `window` tokens at most.

    A model that was read from its saved form has the limits that it was compiled with.
    """

    def __init__(self, model: CompiledModel) -> None:
        self.model = model
        self._names = frozenset(leaf.name for leaf in model.convention.inputs)

    @staticmethod
    def of(
        model: torch.nn.Module, maker: WindowMaker, batch: int, options: StorageOptions
    ) -> CompiledReader:
        """A module, compiled for windows of every number and length up to the largest."""
        example = maker.batch(maker.cut("Which one?", "This one.").rows)
        names = frozenset(inspect.signature(model.forward).parameters)
        TorchReader(model, None)(example)  # an error now for a model without such logits
        shapes = AutoShapes(batch, maker.window)
        compiled = compile(model, _tensors(example, names), dynamic_shapes=shapes, **options)
        return CompiledReader(compiled)

    @staticmethod
    def saved(path: str | Path, threads: int | None) -> CompiledReader:
        """What `CanaoModelForQuestionAnswering.save_pretrained` wrote."""
        read = CanaoModelForQuestionAnswering.from_pretrained(path, threads=threads)
        assert isinstance(read.forward, CompiledForward)
        return CompiledReader(next(iter(read.forward.compiled.values())))

    def most(self, name: str) -> int | None:
        """The largest size of a dimension that varies; None for one that does not."""
        sizes = {symbol.name: symbol.high for symbol in self.model.convention.symbols}
        return sizes.get(name)

    def __call__(self, inputs: Inputs) -> tuple[Logits, Logits]:
        """Read a batch of windows."""
        return _logits(self.model(**_tensors(inputs, self._names)))


def _tensors(inputs: Inputs, names: frozenset[str]) -> dict[str, torch.Tensor]:
    return {name: torch.from_numpy(array) for name, array in inputs.items() if name in names}


def _logits(output: Any) -> tuple[Logits, Logits]:
    if isinstance(output, Mapping):
        found: Sequence[Any] = [output.get(name) for name in (_STARTS, _ENDS)]
    else:
        found = output if isinstance(output, tuple) else ()
    if len(found) != 2 or not all(isinstance(one, torch.Tensor) and one.ndim == 2 for one in found):
        raise UnsupportedModelError(
            f"the model gives no {_STARTS} and {_ENDS}; give one for question answering, as "
            "AutoModelForQuestionAnswering reads it"
        )
    starts, ends = (one.detach().float().numpy() for one in found)
    return starts, ends
