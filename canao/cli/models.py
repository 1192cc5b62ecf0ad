"""Models named on the command line."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from canao.cli.progress import shown_progress
from canao.errors import CanaoError, InputFileError

if TYPE_CHECKING:
    from torch import Tensor, nn

    from canao.compiled_model import CompiledModel
    from canao.generation.generator import CompiledGenerator

_SAVED = "canao.json"
_HUGGING_FACE = "config.json"
_ONNX = ".onnx"


class Attention(StrEnum):
    """How a Hugging Face model writes its attention."""

    eager = "eager"
    sdpa = "sdpa"


class FusionChoice(StrEnum):
    """Which laws fuse layers."""

    on = "on"
    off = "off"
    exact = "exact"
    fast = "fast"

    @property
    def value_for_compile(self) -> bool | str:
        """The argument `fusion` of `canao.compile`."""
        return {"on": True, "off": False}.get(self.value, self.value)


class TuneChoice(StrEnum):
    """How many schedules are measured."""

    off = "off"
    default = "default"
    full = "full"


class TuneMode(StrEnum):
    """How many schedules `canao tune` measures."""

    default = "default"
    full = "full"


class TargetChoice(StrEnum):
    """What code is made for this machine."""

    c = "c"
    opencl = "opencl"


def check_target(name: str) -> str:
    """The name of what code is made for; a wrong use of the command for one that is not known."""
    from canao.machine.targets import target_names

    known = (*TargetChoice, *target_names())
    if name not in known:
        raise typer.BadParameter(f"there is no target '{name}'; choose one of {', '.join(known)}")
    return name


@dataclass(frozen=True)
class CompileOptions:
    """Options of every command that may compile."""

    seq: int = 128
    batch: int = 1
    threads: int | None = None
    attention: Attention = Attention.sdpa
    target: str = TargetChoice.c
    device: str | None = None
    """The OpenCL device, the first one if None; or the text of one that runs programs in C."""
    dtype: str = "float32"
    tune: TuneChoice = TuneChoice.default
    cache_dir: Path | None = None
    fusion: FusionChoice = FusionChoice.on
    dynamic: bool = False
    """Whether batch and sequence vary from call to call, up to the model's limits."""


@dataclass(frozen=True)
class Opened:
    """A compiled model, with the PyTorch model it came from if that is known."""

    compiled: CompiledModel
    original: nn.Module | None = None
    inputs: dict[str, Tensor] | None = None


def is_saved(path: Path) -> bool:
    """Whether a directory holds a model that was compiled and saved."""
    return (path / _SAVED).is_file()


def open_model(path: Path, options: CompileOptions, *, quiet: bool) -> Opened:
    """Load a saved model, or compile a Hugging Face directory, an ONNX file or a `.mlir` file."""
    import canao

    if is_saved(path):
        return Opened(canao.load(path, threads=options.threads))
    if path.is_dir() and not (path / _HUGGING_FACE).is_file():
        raise InputFileError(
            f"{path} holds neither a saved model ({_SAVED}) nor a Hugging Face model "
            f"({_HUGGING_FACE}); name another directory, an .onnx or a .mlir file"
        )
    if not path.exists():
        raise InputFileError(
            f"{path} does not exist; name a saved model, a model, an .onnx or a .mlir file"
        )
    name = path.resolve().name
    with shown_progress(f"compiling {name}", f"compiled {name}", quiet=quiet) as progress:
        progress("loading")
        if path.is_dir():
            original = _hugging_face_model(path, options.attention)
            inputs = _hugging_face_inputs(original, options)
            return Opened(_compile(original, inputs, options, progress), original, inputs)
        if path.suffix.lower() == _ONNX:
            return Opened(_compiled_onnx(path, options, progress))
        # A module in MLIR says itself what varies.
        return Opened(_compile(path, None, replace(options, dynamic=False), progress))


