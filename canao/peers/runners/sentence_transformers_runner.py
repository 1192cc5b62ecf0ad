"""sentence-transformers, on PyTorch or on its ONNX or OpenVINO backend: embeds all sentences."""

# Installed in the peer's own environment.
# pyright: reportMissingImports=false

from __future__ import annotations

import json
from typing import Any

import torch
from serve import Array, Job, Served, main


def _settings(job: Job) -> dict[str, Any]:
    """What a backend is told: its threads, and to compute in float32."""
    if job.options["backend"] == "onnx":
        import onnxruntime

        session = onnxruntime.SessionOptions()
        session.intra_op_num_threads = job.threads
        session.inter_op_num_threads = 1
        return {"provider": "CPUExecutionProvider", "session_options": session, "export": True}
    if job.options["backend"] == "openvino":
        config = {
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
            "INFERENCE_NUM_THREADS": job.threads,
            "NUM_STREAMS": 1,
        }
        return {"ov_config": config, "export": True}
    return {}


def load(job: Job) -> Served:
    """`SentenceTransformer.encode`, for one sentence a call or for all in batches."""
    from sentence_transformers import SentenceTransformer

    torch.set_num_threads(job.threads)
    model: Any = SentenceTransformer(
        str(job.model), backend=job.options["backend"], device="cpu", model_kwargs=_settings(job)
    )
    sentences: list[str] = json.loads((job.case / "sentences.json").read_text(encoding="utf-8"))
    batch: int = job.options["batch"]

    def run() -> Any:
        if batch == 1:
            return [model.encode(sentence) for sentence in sentences]
        # It sorts by length itself.
        return model.encode(sentences, batch_size=batch, show_progress_bar=False)

    def outputs(result: Any) -> list[Array]:
        import numpy as np

        return [np.stack(list(result))]

    return Served(run, outputs)


main(load)
