"""Models of transformers by the name of a folder or of the hub, and inputs to compile them with."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from canao.errors import InputFileError, MissingExtraError, UnsupportedModelError
from canao.huggingface.adapters import is_adapter, load_adapter, name_of_base, without_wrapper
from canao.huggingface.gguf_files import gguf_package, is_gguf, parsed_once

_AUTO_CLASSES = {
    "ForSequenceClassification": "AutoModelForSequenceClassification",
    "ForTokenClassification": "AutoModelForTokenClassification",
    "ForQuestionAnswering": "AutoModelForQuestionAnswering",
    "ForQuestionAnsweringSimple": "AutoModelForQuestionAnswering",
    "ForMultipleChoice": "AutoModelForMultipleChoice",
    "ForMaskedLM": "AutoModelForMaskedLM",
    "EncoderModel": "AutoModelForTextEncoding",
}
"""How the names of architectures end, and which class of transformers reads them."""
_BACKBONE = "AutoModel"
_OF_CHOICES = "ForMultipleChoice"
"""How the names of models end whose rows are several texts."""
_ALWAYS = ("input_ids", "attention_mask")
_HUB_NAME = re.compile(r"[\w-][\w.-]*(/[\w-][\w.-]*)?")
_SAVED = "canao.json"
_TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json")


def pretrained_with_inputs(model: object) -> tuple[Any, dict[str, Any]] | None:
    """A model of transformers, given itself or by name, and inputs to compile it with.

    None for what is neither.
    """
    if isinstance(model, str | Path) and _is_name(model):
        loaded = load_pretrained(model)
        return loaded, example_inputs(loaded, model)
    model = without_wrapper(model)
    known = getattr(sys.modules.get("transformers.modeling_utils"), "PreTrainedModel", None)
    if isinstance(known, type) and isinstance(model, known):
        return model, example_inputs(model, getattr(model, "name_or_path", None) or None)
    return None


def _is_name(given: str | Path) -> bool:
    """Whether a path or text names a model of transformers, and is no MLIR and no ONNX file."""
    text = str(given)
    if "\n" in text or text.lower().endswith((".mlir", ".onnx")):
        return False
    if Path(text).is_file():
        return is_gguf(text)
    if (Path(text) / _SAVED).is_file():
        raise InputFileError(f"{text} holds a compiled model; read it with canao.load")
    return Path(text).is_dir() or (isinstance(given, str) and bool(_HUB_NAME.fullmatch(text)))


def load_pretrained(name: str | Path, *, auto_class: str | None = None, **options: Any) -> Any:
    """The model in a folder, of a name on the hub, or in a GGUF file, in evaluation mode.

    It has the head that it was saved with, where transformers has a class for that; `auto_class`
    names another. Weights are float32, in which compiled code computes, unless `options`, which
    go to `from_pretrained`, say otherwise. A folder with an adapter gives its base model with
    the adapter in it. `InputFileError` where it cannot be read.
    """
    import torch

    if is_adapter(name):
        return load_adapter(
            name, lambda base, kind: load_pretrained(base, auto_class=auto_class or kind, **options)
        )

    folder, file = _place(name)
    # No other formats: they may run code of theirs when they are read.
    given = {"dtype": torch.float32, **(file or {"use_safetensors": True}), **options}
    with parsed_once(name):
        config = load_config(name)
        chosen = getattr(_transformers(), auto_class or _auto_class(config))
        with _readable(name):
            return chosen.from_pretrained(folder, config=config, **given).eval()


def _place(name: str | Path) -> tuple[str | Path, dict[str, str]]:
    """What `from_pretrained` takes for a name: the name, or the folder and name of a GGUF file."""
    path = Path(name)
    if not is_gguf(name):
        return name, {}
    gguf_package()
    return path.parent, {"gguf_file": path.name}


def load_config(name: str | Path) -> Any:
    """The configuration of a model; `InputFileError` where it cannot be read."""
    transformers = _transformers()
    from canao.huggingface.sized_bert import register

    register()
    name = name_of_base(name) if is_adapter(name) else name
    with _readable(name):
        folder, file = _place(name)
        return transformers.AutoConfig.from_pretrained(folder, **file)


def quiet_transformers() -> None:
    """No warnings and no progress bars of transformers, as commands that show their own want."""
    logging = _transformers().logging
    logging.set_verbosity_error()
    logging.disable_progress_bar()


def _auto_class(config: Any) -> str:
    saved = (getattr(config, "architectures", None) or [""])[0]
    found = (auto for ending, auto in _AUTO_CLASSES.items() if saved.endswith(ending))
    return next(found, _BACKBONE)


def example_inputs(
    model: Any, name: str | Path | None = None, *, batch: int = 1, sequence: int = 16
) -> dict[str, Any]:
    """What the tokenizer of a name gives and the model takes: token numbers, a full mask and so on.

    Without a tokenizer, numbers and mask.
    """
    import torch

    config = model.config.get_text_config()
    generator = torch.Generator().manual_seed(0)
    texts = (2,) if type(model).__name__.endswith(_OF_CHOICES) else ()
    shape = (batch, *texts, sequence)
    made: dict[str, Callable[[], torch.Tensor]] = {
        "input_ids": lambda: torch.randint(0, int(config.vocab_size), shape, generator=generator),
        "attention_mask": lambda: torch.ones(shape, dtype=torch.int64),
        "token_type_ids": lambda: torch.zeros(shape, dtype=torch.int64),
    }
    taken = inspect.signature(model.forward).parameters
    names = _tokenizer_inputs(name) or _ALWAYS
    found = {key: make() for key, make in made.items() if key in names and key in taken}
    if "input_ids" not in found:
        raise UnsupportedModelError(
            f"{type(model).__name__} takes no token numbers; give example inputs for it"
        )
    return found


def load_tokenizer(name: str | Path) -> Any | None:
    """The tokenizer of a name, or of an adapter's base.

    None where there is none, or its package is not installed; `InputFileError` where a folder has
    the files of one and they cannot be read.
    """
    found = _tokenizer_at(name)
    return _tokenizer_at(name_of_base(name)) if found is None and is_adapter(name) else found


def _tokenizer_at(name: str | Path) -> Any | None:
    folder, file = _place(name)
    try:
        with parsed_once(name):
            return _transformers().AutoTokenizer.from_pretrained(folder, **file)
    except ImportError:
        return None
    # Readers of tokenizers have no class of errors of their own.
    except Exception as error:
        found = [file for file in _TOKENIZER_FILES if (Path(folder) / file).is_file()]
        if not found:
            return None
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise InputFileError(
            f"the tokenizer in {folder} cannot be read: {reason[0]}; check {', '.join(found)}"
        ) from error


def _tokenizer_inputs(name: str | Path | None) -> tuple[str, ...] | None:
    tokenizer = None if name is None else load_tokenizer(name)
    return None if tokenizer is None else tuple(tokenizer.model_input_names)


def _transformers() -> Any:
    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError("reading Hugging Face models", "hf") from error
    return transformers


@contextmanager
def _readable(name: str | Path) -> Generator[None]:
    """What goes wrong while a model is read is one error that names it."""
    from safetensors import SafetensorError

    try:
        yield
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        reason = str(error).strip().splitlines() or [type(error).__name__]
        raise InputFileError(
            f"{name} cannot be read as a Hugging Face model: {reason[0]}; check its files"
        ) from error
