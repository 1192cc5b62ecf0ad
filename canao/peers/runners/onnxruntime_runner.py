"""ONNX Runtime, on a graph with its transformers optimizer's fused attention."""

# Installed in the peer's own environment.
# pyright: reportMissingImports=false

from __future__ import annotations

from typing import Any

import onnxruntime as ort
import torch
from onnxruntime.transformers import optimizer
from onnxruntime.transformers.fusion_options import FusionOptions
from serve import Job, Served, main
from source_model import config_of, load_source, torch_inputs


def convert(job: Job) -> None:
    """Exports with dynamic axes, then fuses attention, LayerNorm and GELU.

    The optimizer knows only what the TorchScript exporter writes for eager
    attention.
    """
    raw = job.converted / "exported.onnx"
    inputs = tuple(job.inputs())
    axes = {name: {0: "batch", 1: "sequence"} for name in inputs}
    torch.onnx.export(
        load_source(job, "eager"),
        torch_inputs(job),
        str(raw),
        dynamo=False,
        opset_version=17,
        input_names=list(inputs),
        output_names=["last_hidden_state"],
        dynamic_axes=axes,
    )
    config = config_of(job)
    options = FusionOptions("bert")
    fused = optimizer.optimize_model(
        str(raw),
        model_type="bert",
        num_heads=config.get("num_attention_heads") or config["n_heads"],
        hidden_size=config.get("true_hidden_size") or config.get("hidden_size") or config["dim"],
        opt_level=1,
        optimization_options=options,
        use_gpu=False,
    )
    fused.save_model_to_file(str(job.converted / "model.onnx"))
    print("fused", fused.get_fused_operator_statistics())
    raw.unlink()


def load(job: Job) -> Served:
    """A session with one pool of `threads` threads, sequential execution."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = job.threads
    options.inter_op_num_threads = 1
    # Its threads spin between the operators of a run, and not until the next run.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_ALL
    session = ort.InferenceSession(
        str(job.converted / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )
    inputs = job.inputs()

    def take(other: Job) -> None:
        nonlocal inputs
        inputs = other.inputs()

    def run() -> Any:
        return session.run(None, inputs)

    return Served(run, list, take)


main(load, convert)
