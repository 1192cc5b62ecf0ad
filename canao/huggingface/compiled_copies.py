"""Copies of models of transformers, and of modules that hold some, with compiled `forward`s.

They are of the same classes and share the weights: whoever asks a model for its configuration,
its class or its parameters finds them.
"""

from __future__ import annotations

import copy
from typing import TypeVar

from torch import nn
from transformers import PreTrainedModel

from canao.decoding.decoder import Decoder
from canao.decoding.forward import DecoderForward
from canao.errors import UnsupportedModelError
from canao.frontend.auto_shapes import AutoShapes
from canao.huggingface.compiled_forward import CompileCall, CompiledForward

M = TypeVar("M", bound=nn.Module)


def compiled_copy(
    model: PreTrainedModel, compile_call: CompileCall, shapes: AutoShapes
) -> PreTrainedModel:
    """The model with a compiled `forward`; it is compiled when it is called."""
    copied = copy.copy(model)
    vars(copied)["forward"] = CompiledForward.of(model, compile_call, shapes)
    return copied.eval() if model.training else copied


def generating_copy(
    model: nn.Module, compile_call: CompileCall, shapes: AutoShapes
) -> PreTrainedModel:
    """A causal model that generates with a compiled decoder, in streams of `shapes.sequence`.

    `UnsupportedModelError` for a model around one, as those with adapters are.
    """
    if not isinstance(model, PreTrainedModel):
        # Its `generate` would call the model inside, which is not the compiled one.
        raise UnsupportedModelError(
            f"a {type(model).__name__} does not generate with compiled code; give the pipeline the "
            "model itself (merge_and_unload() of one with adapters), or use canao.CompiledGenerator"
        )
    copied = copy.copy(model)
    decoder = Decoder.of(model, compile_call, shapes.sequence)
    vars(copied)["forward"] = DecoderForward(decoder, model.config)
    return copied.eval() if model.training else copied


def compiled_tree(module: M, compile_call: CompileCall, shapes: AutoShapes) -> M:
    """A module whose models of transformers are compiled ones; the module itself stays as it is."""
    found = _with_copies(module, compile_call, shapes)
    if found is module:
        raise UnsupportedModelError(
            f"{type(module).__name__} holds no model of transformers; compile its parts, with "
            "example inputs for each"
        )
    return found


def _with_copies(module: M, compile_call: CompileCall, shapes: AutoShapes) -> M:
    """The module itself if there is nothing in it to compile."""
    if isinstance(module, PreTrainedModel):
        return compiled_copy(module, compile_call, shapes)
    children: dict[str, nn.Module | None] = vars(module)["_modules"]
    found = {
        name: child if child is None else _with_copies(child, compile_call, shapes)
        for name, child in children.items()
    }
    if all(found[name] is child for name, child in children.items()):
        return module
    copied = copy.copy(module)
    vars(copied)["_modules"] = found
    return copied
