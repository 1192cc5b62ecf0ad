"""Models of transformers, compiled when they are read, under the names that scripts know.

    model = canao.CanaoModelForSequenceClassification.from_pretrained("folder or hub name")
    pipeline("text-classification", model=model, tokenizer=tokenizer)

A script that has `AutoModelForSequenceClassification` changes this one name.
"""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Self

import torch

from canao.api import compile, load
from canao.compiled_model import CompiledModel
from canao.compiling.options import Fusion, Tune
from canao.errors import InputFileError, MissingExtraError, UnsupportedModelError
from canao.files import replacing
from canao.frontend.auto_shapes import AutoShapes, DynamicShapes
from canao.huggingface.compiled_forward import CompileCall, CompiledForward, Kind
from canao.huggingface.pretrained import example_inputs, load_config, load_pretrained
from canao.machine.target import Target

try:
    from transformers.pipelines import base as pipelines
except ImportError as error:
    raise MissingExtraError("reading Hugging Face models", "hf") from error

_FOLDER = "canao"
_KINDS = "kinds.json"


def _make_known(task: str, name: str) -> None:
    # The one list of names beside those of transformers that its pipelines do not complain of.
    known: dict[str, list[str]] = getattr(pipelines, "SUPPORTED_PEFT_TASKS", {})
    known.setdefault(task, []).append(name)


class CanaoModel:
    """A model without a head; what `AutoModel` is to PyTorch."""

    auto_class: ClassVar[str] = "AutoModel"
    """The class of transformers that reads the same files."""
    task: ClassVar[str] = "feature-extraction"
    """The pipelines that take it."""
    base_model_prefix = "model"
    main_input_name = "input_ids"
    input_modalities = ("text",)
    device = torch.device("cpu")
    dtype = torch.float32

    def __init__(self, config: Any, forward: Callable[..., Any]) -> None:
        self.config = config
        self.forward = forward
        """Takes and returns what `forward` of the model does."""
        self.name_or_path: str = config.name_or_path

    def __init_subclass__(cls) -> None:
        _make_known(cls.task, cls.__name__)

    @classmethod
    def from_pretrained(
        cls,
        name: str | Path,
        *,
        target: str | Target = "c",
        threads: int | None = None,
        fusion: Fusion = True,
        tune: Tune = "default",
        shapes: AutoShapes | None = None,
        **options: Any,
    ) -> Self:
        """The model in a folder, or of a name on the hub; compiled, unless it was saved so.

        `target`, `threads`, `fusion` and `tune` are those of `canao.compile`, `shapes` the
        largest sizes; other options go to `from_pretrained` of transformers. What was saved
        stays as it was compiled: there only `threads` counts.
        """
        if is_saved(name):
            return cls._read(Path(name), Path(name) / _FOLDER, threads)

        def compile_call(
            model: Any, given: Mapping[str, Any], sizes: DynamicShapes
        ) -> CompiledModel:
            return compile(
                model,
                given,
                target=target,
                threads=threads,
                fusion=fusion,
                tune=tune,
                dynamic_shapes=sizes,
            )

        model = load_pretrained(name, auto_class=cls.auto_class, **options)
        return cls._compiled(model, name, compile_call, shapes or AutoShapes())

    @classmethod
    def _compiled(
        cls, model: Any, name: str | Path, compile_call: CompileCall, shapes: AutoShapes
    ) -> Self:
        forward = CompiledForward.of(model, compile_call, shapes)
        forward(**example_inputs(model, name))
        return cls(model.config, forward)

    @classmethod
    def _read(cls, path: Path, folder: Path, threads: int | None) -> Self:
        return cls(load_config(path), _loaded(folder, threads))

    def save_pretrained(self, directory: str | Path) -> None:
        """Write what was compiled so far, and the configuration, for `from_pretrained`.

        Other files in the directory, as a tokenizer's, stay.
        """
        path = Path(directory)
        path.mkdir(parents=True, exist_ok=True)
        with replacing(path / _FOLDER) as new:
            new.mkdir(parents=True)
            self._write(new)
        self.config.save_pretrained(path)

    def _write(self, folder: Path) -> None:
        forward = self.forward
        assert isinstance(forward, CompiledForward)
        for number, compiled in enumerate(forward.compiled.values()):
            compiled.save(folder / str(number))
        kinds = list(forward.compiled)
        text = json.dumps({"parameters": list(forward.parameters), "kinds": kinds}, indent=1)
        (folder / _KINDS).write_text(text, encoding="utf-8")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """What the model returns, computed by compiled code."""
        return self.forward(*args, **kwargs)

    def can_generate(self) -> bool:
        """Whether it generates text: it does not."""
        return False

    def to(self, device: object) -> Self:
        """The model itself, which takes and returns tensors of the processor's memory."""
        if torch.device(str(device)).type != "cpu":
            raise UnsupportedModelError(
                f"compiled models take tensors in the processor's memory, not on {device}; for a "
                "GPU give target='opencl', and leave the tensors where they are"
            )
        return self

    def eval(self) -> Self:
        """The model itself: it is for inference only."""
        return self


_make_known(CanaoModel.task, CanaoModel.__name__)


class CanaoModelForSequenceClassification(CanaoModel):
    """A model that classifies texts."""

    auto_class = "AutoModelForSequenceClassification"
    task = "text-classification"


class CanaoModelForTokenClassification(CanaoModel):
    """A model that classifies tokens."""

    auto_class = "AutoModelForTokenClassification"
    task = "token-classification"


class CanaoModelForQuestionAnswering(CanaoModel):
    """A model that finds answers in a text."""

    auto_class = "AutoModelForQuestionAnswering"
    task = "question-answering"


class CanaoModelForMultipleChoice(CanaoModel):
    """A model that chooses among answers."""

    auto_class = "AutoModelForMultipleChoice"
    task = "multiple-choice"


class CanaoModelForMaskedLM(CanaoModel):
    """A model that fills in masked tokens."""

    auto_class = "AutoModelForMaskedLM"
    task = "fill-mask"


def is_saved(name: str | Path) -> bool:
    """Whether a folder holds a model that was compiled and saved by `save_pretrained`."""
    return (Path(name) / _FOLDER).is_dir()


def _loaded(folder: Path, threads: int | None) -> CompiledForward:
    """What was saved, which cannot compile anything else."""
    try:
        text = (folder / _KINDS).read_text(encoding="utf-8")
        data: dict[str, Any] = json.loads(text)
        names: list[str] = data["parameters"]
        kinds: list[Kind] = [tuple((n, t) for n, t in kind) for kind in data["kinds"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputFileError(
            f"{folder / _KINDS} cannot be read ({error}); save the model again"
        ) from error
    known = {kind: load(folder / str(n), threads=threads) for n, kind in enumerate(kinds)}

    def refuse(given: Mapping[str, Any], shapes: AutoShapes) -> CompiledModel:
        saved = "; ".join(", ".join(name for name, _ in kind) for kind in kinds)
        raise UnsupportedModelError(
            f"the model was compiled and saved for calls with {saved}, and is called with "
            f"{', '.join(given)}, or in a larger batch; read the original with from_pretrained, "
            "call it so, and save it again"
        )

    kind = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(name, kind, default=None) for name in names]
    return CompiledForward(inspect.Signature(parameters), refuse, AutoShapes(), known)
