"""`torch.compile(model, backend="canao")`: several graphs of a model, modes, what is let go."""

from __future__ import annotations

import ctypes
import gc
import tempfile
import weakref
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch
from torch import nn

import canao
from canao import api


@pytest.fixture(autouse=True)
def fresh_dynamo() -> Generator[None]:
    torch.compiler.reset()
    yield
    torch.compiler.reset()


@pytest.fixture
def options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """How models are compiled; with a folder of their own for what is temporary."""
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    return {"tune": "off", "threads": 1, "cache_dir": str(tmp_path)}


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[canao.CompiledModel]:
    """The models that canao compiles, in order."""
    found: list[canao.CompiledModel] = []
    compile_model = api.compile

    def kept(*args: Any, **kwargs: Any) -> canao.CompiledModel:
        found.append(compile_model(*args, **kwargs))
        return found[-1]

    monkeypatch.setattr(api, "compile", kept)
    return found


class Halves(nn.Module):
    """Two layers and what breaks the graph between them."""

    def __init__(self, between: Callable[[torch.Tensor], torch.Tensor]) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.first, self.second = nn.Linear(4, 6), nn.Linear(6, 3)
        self.between = between

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.relu(self.second(self.between(torch.tanh(self.first(x)))))


def _prints(x: torch.Tensor) -> torch.Tensor:
    print("between")
    return x


def _branches(x: torch.Tensor) -> torch.Tensor:
    return x * 3 if x.sum() > 0 else x - 1


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_print_breaks_the_graph_in_two(
    mode: Any,
    options: dict[str, Any],
    made: list[canao.CompiledModel],
    capsys: pytest.CaptureFixture[str],
) -> None:
    model = Halves(_prints).eval()
    run: Any = torch.compile(model, backend="canao", options=options)
    x = torch.randn(5, 4)
    with mode():
        for _ in range(2):
            torch.testing.assert_close(run(x), model(x), rtol=1e-5, atol=1e-6)
    assert len(made) == 2
    assert [m.report.fallbacks for m in made] == [0, 0]
    assert capsys.readouterr().out.count("between") == 4


def test_each_side_of_a_branch_is_compiled_when_it_is_taken(
    options: dict[str, Any], made: list[canao.CompiledModel]
) -> None:
    model = Halves(_branches).eval()
    run: Any = torch.compile(model, backend="canao", options=options)
    with torch.no_grad():
        x = torch.randn(5, 4)
        sides = {bool(torch.tanh(model.first(y)).sum() > 0): y for y in (x, -x, 9 * x, -9 * x)}
        assert len(sides) == 2
        counts: list[int] = []
        for y in (*sides.values(), *sides.values()):
            torch.testing.assert_close(run(y), model(y), rtol=1e-5, atol=1e-6)
            counts.append(len(made))
    assert counts[1] == counts[0] + 1
    assert counts[3] == counts[1]


def test_gradients_are_refused(options: dict[str, Any]) -> None:
    """Of parameters and of inputs; without gradients the same model runs, in training mode too."""
    model = nn.Linear(4, 3)
    run: Any = torch.compile(model, backend="canao", options=options)
    with pytest.raises(Exception, match="computes no gradients"):
        run(torch.ones(2, 4))
    double: Any = torch.compile(lambda x: x * 2, backend="canao", options=options)
    with pytest.raises(Exception, match="computes no gradients"):
        double(torch.ones(2, requires_grad=True))
    with torch.no_grad():
        torch.testing.assert_close(run(torch.ones(2, 4)), model(torch.ones(2, 4)))


def _by_dynamo(model: nn.Module, x: torch.Tensor, options: dict[str, Any]) -> None:
    run: Any = torch.compile(model, backend="canao", options=options)
    with torch.no_grad():
        torch.testing.assert_close(run(x), model(x), rtol=1e-5, atol=1e-6)
    torch.compiler.reset()


def _by_compile(model: nn.Module, x: torch.Tensor, options: dict[str, Any]) -> None:
    compiled = canao.compile(model, (x,), **options)
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), model(x), rtol=1e-5, atol=1e-6)


def _compile_and_drop(use: Any, options: dict[str, Any]) -> weakref.ref[nn.Module]:
    """Compiles a new module of one shape, runs it, and lets all of it go."""
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU()).eval()
    use(model, torch.randn(2, 8), options)
    return weakref.ref(model)


def _held() -> dict[str, Any]:
    """What this process holds that compiled models may leave behind."""
    gc.collect()
    process = psutil.Process()
    mapped = [m.path for m in process.memory_maps() if "[" not in m.path]
    return {
        "files": process.num_fds(),
        "threads": process.num_threads(),
        "children": len(process.children()),
        "mapped": sorted(mapped),
        "temporary": sorted(Path(tempfile.gettempdir()).iterdir()),
        "models": sum(type(o) is canao.CompiledModel for o in gc.get_objects()),
    }


@pytest.mark.parametrize("use", [_by_dynamo, _by_compile])
def test_what_is_dropped_is_let_go(use: Any, options: dict[str, Any]) -> None:
    """Modules, thread pools, libraries, files and folders, exactly, over 15 compilations."""
    options["threads"] = 2
    for _ in range(3):
        _compile_and_drop(use, options)
    before = _held()
    modules = [_compile_and_drop(use, options) for _ in range(15)]
    after = _held()
    assert [module() for module in modules] == [None] * 15
    assert after == before


@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(("use", "times"), [(_by_dynamo, 1000), (_by_compile, 200)])
def test_memory_stays_bounded(use: Any, times: int, options: dict[str, Any]) -> None:
    """Over 1,000 compilations by dynamo, and 200 by `canao.compile`.

    PyTorch keeps the source of each traced graph, 5 to 10 KB a compilation; the C library
    keeps memory that was freed for later use, and hands it back first.
    """
    options["threads"] = 2
    library = ctypes.CDLL(None)

    def resident() -> int:
        gc.collect()
        if hasattr(library, "malloc_trim"):
            library.malloc_trim(0)
        return psutil.Process().memory_info().rss

    for _ in range(100):
        _compile_and_drop(use, options)
    before, memory = _held(), resident()
    alive = 0
    for _ in range(times):
        module = _compile_and_drop(use, options)
        alive += module() is not None
    grown = resident() - memory
    assert _held() == before
    assert grown < 25 * 1024 * times + (8 << 20)
    assert alive < times // 10
