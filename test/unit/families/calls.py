"""What models of the zoo are called with: masks, positions, embeddings and outputs of each kind."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from unit.families.zoo import VOCABULARY

Call = dict[str, Any]


def call_of(kind: str, model: Any, head: str, batch: int, length: int) -> Call:
    """The arguments of a call; the first of several rows is padded."""
    generator = torch.Generator().manual_seed(100 * batch + length)
    shape = (batch, 2, length) if head == "choice" else (batch, length)
    ids = torch.randint(4, VOCABULARY, shape, generator=generator)
    mask = torch.ones_like(ids)
    padded = slice(0, length // 2) if kind == "left padding" else slice(length - length // 2, None)
    if batch > 1:
        mask[0, ..., padded] = 0
        ids[0, ..., padded] = model.config.pad_token_id or 0
    call: Call = {"input_ids": ids, "attention_mask": mask}
    if model.config.model_type == "layoutlm":
        call["bbox"] = torch.arange(4).expand(batch, length, 4).contiguous()
    return _CHANGES[kind](call, model)


def _no_mask(call: Call, _: Any) -> Call:
    return {name: value for name, value in call.items() if name != "attention_mask"}


def _additive(call: Call, _: Any) -> Call:
    mask = call["attention_mask"]
    batch, length = mask.shape
    lowest = torch.finfo(torch.float32).min
    added = (1 - mask[:, None, None, :].float()) * lowest
    return {**call, "attention_mask": added.expand(batch, 1, length, length).contiguous()}


def _positions(call: Call, _: Any) -> Call:
    batch, length = call["input_ids"].shape
    positions = torch.arange(length).flip(0) + 2
    return {**call, "position_ids": positions.expand(batch, length).contiguous()}


def _embeddings(call: Call, model: Any) -> Call:
    given = {name: value for name, value in call.items() if name != "input_ids"}
    return {"inputs_embeds": model.get_input_embeddings()(call["input_ids"]).detach(), **given}


_CHANGES: dict[str, Callable[[Call, Any], Call]] = {
    "mask": lambda call, _: call,
    "left padding": lambda call, _: call,
    "no mask": _no_mask,
    "float mask": _additive,
    "positions": _positions,
    "embeddings": _embeddings,
    "hidden states": lambda call, _: {**call, "output_hidden_states": True},
    "attentions": lambda call, _: {**call, "output_attentions": True},
}
KINDS = tuple(_CHANGES)
