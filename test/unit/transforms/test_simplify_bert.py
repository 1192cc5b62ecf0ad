from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
import torch
from transformers import BertConfig, BertModel
from xdsl.context import Context

from canao.frontend.torch_import import import_model
from canao.interpreters.canao import evaluate
from canao.transforms.canao_simplify import CanaoSimplifyPass
from canao.transforms.convert_torch_to_canao import ConvertTorchToCanaoPass

LAYERS = 2


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("activation", ["gelu", "gelu_new"])
@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_bert_ends_in_few_operations(attention: str, activation: str, batch: int):
    torch.manual_seed(0)
    settings: dict[str, Any] = {
        "vocab_size": 50,
        "hidden_size": 32,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": 16,
        "hidden_act": activation,
        "attn_implementation": attention,
    }
    model = BertModel(BertConfig(**settings)).eval()
    ids = torch.randint(0, 50, (batch, 7))
    mask = torch.ones_like(ids)
    mask[-1, 4:] = 0
    imported = import_model(model, {"input_ids": ids, "attention_mask": mask})
    context = Context(allow_unregistered=True)
    ConvertTorchToCanaoPass().apply(context, imported.module)
    CanaoSimplifyPass().apply(context, imported.module)
    imported.module.verify()

    counts = Counter(op.name for op in imported.module.walk())
    assert counts["canao.layer_norm"] == 2 * LAYERS + 1
    assert counts["canao.softmax"] == LAYERS
    assert counts["canao.gelu"] == LAYERS
    # The three inputs of attention, its scores, its sum, its output, two of the MLP; the pooler.
    assert counts["canao.matmul"] == 6 * LAYERS + 1
    assert counts["canao.gather"] == 1
    # What is left of arithmetic is biases, residuals, the mask and scales of weights.
    arithmetic = {"canao.add", "canao.mul", "canao.tanh", "canao.cast", "canao.select"}
    composites = {"canao.layer_norm", "canao.softmax", "canao.gelu", "canao.matmul"}
    moves = {"canao.reshape", "canao.transpose", "canao.slice", "canao.concat", "canao.gather"}
    sources = {"canao.weight", "canao.constant"}
    known = arithmetic | composites | moves | sources
    rest = {name for name in counts if name.startswith("canao.")} - known
    assert not rest

    with torch.no_grad():
        expected = model(input_ids=ids, attention_mask=mask)
    found = evaluate(imported.module, [ids.numpy(), mask.numpy()], imported.weights)
    for ours, theirs in zip(found, (expected[0], expected[1]), strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-4, atol=1e-5)
