"""A compiled model is a snapshot: nothing that happens to its model afterwards changes it."""

from __future__ import annotations

import copy
import pickle
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.nn.utils.parametrizations import weight_norm

import canao
from canao.errors import ExecutionError, UnsupportedModelError
from canao.frontend.weight_watch import WINDOW, WeightWatch


class Tagger(nn.Module):
    """An embedding and a norm, read as they are, and a product, which is packed."""

    scale: torch.Tensor
    offsets: torch.Tensor

    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(50, 16)
        self.norm = nn.LayerNorm(16)
        self.linear = nn.Linear(16, 24)
        self.register_buffer("scale", torch.tensor([2.0]))
        self.register_buffer("offsets", torch.randn(16, 8))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        hidden = self.norm(self.embedding(ids) + self.offsets.sum(-1) * torch.ones(500)[:1])
        return self.linear(hidden) * self.scale


IDS = torch.arange(12).reshape(2, 6)


def compiled_of(model: nn.Module, cache: Path, *inputs: torch.Tensor) -> canao.CompiledModel:
    return canao.compile(model, inputs or (IDS,), threads=1, tune="off", cache_dir=cache)


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def model() -> Tagger:
    torch.manual_seed(0)
    return Tagger().eval()


def _load_another(model: Tagger) -> None:
    model.load_state_dict({name: value + 1 for name, value in model.state_dict().items()})


def _step(model: Tagger) -> None:
    model(IDS).sum().backward()
    torch.optim.SGD(model.parameters(), lr=0.5).step()


def _through_data(model: Tagger) -> None:
    for parameter in model.parameters():
        parameter.data.mul_(3)


def _in_place(model: nn.Module) -> None:
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(1)


def _one_through_data(model: Tagger) -> None:
    model.linear.weight.data[7, 3] = 5


def _one_through_numpy(model: Tagger) -> None:
    model.linear.weight.detach().numpy()[9, 5] = 5


def _rows_swapped(model: Tagger) -> None:
    model.embedding.weight.data[[1, 7]] = model.embedding.weight.data[[7, 1]]


ONES = [_one_through_data, _one_through_numpy, _rows_swapped]
CHANGES = [_load_another, _step, _through_data, _in_place, *ONES]


@pytest.mark.parametrize("change", CHANGES)
def test_later_weights_do_not_matter(
    change: Callable[[Tagger], None], model: Tagger, cache: Path
) -> None:
    compiled = compiled_of(model, cache)
    before = compiled(IDS)
    torch.testing.assert_close(before, model(IDS), rtol=1e-5, atol=1e-5)
    change(model)
    assert torch.equal(compiled(IDS), before)


def test_update_weights(model: Tagger, cache: Path) -> None:
    compiled = compiled_of(model, cache)
    _in_place(model)
    compiled.update_weights(model)
    torch.testing.assert_close(compiled(IDS), model(IDS), rtol=1e-5, atol=1e-5)


def test_updates_of_fast_products_measure_their_errors_again(cache: Path) -> None:
    model = nn.Linear(512, 512).eval()
    x = torch.randn(256, 512)
    compiled = canao.compile(model, (x,), threads=1, tune="off", fusion="fast", cache_dir=cache)
    before = compiled.program.fast_products
    with torch.no_grad():
        model.weight.mul_(torch.logspace(-3, 3, 512))
    compiled.update_weights(model)
    assert before != compiled.program.fast_products or not before
    torch.testing.assert_close(compiled(x), model(x), rtol=1e-3, atol=1e-1)


def test_updates_that_do_not_fit(model: Tagger, cache: Path) -> None:
    compiled = compiled_of(model, cache)
    before = compiled(IDS)
    model.scale.fill_(5)
    with pytest.raises(UnsupportedModelError, match="'scale' has changed"):
        compiled.update_weights(model)
    model.scale.fill_(2)
    model.linear = nn.Linear(16, 25)
    with pytest.raises(UnsupportedModelError, match=r"'linear\.weight' was .* \(24, 16\).*25"):
        compiled.update_weights(model)
    with pytest.raises(UnsupportedModelError, match=r"no parameter or buffer 'embedding\.weight'"):
        compiled.update_weights(nn.Linear(3, 3))
    with pytest.raises(UnsupportedModelError, match=r"was float32 .* is float16"):
        compiled.update_weights(Tagger().half())
    with pytest.raises(UnsupportedModelError, match="is on meta, where tensors have no values"):
        compiled.update_weights(Tagger().to("meta"))
    tensors: Any = model.state_dict()
    with pytest.raises(UnsupportedModelError, match=r"a model is a module .*OrderedDict"):
        compiled.update_weights(tensors)
    assert torch.equal(compiled(IDS), before)


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(30, 8)
        self.head = nn.Linear(8, 30, bias=False)
        self.head.weight = self.embedding.weight

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        return self.head(self.embedding(ids))


