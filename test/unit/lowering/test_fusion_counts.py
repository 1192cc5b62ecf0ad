"""How many layers and computations models end in: pinned, so that a change of either is seen."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

import pytest
import torch
from transformers import (
    BertConfig,
    BertModel,
    DistilBertConfig,
    DistilBertModel,
    MobileBertConfig,
    MobileBertModel,
    PreTrainedModel,
)
from unit.expressions import build
from unit.strategies import Graph

from canao.frontend.torch_import import import_model
from canao.lowering.pipeline import Fusion, lower
from canao.machine.target import Target
from canao.program import Counts, Program

MODELS: dict[str, Callable[[int], PreTrainedModel]] = {
    "bert": lambda layers: BertModel(
        BertConfig(
            vocab_size=50,
            hidden_size=32,
            num_hidden_layers=layers,
            num_attention_heads=4,
            intermediate_size=48,
            max_position_embeddings=16,
        )
    ),
    "distilbert": lambda layers: DistilBertModel(
        DistilBertConfig(
            vocab_size=50,
            dim=32,
            n_layers=layers,
            n_heads=4,
            hidden_dim=48,
            max_position_embeddings=16,
        )
    ),
    "mobilebert": lambda layers: MobileBertModel(
        MobileBertConfig(
            vocab_size=50,
            hidden_size=32,
            num_hidden_layers=layers,
            num_attention_heads=4,
            intermediate_size=48,
            embedding_size=16,
            intra_bottleneck_size=16,
            max_position_embeddings=16,
        )
    ),
}


def lower_graph(graph: Graph, fusion: Fusion = True) -> Program:
    return lower(graph.module, target_unit=Target.host().vector_unit, threads=1, fusion=fusion)


@cache
def lower_model(name: str, attention: str, layers: int, fusion: Fusion = True) -> Program:
    torch.manual_seed(0)
    model = MODELS[name](layers).eval()
    model.set_attn_implementation(attention)
    ids = torch.randint(0, 50, (1, 16))
    imported = import_model(model, {"input_ids": ids, "attention_mask": torch.ones_like(ids)})
    return lower_graph(Graph(imported.module, []), fusion)


# Of a block, and of the embeddings and the pooler: layers, computations.
PINNED = {
    "bert": ((5, 41), (3, 14)),
    "distilbert": ((5, 41), (2, 11)),
    "mobilebert": ((13, 51), (7, 6)),
}


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("name", PINNED)
def test_counts_of_a_block(name: str, attention: str):
    two, three = (lower_model(name, attention, layers).counts for layers in (2, 3))
    block = (
        three.layers_after - two.layers_after,
        three.computations_after - two.computations_after,
    )
    rest = (two.layers_after - 2 * block[0], two.computations_after - 2 * block[1])
    assert (block, rest) == PINNED[name]


def test_twelve_blocks_of_bert_are_few_layers():
    assert PINNED["bert"][0][0] <= 6
    layers = lower_model("bert", "sdpa", 12).counts.layers_after
    assert layers == 63
    assert layers <= 76


@pytest.mark.parametrize("name", PINNED)
def test_exact_uses_only_exact_laws(name: str):
    program = lower_model(name, "sdpa", 2, "exact")
    assert not any(rewrite.changes_rounding for rewrite in program.rewrites)
    assert program.counts.layers_after == lower_model(name, "sdpa", 2).counts.layers_after


def test_laws_are_reported():
    rewrites = {r.law: r for r in lower_model("bert", "eager", 2).rewrites}
    assert rewrites["join-products"].count == 2
    assert not rewrites["join-products"].changes_rounding
    assert rewrites["move-scale-into-weights"].changes_rounding
    program = lower_model("bert", "eager", 2)
    assert Program.from_json(program.to_json()).rewrites == program.rewrites


WIDE = (4, 8)
EXPRESSIONS: dict[str, tuple[Callable[..., Any], int, Counts]] = {
    "paper": (lambda x, f, g, h: ((s := x + f) * g) + s * h, 4, Counts(4, 1, 5, 3)),
    "three wide": (lambda x, g, h, k: x * g + x * h + k * x, 4, Counts(5, 1, 5, 3)),
    "four wide": (
        lambda x, g, h, k, m: x * g + h * x + x * k + x * m,
        5,
        Counts(7, 1, 7, 4),
    ),
    "nested": (lambda a, b, c, d: (a * b + a * c) + a * d, 4, Counts(5, 1, 5, 3)),
    "difference": (lambda x, g, h: x * g - x * h, 3, Counts(3, 1, 3, 2)),
    "quotients": (lambda x, y: x / 3 + y / 3, 2, Counts(3, 1, 3, 2)),
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_counts_of_expressions(name: str):
    function, operands, expected = EXPRESSIONS[name]
    assert lower_graph(build(function, (WIDE,) * operands)).counts == expected


def test_exact_keeps_the_expression_of_the_paper():
    function, operands, _ = EXPRESSIONS["paper"]
    counts = lower_graph(build(function, (WIDE,) * operands), "exact").counts
    assert (counts.computations_before, counts.computations_after) == (5, 4)
