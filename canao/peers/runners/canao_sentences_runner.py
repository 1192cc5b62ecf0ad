"""canao with one model for every batch and length: embeds all sentences."""

from __future__ import annotations

import json
from typing import Any

import torch
from serve import Array, Job, Served, main
from torch import Tensor, nn

import canao


class Embedder(nn.Module):
    """An encoder with what sentence-transformers does behind it: mean of the tokens, normalised."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """[batch, sequence] ids and mask -> [batch, hidden]."""
        states = self.encoder(input_ids, attention_mask=attention_mask).last_hidden_state
        weights = attention_mask.unsqueeze(-1).to(states.dtype)
        mean = (states * weights).sum(1) / weights.sum(1).clamp(min=1e-9)
        return nn.functional.normalize(mean, dim=1)


def convert(job: Job) -> None:
    """Compiles for every batch up to 32 and every length, and saves the result."""
    from transformers import AutoModel

    encoder: Any = AutoModel.from_pretrained(job.model, local_files_only=True)
    ids = torch.ones(2, 16, dtype=torch.int64)
    compiled = canao.compile(
        Embedder(encoder).eval(),
        (ids, ids),
        threads=job.threads,
        dynamic_shapes=canao.AutoShapes(sequence=encoder.config.max_position_embeddings),
    )
    compiled.save(job.converted / "model")


def load(job: Job) -> Served:
    """Tokens of one sentence a call, or of batches of sentences of about as many tokens."""
    from transformers import AutoTokenizer

    model = canao.load(job.converted / "model")
    tokenizer: Any = AutoTokenizer.from_pretrained(job.model, local_files_only=True)
    sentences: list[str] = json.loads((job.case / "sentences.json").read_text(encoding="utf-8"))
    batch: int = job.options["batch"]
    longest = job.options["longest"]

    def one_by_one() -> list[Tensor]:
        limits: dict[str, Any] = {"truncation": True, "max_length": longest}
        found = (tokenizer(each, return_tensors="pt", **limits) for each in sentences)
        return [model(each["input_ids"], each["attention_mask"])[0] for each in found]

    def in_batches() -> list[Tensor]:
        tokens: list[list[int]] = tokenizer(sentences, truncation=True, max_length=longest)[
            "input_ids"
        ]
        order = sorted(range(len(tokens)), key=lambda n: -len(tokens[n]))
        found: dict[int, Tensor] = {}
        for start in range(0, len(order), batch):
            some = order[start : start + batch]
            padded = tokenizer.pad({"input_ids": [tokens[n] for n in some]}, return_tensors="pt")
            found |= zip(some, model(padded["input_ids"], padded["attention_mask"]), strict=True)
        return [found[number] for number in range(len(sentences))]

    def run() -> list[Tensor]:
        return one_by_one() if batch == 1 else in_batches()

    def outputs(result: Any) -> list[Array]:
        return [torch.stack(list(result)).numpy()]

    return Served(run, outputs)


main(load, convert)