def test_a_tie_that_is_none_any_more(cache: Path) -> None:
    model = Tied().eval()
    compiled = compiled_of(model, cache)
    _in_place(model)
    compiled.update_weights(model)
    torch.testing.assert_close(compiled(IDS), model(IDS), rtol=1e-5, atol=1e-5)
    model.head.weight = nn.Parameter(model.head.weight.detach() + 1)
    with pytest.raises(UnsupportedModelError, match="were one tensor, and are not now"):
        compiled.update_weights(model)


@pytest.mark.parametrize("change", [_load_another, _through_data, _in_place, *ONES])
def test_the_backend_follows(change: Callable[[Tagger], None], model: Tagger, cache: Path) -> None:
    options: dict[str, Any] = {"threads": 1, "tune": "off", "cache_dir": cache}
    run = torch.compile(model, backend="canao", options=options, dynamic=False)
    with torch.no_grad():
        torch.testing.assert_close(run(IDS), model(IDS), rtol=1e-5, atol=1e-5)
        change(model)
        torch.testing.assert_close(run(IDS), model(IDS), rtol=1e-5, atol=1e-5)


def test_every_element_of_large_weights_is_looked_at() -> None:
    tensors = [torch.zeros(WINDOW // 8, 5), torch.zeros(4, 7)[:, 1::2], torch.zeros(3).bool()]
    for tensor in tensors:
        watch = WeightWatch(tensors)
        assert not any(watch.has_changed(tensors) for _ in range(8))
        tensor.data[-1].fill_(1)
        assert any(watch.has_changed(tensors) for _ in range(4))


# ------------------------------------------------------------- the caller's model


class Merging(nn.Linear):
    """Merges its adapter when it is evaluated, as LoRA layers do."""

    def __init__(self) -> None:
        super().__init__(4, 4)
        self.a, self.b = nn.Parameter(torch.randn(4, 1)), nn.Parameter(torch.randn(1, 4))
        self.merged = False

    def train(self, mode: bool = True) -> Merging:
        sign = 1 if self.merged else -1
        if self.merged == mode:
            self.weight.data -= sign * (self.a @ self.b)
            self.merged = not mode
        return super().train(mode)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        added = 0.0 if self.merged else input @ (self.a @ self.b).T
        return super().forward(input) + added


def test_a_model_in_training_stays_as_it_is(cache: Path) -> None:
    model = nn.Sequential(Merging(), nn.Dropout(0.5), weight_norm(nn.Linear(4, 4))).train()
    model[2].eval()
    x = torch.randn(3, 4)
    model(x).sum().backward()
    attributes = [dict(vars(module)) for module in model.modules()]
    before = {name: value.clone() for name, value in model.state_dict().items()}
    gradients = [p.grad.clone() for p in model.parameters() if p.grad is not None]
    modes = [module.training for module in model.modules()]
    compiled = compiled_of(model, cache, x)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not model[0].merged
    after = [p.grad for p in model.parameters() if p.grad is not None]
    assert all(torch.equal(a, b) for a, b in zip(gradients, after, strict=True))
    assert [dict(vars(module)) for module in model.modules()] == attributes
    expected = copy.deepcopy(model).eval()(x)
    torch.testing.assert_close(compiled(x), expected, rtol=1e-5, atol=1e-5)
    model(x).sum().backward()
    assert model[0].a.grad is not None


class Noting(nn.Module):
    """Keeps what it computed as an attribute."""

    last: torch.Tensor | None = None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.last = x * 2
        return self.last + 1


def test_attributes_that_a_forward_sets(cache: Path) -> None:
    model = Noting().eval()
    kept = model.last = torch.ones(3)
    compiled_of(model, cache, torch.ones(3))
    assert model.last is kept


class Hooking(nn.Module):
    """Installs a hook on its child when it is first called."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.installed = False
        self.seen = list[int]()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.installed:
            self.linear.register_forward_hook(lambda *_: self.seen.append(1))
            self.installed = True
        return self.linear(x)


def test_hooks_that_a_forward_installs(cache: Path) -> None:
    model = Hooking().eval()
    compiled_of(model, cache, torch.ones(3))
    model.seen.clear()
    model(torch.ones(3))
    assert model.seen == [1]


# --------------------------------------------------------------- the same twice


def test_one_tensor_given_twice(cache: Path) -> None:
    x, y = torch.randn(3), torch.randn(3)

    class Minus(nn.Module):
        def forward(self, a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
            return a - 2 * b

    compiled = compiled_of(Minus().eval(), cache, x, x)
    assert torch.allclose(compiled(x, y), x - 2 * y)


def test_one_tensor_given_twice_inside_structures(cache: Path) -> None:
    x, y = torch.randn(3), torch.randn(3)

    class Nested(nn.Module):
        def forward(self, a: dict[str, torch.Tensor], b: list[torch.Tensor]) -> torch.Tensor:
            return a["one"] - 2 * a["two"] + 3 * b[0] - 4 * b[1]

    example: Any = {"one": x, "two": x}, [x, x]
    compiled = canao.compile(Nested().eval(), example, threads=1, tune="off", cache_dir=cache)
    found = compiled({"one": x, "two": y}, [y + 1, x])
    assert torch.allclose(found, x - 2 * y + 3 * (y + 1) - 4 * x)


def test_a_parameter_as_an_input(cache: Path) -> None:
    x = torch.randn(3, 3)
    linear = nn.Linear(3, 3).eval()
    compiled = compiled_of(linear, cache, linear.weight)
    torch.testing.assert_close(compiled(x), linear(x), rtol=1e-5, atol=1e-5)


# ------------------------------------------------------------ closing and copying


def test_a_closed_model_says_so(model: Tagger, cache: Path) -> None:
    compiled = compiled_of(model, cache)
    compiled.close()
    compiled.close()
    for call in (
        lambda: compiled(IDS),
        compiled.measure,
        lambda: compiled.report,
        lambda: compiled.update_weights(model),
    ):
        with pytest.raises(ExecutionError, match="was closed"):
            call()


def test_closing_waits_for_calls(cache: Path) -> None:
    model = nn.Linear(512, 512).eval()
    x = torch.randn(512, 512)
    compiled = compiled_of(model, cache, x)
    expected, ended = compiled(x), list[str]()

    def call() -> None:
        try:
            while True:
                assert torch.equal(compiled(x), expected)
        except ExecutionError as error:
            ended.append(str(error))

    callers = [threading.Thread(target=call) for _ in range(3)]
    for caller in callers:
        caller.start()
    compiled(x)
    compiled.close()
    for caller in callers:
        caller.join(timeout=30)
    assert ended == ["the model was closed; load or compile it again"] * 3


def test_copies_work_on_their_own(model: Tagger, cache: Path) -> None:
    compiled = compiled_of(model, cache)
    expected = compiled(IDS)
    copies = [copy.deepcopy(compiled), copy.copy(compiled), pickle.loads(pickle.dumps(compiled))]
    compiled.close()
    for each in copies:
        assert torch.equal(each(IDS), expected)
        assert each.ir("torch") == compiled.ir("torch")


def test_models_compiled_at_once(cache: Path) -> None:
    found: dict[int, torch.Tensor] = {}
    models = [nn.Linear(8, size).eval() for size in range(1, 7)]
    x = torch.randn(2, 8)

    def work(number: int) -> None:
        found[number] = compiled_of(models[number], cache, x)(x)

    workers = [threading.Thread(target=work, args=(n,)) for n in range(len(models))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for number, model in enumerate(models):
        torch.testing.assert_close(found[number], model(x), rtol=1e-5, atol=1e-5)


def test_one_model_compiled_by_threads_at_once(model: Tagger, cache: Path) -> None:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    workers = [threading.Thread(target=compiled_of, args=(model, cache)) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all(type(parameter) is nn.Parameter for parameter in model.parameters())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