def open_generator(
    path: Path, options: CompileOptions, max_length: int | None
) -> CompiledGenerator:
    """Compile a causal model of a Hugging Face directory or a GGUF file, or load a saved one."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from canao.auto_models import is_saved
    from canao.generation.causal_model import CanaoModelForCausalLM
    from canao.generation.generator import CompiledGenerator
    from canao.huggingface.pretrained import load_pretrained, quiet_transformers

    if not path.exists():
        raise InputFileError(f"{path} does not exist; name the folder or GGUF file of a model")
    refuse_device(options, "generators")
    quiet_transformers()
    # Tokens go in and out, so that a folder without a tokenizer will do.
    if is_saved(path):
        model = CanaoModelForCausalLM.from_pretrained(path, threads=options.threads)
        return CompiledGenerator(model)
    name = path.resolve().name
    with shown_progress(f"compiling {name}", f"compiled {name}") as progress:
        progress("loading")
        return CompiledGenerator(
            load_pretrained(path, auto_class=CanaoModelForCausalLM.auto_class),
            max_length=max_length,
            target=compile_target(options),
            threads=options.threads,
            dtype=options.dtype,
            tune=options.tune.value,
            cache_dir=options.cache_dir,
            progress=progress,
        )


def _compiled_onnx(
    path: Path, options: CompileOptions, progress: Callable[[str], None]
) -> CompiledModel:
    """The model in an ONNX file, which says itself whether dimensions vary."""
    from canao.frontend.onnx.onnx_import import example_tensors

    inputs, varies = example_tensors(path, options.batch, options.seq)
    dynamic = options.dynamic and varies
    return _compile(path, inputs, replace(options, dynamic=dynamic), progress)


def _compile(
    model: Any,
    inputs: dict[str, Tensor] | None,
    options: CompileOptions,
    progress: Callable[[str], None],
) -> CompiledModel:
    from canao.api import compile as compile_model

    fusion: Any = options.fusion.value_for_compile
    return compile_model(
        model,
        inputs,
        target=compile_target(options),
        device=_program_device(options),
        threads=options.threads,
        fusion=fusion,
        tune=options.tune.value,
        dtype=options.dtype,
        dynamic_shapes="auto" if options.dynamic else None,
        cache_dir=options.cache_dir,
        progress=progress,
    )


def compile_target(options: CompileOptions) -> Any:
    """The argument `target` of `canao.compile`."""
    from canao.devices.specs import FORMS
    from canao.machine.target import Target

    if options.target == TargetChoice.opencl:
        return Target.opencl(options.device)
    if options.device is not None and _program_device(options) is None:
        raise CanaoError(
            f"--device {options.device} is an OpenCL device: give --target opencl too; what runs "
            f"programs in C is {FORMS}"
        )
    return options.target


def refuse_device(options: CompileOptions, what: str) -> None:
    """`CanaoError` where a device that runs programs was named for what is not tuned on one."""
    if _program_device(options) is not None:
        raise CanaoError(
            f"--device {options.device}: {what} are not tuned on devices; leave it out and "
            "name the --target"
        )


def _program_device(options: CompileOptions) -> str | None:
    """The argument `device` of `canao.compile`."""
    from canao.devices.specs import names_device

    named = options.device is not None and options.target != TargetChoice.opencl
    return options.device if named and names_device(options.device or "") else None


def _hugging_face_model(path: Path, attention: Attention) -> nn.Module:
    # Only the directory is read: nothing may be fetched.
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    from canao.huggingface.pretrained import load_pretrained, quiet_transformers

    quiet_transformers()
    return load_pretrained(path, auto_class="AutoModel", attn_implementation=attention.value)


def _hugging_face_inputs(model: nn.Module, options: CompileOptions) -> dict[str, Tensor]:
    """Token numbers and a full mask, for the parameters that the model has."""
    from canao.huggingface.pretrained import example_inputs

    longest = getattr(model.config, "max_position_embeddings", options.seq)
    if options.seq > longest:
        raise InputFileError(
            f"the model takes sequences of up to {longest} tokens; give a --seq of at most that"
        )
    return example_inputs(model, batch=options.batch, sequence=options.seq)
