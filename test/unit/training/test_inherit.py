"""Models made of a teacher's weights."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from unit.training.training_support import WHOLE, config, inputs, save_teacher, spec

from canao.errors import CanaoError
from canao.nas.models.importance import (
    BlockImportance,
    Importance,
    feature_loss,
    measure_importance,
    task_loss,
)
from canao.nas.models.inherit import inherit
from canao.nas.models.kept_blocks import best_blocks, logits
from canao.nas.models.sized_bert import (
    SizedBertConfig,
    architecture_of,
    build_model,
    load_encoder,
    load_model,
)
from canao.nas.space.architecture import Architecture
from canao.nas.training.candidates.teacher import default_teacher
from canao.nas.training.fit.fine_tune import with_head


@pytest.fixture(scope="module")
def teacher(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return load_model(save_teacher(tmp_path_factory.mktemp("teacher"), noise=0.2)).eval()


def _batch() -> dict[str, torch.Tensor]:
    return {**inputs(8, 9), "labels": torch.arange(8) % 2}


@pytest.fixture(scope="module")
def importance(teacher: Any) -> Importance:
    return measure_importance(teacher, [_batch()], task_loss)


def _logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        return model(**inputs()).logits


def test_the_teacher_s_own_sizes_compute_what_it_does(teacher: Any, importance: Importance) -> None:
    copy, lineage = inherit(WHOLE, teacher, importance, seed=0)
    assert torch.equal(_logits(copy), _logits(teacher))
    assert lineage.blocks == (0, 1, 2)
    assert lineage.targets() == (0, 1, 2)


def test_all_of_minilm_computes_what_it_does() -> None:
    path = default_teacher()
    whole = with_head(path, spec()).eval()
    sizes = architecture_of(whole.config)
    units = torch.ones(sizes.hidden_size)
    block = BlockImportance(units, units, torch.ones(sizes.intermediate_sizes[0]))
    kept = tuple(tuple(range(count)) for count in range(1, sizes.num_blocks + 1))
    alike = Importance(units, (block,) * sizes.num_blocks, kept)
    copy, _ = inherit(sizes, whole, alike, seed=0)
    assert torch.equal(_logits(copy), _logits(whole))


@pytest.mark.parametrize(
    ("hidden", "heads", "sizes"),
    [
        (32, 4, (24, 48, 8)),
        (24, 3, (48, 16)),
        (16, 4, (32,)),
        (32, 2, (48, 48)),
        (32, 8, (8,)),
        (24, 4, (16, 24, 32)),
    ],
)
def test_any_sizes(
    teacher: Any, importance: Importance, hidden: int, heads: int, sizes: tuple[int, ...]
) -> None:
    wanted = Architecture(hidden, heads, sizes)
    model, lineage = inherit(wanted, teacher, importance, seed=0)
    assert architecture_of(model.config) == wanted
    assert len(lineage.blocks) == len(lineage.targets()) == len(sizes)
    assert lineage.targets()[-1] == 2
    assert torch.isfinite(_logits(model)).all()


def test_units_that_do_nothing_go_first(teacher: Any) -> None:
    """Half of the feed-forward units and a head are made useless: without them nothing changes."""
    model, _ = inherit(WHOLE, teacher, measure_importance(teacher, [_batch()], task_loss), seed=0)
    with torch.no_grad():
        for layer in model.bert.encoder.layer:
            layer.output.dense.weight[:, ::2] = 0
            layer.attention.output.dense.weight[:, 8:16] = 0
    model.eval()
    found = measure_importance(model, [_batch()], task_loss)
    small, _ = inherit(Architecture(32, 4, (24, 24, 24)), model, found, seed=0)
    torch.testing.assert_close(_logits(small), _logits(model))
    for block in found.blocks:
        assert block.values[8:16].abs().max() == 0
        assert block.values[:8].min() > 0


def test_a_block_that_does_nothing_is_dropped_first(teacher: Any) -> None:
    model, _ = inherit(WHOLE, teacher, measure_importance(teacher, [_batch()], task_loss), seed=0)
    with torch.no_grad():
        idle = model.bert.encoder.layer[1]
        for part in (idle.attention.output, idle.output):
            part.dense.weight.zero_()
            part.dense.bias.zero_()
        # Twice normalising what is normalised changes nothing.
        before = model.bert.encoder.layer[0].output.LayerNorm
        for norm in (before, idle.attention.output.LayerNorm, idle.output.LayerNorm):
            norm.weight.fill_(1)
            norm.bias.zero_()
    found = measure_importance(model.eval(), [_batch()], task_loss)
    assert found.kept_blocks(2) == (0, 2)
    small, lineage = inherit(Architecture(32, 4, (48, 48)), model, found, seed=0)
    assert lineage.blocks == (0, 2)
    assert lineage.targets() == (1, 2)
    torch.testing.assert_close(_logits(small), _logits(model), rtol=1e-4, atol=1e-4)


def test_blocks_that_are_kept_say_most_of_what_all_say(teacher: Any) -> None:
    """The choices that the search follows are as good as all of them, for so few blocks."""
    whole = logits(teacher, _batch())
    found = best_blocks(teacher, [_batch()], logits, lambda: None)
    layers = list(teacher.bert.encoder.layer)
    for count, kept in enumerate(found, 1):
        distances: dict[tuple[int, ...], float] = {}
        for blocks in combinations(range(3), count):
            teacher.bert.encoder.layer = nn.ModuleList([layers[n] for n in blocks])
            with torch.no_grad():
                distances[blocks] = (logits(teacher, _batch()) - whole).square().sum().item()
        teacher.bert.encoder.layer = nn.ModuleList(layers)
        assert kept == min(distances, key=lambda blocks: distances[blocks])


def test_importance_without_a_task(teacher: Any) -> None:
    before = {name: tensor.clone() for name, tensor in teacher.state_dict().items()}
    found = measure_importance(teacher, [_batch()], feature_loss)
    assert found.hidden.shape == (32,)
    assert [len(kept) for kept in found.kept] == [1, 2, 3]
    assert found.kept_blocks(3) == (0, 1, 2)
    assert min(block.neurons.min() for block in found.blocks) > 0
    assert all(torch.equal(before[n], t) for n, t in teacher.state_dict().items())
    again = Importance.of_tensors(found.tensors())
    assert again.kept == found.kept
    assert all(torch.equal(t, again.tensors()[name]) for name, t in found.tensors().items())


@pytest.mark.parametrize(
    ("wanted", "what"),
    [
        (Architecture(40, 4, (8,)), "40 hidden dimensions"),
        (Architecture(32, 4, (49,)), "49 feed-forward units"),
        (Architecture(32, 4, (8, 8, 8, 8)), "4 blocks"),
    ],
)
def test_larger_than_the_teacher(
    teacher: Any, importance: Importance, wanted: Architecture, what: str
) -> None:
    with pytest.raises(CanaoError, match=f"has {what} and its teacher"):
        inherit(wanted, teacher, importance, seed=0)


def test_saved_and_loaded(tmp_path: Path) -> None:
    wanted = Architecture(32, 4, (8, 48, 16))
    model = build_model(wanted, base=config(), labels=2)
    model.save_pretrained(tmp_path)  # pyright: ignore[reportCallIssue]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["config.json", "model.safetensors"]
    again = load_model(tmp_path).eval()
    assert architecture_of(again.config) == wanted
    assert torch.equal(_logits(again), _logits(model))
    encoder = load_encoder(tmp_path).eval()
    assert architecture_of(encoder.config) == wanted


def test_equal_sizes_are_a_plain_bert() -> None:
    model: Any = build_model(Architecture(32, 4, (16, 16)), base=config())
    assert type(model).__name__ == "BertModel"
    assert not isinstance(model.config, SizedBertConfig)


def test_random_weights_follow_the_seed() -> None:
    state = torch.random.get_rng_state()
    one, same, other = (build_model(Architecture(32, 4, (8, 16)), seed=n) for n in (1, 1, 2))
    weights = [next(model.parameters()) for model in (one, same, other)]
    assert torch.equal(weights[0], weights[1])
    assert not torch.equal(weights[0], weights[2])
    assert torch.equal(state, torch.random.get_rng_state())
