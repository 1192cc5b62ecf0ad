"""Compile every module of torch-mlir's end-to-end suite and compare with PyTorch.

    python benchmarks/torch_mlir_suite.py CHECKOUT [--only PATTERN] [--out benchmarks/results]

Outcomes are kept in the directory of --out as they come; the same command goes on where it
was interrupted, and writes the tables at the end.

CHECKOUT is a checkout of github.com/llvm/torch-mlir; nothing of it is kept here. Modules
are compiled in child processes, so that a crash or a hang is counted, not suffered. A
module is

- right: PyTorch's results, within the tolerance of its dtype;
- refused: one `CanaoError` that names what is not supported;
- wrong, an error of another class, a crash, or a hang: faults of canao;
- out of scope: PyTorch itself cannot run or export it, or says another dtype when it exports
  than when it runs; its results are drawn at random; or it tests the suite itself.

Of the refused ones some use what canao does not claim to compile (`UNCLAIMED`); the share of
right ones is told of the rest.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import subprocess
import sys
import tempfile
import types
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Timer
from typing import Any

import torch
from torch.utils._pytree import tree_leaves, tree_map_only

SUITE = Path("projects", "pt1", "python")
PACKAGE = "torch_mlir_e2e_test"
NAME = "torch_mlir_suite"
KINDS = ("right", "refused", "wrong", "error", "crash", "hang", "out of scope")
UNCLAIMED = {
    "complex numbers": r"dtype complex|complex numbers are not compiled|view_as_complex",
    "quantised tensors": r"quantized_decomposed|_scaled_mm|dtype (q|float8)",
    "inputs changed in place": r"_MUTATION\)",
    "shapes that depend on values": r"its shape depends on values",
    "gradients": r"'aten\.\w+_backward",
    "decompositions of matrices": r"'aten\._linalg_|decompositions of matrices",
    "views of another tensor's memory": r"'aten\.as_strided'",
    "loops in the graph": r"'while_loop'",
}
"""What canao does not claim to compile, by the text of its refusal."""
FAULTS = ("wrong", "error", "crash", "hang")
_LIMIT = 180.0
"""Seconds for one module."""
_TOLERANCES = {torch.float64: 1e-6, torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 5e-2}
_RANDOM = re.compile(r"rand|bernoulli|dropout|multinomial|RNG|Rng", re.IGNORECASE)


@dataclass(frozen=True)
class Outcome:
    """What became of a module."""

    name: str
    group: str
    """The file of the suite that has it."""
    kind: str
    why: str = ""


# ------------------------------------------------------------------ in the child


def _stand_in(name: str, **contents: object) -> None:
    """A module that the suite imports and that its modules need nothing of."""
    module = types.ModuleType(name)
    vars(module).update(contents)
    sys.modules[name] = module


def cases(checkout: Path) -> dict[str, tuple[str, Any]]:
    """The cases of the suite by name, each with its group."""
    sys.path.insert(0, str(checkout / SUITE))
    _stand_in("multiprocess", set_start_method=lambda _: None)
    _stand_in("torchvision")
    _stand_in("torchvision.ops")
    _stand_in("torch_mlir._version", torch_version_for_comparison=lambda: None, version=None)
    registry = importlib.import_module(f"{PACKAGE}.registry").GLOBAL_TEST_REGISTRY
    found: dict[str, tuple[str, Any]] = {}
    for path in sorted((checkout / SUITE / PACKAGE / "test_suite").glob("[a-z]*.py")):
        before = len(registry)
        try:
            importlib.import_module(f"{PACKAGE}.test_suite.{path.stem}")
        except Exception as error:
            print(f"{path.name}: {error}", file=sys.stderr)
        found |= {test.unique_name: (path.stem, test) for test in registry[before:]}
    return found


class _Recorder:
    """Takes the calls that a case makes of its module, and makes them."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.model = model
        self.calls: list[tuple[str, tuple[Any, ...], Any]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            kept = tree_map_only(torch.Tensor, torch.clone, args)
            result = getattr(self.model, name)(*args)
            self.calls.append((name, kept, result))
            return result

        return call


def judge(name: str, group: str, test: Any, cache: Path) -> Outcome:
    """Compile one case and compare what it computes."""
    import canao
    from canao.errors import CanaoError

    def outcome(kind: str, why: object = "") -> Outcome:
        return Outcome(name, group, kind, " ".join(str(why).split())[:300])

    if group == "timeout":
        return outcome("out of scope", "it never ends")
    if _RANDOM.search(name) or group == "rng":
        return outcome("out of scope", "random")
    try:
        with torch.no_grad():
            model = test.program_factory().eval()
            recorder = _Recorder(model)
            utils = importlib.import_module(f"{PACKAGE}.framework").TestUtils()
            test.program_invoker(recorder, utils)
            ((method, args, expected),) = recorder.calls
    except Exception as error:
        return outcome("out of scope", f"PyTorch: {type(error).__name__}: {error}")
    if method != "forward":
        return outcome("out of scope", f"it calls {method}")
    try:
        compiled = canao.compile(model, args, threads=1, tune="off", cache_dir=cache)
        found = compiled(*args)
    except CanaoError as error:
        if "torch.export cannot trace" in str(error):
            return outcome("out of scope", error)
        return outcome("refused", error)
    except Exception as error:
        return outcome("error", f"{type(error).__name__}: {error}")
    try:
        _check_equal(found, expected)
    except AssertionError as error:
        if _exported_dtypes(model, args) != _dtypes(expected):
            return outcome("out of scope", "torch.export says another dtype than PyTorch gives")
        return outcome("wrong", error)
    return outcome("right")


def _dtypes(values: Any) -> list[torch.dtype]:
    return [leaf.dtype for leaf in tree_leaves(values) if isinstance(leaf, torch.Tensor)]


def _exported_dtypes(model: torch.nn.Module, args: tuple[Any, ...]) -> list[torch.dtype]:
    graph = torch.export.export(model, args, strict=False).graph
    (last,) = (node for node in graph.nodes if node.op == "output")
    return _dtypes([getattr(node, "meta", {}).get("val") for node in tree_leaves(last.args)])


def _check_equal(found: Any, expected: Any) -> None:
    leaves = [tree_leaves(value) for value in (found, expected)]
    assert len(leaves[0]) == len(leaves[1]), "another number of results"
    for mine, theirs in zip(*leaves, strict=True):
        if not isinstance(theirs, torch.Tensor):
            assert mine == theirs, f"{mine} is not {theirs}"
            continue
        limit = _TOLERANCES.get(theirs.dtype, 0.0)
        torch.testing.assert_close(mine, theirs, rtol=limit, atol=limit, equal_nan=True)


def child(checkout: Path, names: Sequence[str], cache: Path) -> None:
    """Judge some cases; a line of JSON before and after each."""
    known = cases(checkout)
    for name in names:
        print(json.dumps({"begin": name}), flush=True)
        print(json.dumps(asdict(judge(name, *known[name], cache))), flush=True)


# ------------------------------------------------------------------ in the parent


def run_names(checkout: Path, names: Sequence[str], groups: Mapping[str, str]) -> Iterator[Outcome]:
    """The outcomes of some cases, from one child after another."""
    left = list(names)
    with tempfile.TemporaryDirectory(prefix="canao-suite-") as cache:
        while left:
            command = [sys.executable, __file__, str(checkout), "--child", cache, "--names", *left]
            ended = yield from _watch(command, left, groups)
            if ended is None:
                return
            left = left[left.index(ended) + 1 :]


def _watch(
    command: Sequence[str], names: Sequence[str], groups: Mapping[str, str]
) -> Generator[Outcome, None, str | None]:
    """Outcomes that a child tells; returns the case that ended it, None if all are told."""
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    begun = ""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        late: list[str] = []

        def stop() -> None:
            late.append(begun)
            process.kill()

        timer = Timer(_LIMIT, stop)
        timer.start()
        for line in process.stdout:
            if not line.startswith("{"):
                continue
            told = json.loads(line)
            timer.cancel()
            timer = Timer(_LIMIT, stop)
            timer.start()
            if "begin" in told:
                begun = told["begin"]
                continue
            yield Outcome(**told)
            begun = ""
        timer.cancel()
    if not begun:
        return None
    why = "" if late else f"status {process.returncode}"
    yield Outcome(begun, groups[begun], "hang" if late else "crash", why)
    return begun


def unclaimed(outcome: Outcome) -> str:
    """What a refused module uses that canao does not claim to compile; "" for the others."""
    if outcome.kind != "refused":
        return ""
    found = (name for name, text in UNCLAIMED.items() if re.search(text, outcome.why))
    return next(found, "")


def table(outcomes: Sequence[Outcome]) -> str:
    """Counts by group as Markdown, with the share of right ones among those claimed."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for each in outcomes:
        for name in (each.group, "**all**"):
            counts[name][each.kind] += 1
            counts[name]["unclaimed"] += bool(unclaimed(each))
    heads = ("group", *KINDS, "claimed", "right of claimed")
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    for group in sorted(counts, key=lambda name: (name == "**all**", name)):
        lines.append(f"| {group} | " + " | ".join(_row(counts[group])) + " |")
    return "\n".join(lines) + "\n"


def _row(count: Counter[str]) -> list[str]:
    claimed = sum(count[kind] for kind in KINDS if kind != "out of scope") - count["unclaimed"]
    share = f"{100 * count['right'] / claimed:.1f} %" if claimed else ""
    return [*(str(count[kind]) for kind in KINDS), str(claimed), share]


def reasons(outcomes: Sequence[Outcome]) -> str:
    """How many modules are refused for each operator or other reason, as Markdown."""
    count: Counter[tuple[str, str]] = Counter()
    for each in outcomes:
        if each.kind != "refused":
            continue
        operator = re.match(r"operator '([^']+)'", each.why)
        name = f"`{operator[1]}`" if operator else "other"
        beyond = unclaimed(each)
        count[f"not claimed: {beyond}" if beyond else "claimed", name] += 1
    lines = ["| refused | operator | modules |", "| --- | --- | --- |"]
    ordered = sorted(count.items(), key=lambda item: (item[0][0], -item[1], item[0][1]))
    lines += [f"| {why} | {name} | {number} |" for (why, name), number in ordered]
    return "\n".join(lines) + "\n"


def arguments() -> argparse.Namespace:
    """The options of the command line."""
    parser = argparse.ArgumentParser(description="Compile the modules of torch-mlir's suite.")
    parser.add_argument("checkout", type=Path)
    parser.add_argument("--only", default="", help="a regular expression of names")
    parser.add_argument("--every", type=int, default=1, help="take each n-th case")
    parser.add_argument("--offset", type=int, default=0, help="the first case to take, from 0")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--out", type=Path, help="directory for torch_mlir_suite.md and .json")
    parser.add_argument("--child", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--names", nargs="*", help=argparse.SUPPRESS)
    return parser.parse_args()


def kept_outcomes(log: Path | None) -> list[Outcome]:
    """What an interrupted run has written; a line that it did not end is left out."""
    if log is None or not log.exists():
        return []
    lines = log.read_text().splitlines()
    return [Outcome(**json.loads(line)) for line in lines if line.endswith("}")]


def main() -> int:
    """Run the suite; 1 if canao has a fault."""
    asked = arguments()
    if asked.child:
        child(asked.checkout, asked.names, asked.child)
        return 0
    groups = {name: group for name, (group, _) in cases(asked.checkout).items()}
    names = [name for name in groups if re.search(asked.only, name)][asked.offset :: asked.every]
    if asked.out:
        asked.out.mkdir(parents=True, exist_ok=True)
    log = asked.out / f"{NAME}.jsonl" if asked.out else None
    outcomes = [each for each in kept_outcomes(log) if each.name in set(names)]
    done = {each.name for each in outcomes}
    names = [name for name in names if name not in done]

    def work(shard: Sequence[str]) -> None:
        for outcome in run_names(asked.checkout, shard, groups):
            outcomes.append(outcome)
            if log:
                with log.open("a") as stream:
                    stream.write(json.dumps(asdict(outcome)) + "\n")
            if outcome.kind not in ("right", "out of scope"):
                print(f"{outcome.kind:8} {outcome.group}/{outcome.name}: {outcome.why}", flush=True)

    with ThreadPoolExecutor(asked.workers) as pool:
        list(pool.map(work, [names[n :: asked.workers] for n in range(asked.workers)]))
    print(table(outcomes))
    if log:
        rows = [asdict(each) for each in sorted(outcomes, key=lambda each: each.name)]
        log.with_suffix(".json").write_text(json.dumps(rows, indent=1) + "\n")
        log.with_suffix(".md").write_text(f"{table(outcomes)}\n{reasons(outcomes)}")
        log.unlink()
    faults = sum(each.kind in FAULTS for each in outcomes)
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
