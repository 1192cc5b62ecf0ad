"""One question answering model as each way of the browser takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions
from torch import Tensor, nn

from canao.apps import QuestionAnswerer
from canao.apps.web.export_page import export_page
from canao.huggingface.pretrained import load_pretrained
from canao.machine.targets import browser_row

NAMES = ("input_ids", "attention_mask", "token_type_ids")
Array = np.ndarray[Any, np.dtype[Any]]


def load_model(folder: Path) -> Any:
    """A BERT for question answering, in float32; an error for another model."""
    model: Any = load_pretrained(folder, auto_class="AutoModelForQuestionAnswering")
    config = model.config
    kind, activation = config.model_type, getattr(config, "hidden_act", None)
    if kind != "bert" or activation != "gelu":
        raise SystemExit(
            f"{folder} is a {kind} with {activation}; the encoder of TensorFlow.js is written for "
            "BERT with gelu: name such a model"
        )
    return model.float().eval()


def make_inputs(model: Any, tokens: int) -> dict[str, Tensor]:
    """Random tokens, all of them real, in two parts: int64 of shape (1, tokens)."""
    words = torch.Generator().manual_seed(0)
    ids = torch.randint(0, model.config.vocab_size, (1, tokens), generator=words)
    kinds = (torch.arange(tokens) >= tokens // 8).long()[None]
    return dict(zip(NAMES, (ids, torch.ones_like(ids), kinds), strict=True))


class Logits(nn.Module):
    """The logits of starts and ends alone, from inputs in the order of `NAMES`."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, *inputs: Tensor) -> tuple[Tensor, Tensor]:
        """Both of shape (1, tokens)."""
        found = self.model(**dict(zip(NAMES, inputs, strict=True)))
        return found.start_logits, found.end_logits


def logits_of(model: nn.Module, inputs: Mapping[str, Tensor]) -> list[Array]:
    """PyTorch's logits of starts and ends, float32 of shape (tokens,)."""
    with torch.inference_mode():
        return [found[0].numpy() for found in Logits(model)(*inputs.values())]


def write_page(model: Path, window: int, tune: Any, directory: Path) -> list[str]:
    """The page of canao into a folder; the names of the model's inputs, in its order."""
    answerer = QuestionAnswerer(model, batch=1, window=window, tune=tune, target=browser_row().name)
    export_page(answerer, directory)
    return [leaf.name for leaf in answerer.model.convention.inputs]


def write_onnx(folder: Path, inputs: Mapping[str, Tensor], path: Path) -> None:
    """The model in float32, attention, LayerNorm and GELU fused as ONNX Runtime's tools do.

    They know what the TorchScript exporter writes for eager attention with dynamic axes.
    """
    options: Any = {"auto_class": "AutoModelForQuestionAnswering"}
    model: Any = load_pretrained(folder, **options).float().eval()
    model.set_attn_implementation("eager")
    axes = {name: {0: "batch", 1: "sequence"} for name in (*inputs, "start", "end")}
    raw = path.with_name("exported.onnx")
    torch.onnx.export(
        Logits(model),
        tuple(inputs.values()),
        str(raw),
        dynamo=False,
        opset_version=17,
        input_names=list(inputs),
        output_names=["start", "end"],
        dynamic_axes=axes,
    )
    fused = optimizer.optimize_model(
        str(raw),
        model_type="bert",
        num_heads=model.config.num_attention_heads,
        hidden_size=model.config.hidden_size,
        opt_level=1,
        optimization_options=FusionOptions("bert"),
        use_gpu=False,
    )
    fused.save_model_to_file(str(path))
    raw.unlink()


def write_tensors(model: Any, path: Path) -> dict[str, Any]:
    """All weights one after another in float32; sizes, and where each tensor lies.

    Weights of products are transposed to (inputs, outputs), as TensorFlow.js has them.
    """
    products = {
        f"{name}.weight" for name, part in model.named_modules() if isinstance(part, nn.Linear)
    }
    tensors: list[dict[str, Any]] = []
    at = 0
    with path.open("wb") as file:
        for name, tensor in model.state_dict().items():
            if not tensor.is_floating_point():
                continue
            array = (tensor.T if name in products else tensor).contiguous().numpy()
            file.write(array.astype("<f4").tobytes())
            shape, short = list(array.shape), name.removeprefix("bert.")
            tensors.append({"name": short, "shape": shape, "offset": at, "count": array.size})
            at += array.nbytes
    config = model.config
    return {
        "layers": config.num_hidden_layers,
        "heads": config.num_attention_heads,
        "epsilon": config.layer_norm_eps,
        "tensors": tensors,
    }


def named_values(inputs: Mapping[str, Tensor], names: Sequence[str]) -> list[dict[str, Any]]:
    """Inputs as the page takes them, in an order."""
    return [{"name": name, "values": inputs[name][0].tolist()} for name in names]
