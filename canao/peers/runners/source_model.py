"""The PyTorch model that every peer starts from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from serve import Job
from torch import Tensor, nn


class OnlyTensors(nn.Module):
    """A Hugging Face encoder that takes and returns tensors: hidden states, pooled state."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__()
        self.model = model

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> tuple[Tensor, ...]:
        """All outputs of the model, in its order."""
        return tuple(self.model(input_ids, attention_mask=attention_mask, return_dict=False))


def torch_inputs(job: Job) -> tuple[Tensor, ...]:
    """The inputs of a job as int64 tensors."""
    return tuple(torch.from_numpy(array) for array in job.inputs().values())


def load_source(job: Job, attention: str) -> nn.Module:
    """The model of a job, in the given form of attention: "eager" or "sdpa"."""
    from transformers import AutoModel
    from transformers.utils import logging

    logging.disable_progress_bar()
    model: nn.Module = AutoModel.from_pretrained(
        job.model, attn_implementation=attention, local_files_only=True, dtype=torch.float32
    )
    return OnlyTensors(model).eval()


def config_of(job: Job) -> dict[str, Any]:
    """The configuration of the model of a job."""
    return json.loads(Path(job.model / "config.json").read_text())
