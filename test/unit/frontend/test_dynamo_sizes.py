"""`torch.compile(model, backend="canao")` where sizes vary from call to call."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch._dynamo.config as config
from torch import nn
from transformers import BertConfig, BertModel

import canao
from canao import api
from canao.frontend.dynamo_graph import Varying


@pytest.fixture(autouse=True)
def fresh_dynamo() -> Generator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


class Rows(nn.Module):
    """Uses sizes as shapes, as numbers, and as ends of slices."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.dense = nn.Linear(4, 3)
        self.table = nn.Buffer(torch.arange(600.0).reshape(200, 3))

    def forward(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        z = torch.relu(self.dense(x)) + y + self.table[: x.shape[1]]
        return z.sum(1), z / x.shape[1]


def count_builds(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """A list that gets longer with each model that canao compiles."""
    made: list[Any] = []
    compile_model = api.compile

    def counted(*args: Any, **kwargs: Any) -> canao.CompiledModel:
        made.append(kwargs.get("dynamic_shapes"))
        return compile_model(*args, **kwargs)

    monkeypatch.setattr(api, "compile", counted)
    return made


def check(run: Any, model: nn.Module, batch: int, rows: int) -> None:
    generator = torch.Generator().manual_seed(rows)
    x = torch.randn(batch, rows, 4, generator=generator)
    y = torch.randn(batch, rows, 1, generator=generator)
    for found, wanted in zip(run(x, y), model(x, y), strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("dynamic", [True, None])
def test_sizes_that_vary(
    dynamic: bool | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One model for all sizes with room; where dynamo sees by itself that they vary, two."""
    made = count_builds(monkeypatch)
    model = Rows().eval()
    options: dict[str, Any] = {"tune": "off", "cache_dir": str(tmp_path), "threads": 1}
    run: Any = torch.compile(model, backend="canao", dynamic=dynamic, options=options)
    with torch.no_grad():
        for batch, rows in ((2, 5), (3, 7), (4, 64), (3, 17), (2, 2)):
            check(run, model, batch, rows)
    assert len(made) == (1 if dynamic else 2)
    assert made[-1] is not None


def test_a_size_beyond_the_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model is compiled again for twice as much; dynamo itself knows how long the table is."""
    made = count_builds(monkeypatch)
    model = Rows().eval()
    options: dict[str, Any] = {"tune": "off", "cache_dir": str(tmp_path), "threads": 1}
    run: Any = torch.compile(model, backend="canao", dynamic=True, options=options)
    with torch.no_grad():
        check(run, model, 2, 5)
        check(run, model, 300, 9)
        check(run, model, 2, 200)
    assert len(made) == 2


def test_bert(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = BertConfig(
        hidden_size=24,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=40,
        vocab_size=50,
        max_position_embeddings=64,
    )
    model = BertModel(config).eval()
    options: dict[str, Any] = {"tune": "off", "cache_dir": str(tmp_path), "threads": 1}
    run: Any = torch.compile(model, backend="canao", dynamic=True, options=options)
    with torch.no_grad():
        for batch, length in ((2, 5), (3, 33), (2, 64)):
            ids = torch.randint(0, 50, (batch, length))
            mask = torch.ones_like(ids)
            mask[:, length // 2 :] = 0
            found = run(input_ids=ids, attention_mask=mask).last_hidden_state
            wanted = model(input_ids=ids, attention_mask=mask).last_hidden_state
            torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-5)


def test_numbers_that_dynamo_makes_inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A float of a module is written into the program, which is made again when it changes."""
    made = count_builds(monkeypatch)
    model = nn.LayerNorm(4).eval()
    options: dict[str, Any] = {"tune": "off", "cache_dir": str(tmp_path), "threads": 1}
    run: Any = torch.compile(model, backend="canao", dynamic=True, options=options)
    with torch.no_grad():
        for eps in (1e-5, 1e-5, 0.5, 0.5):
            model.eps = eps
            x = torch.randn(3, 4)
            torch.testing.assert_close(run(x), model(x), rtol=1e-5, atol=1e-5)
    assert len(made) == 2


def test_zeros_of_either_sign_are_two_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = count_builds(monkeypatch)
    options: dict[str, Any] = {"tune": "off", "cache_dir": str(tmp_path), "threads": 1}
    run: Any = torch.compile(
        lambda x, y: torch.copysign(x, y.item()), backend="canao", options=options, fullgraph=True
    )
    with torch.no_grad(), config.patch(capture_scalar_outputs=True):
        for number in (0.0, -0.0, float("nan"), float("nan")):
            found = run(torch.ones(3), torch.tensor(number))
            assert torch.equal(found, torch.copysign(torch.ones(3), torch.tensor(number)))
    assert len(made) == 3


def test_limits_that_nobody_gave() -> None:
    """Room for what is there and for more, up to 16,384 tokens together."""
    limits: list[int] = []

    def backend(graph: Any, inputs: Any) -> Any:
        limits.extend(Varying.of(graph, inputs).limits.values())
        return graph.forward

    run: Any = torch.compile(lambda x: x + 1, backend=backend, dynamic=True)
    run(torch.ones(2, 5))
    assert limits == [128, 128]
    limits.clear()
    other: Any = torch.compile(lambda x: x * 2, backend=backend, dynamic=True)
    other(torch.ones(3000, 700))
    assert limits == [4096, 1024]


def test_a_number_that_varies(tmp_path: Path) -> None:
    options: dict[str, Any] = {"tune": "off", "cache_dir": str(tmp_path)}
    run: Any = torch.compile(
        lambda x, n: x.reshape(n, -1), backend="canao", dynamic=True, options=options
    )
    with torch.no_grad(), pytest.raises(Exception, match="a number that varies"):
        run(torch.ones(6, 4), 3)
