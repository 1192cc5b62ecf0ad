"""One forward pass of 128 tokens in the browser: canao, ONNX Runtime Web and TensorFlow.js.

    python benchmarks/apps/browser.py --setup           # once: fetches npm packages
    python benchmarks/apps/browser.py --model FOLDER [--tokens 128] [--rounds 20] [--runs 5]

FOLDER is a BERT for question answering with its tokenizer. All run on one page in Chromium, each in
a worker of its own, on one thread, in float32: the module and weights of `canao export --web`; the
model in ONNX, fused by ONNX Runtime's tools, by the wasm backend of ONNX Runtime Web; the encoder
in operations of TensorFlow.js by its wasm backend with SIMD. Logits are compared with PyTorch's
before anything is timed. In each round every way takes a turn: 20 ms of rest, a run that does not
count, then runs that do. A time ends when the logits are there to read. Writes `browser.json` and
`browser.md`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import tempfile
import threading
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from browser_models import (
    NAMES,
    Array,
    load_model,
    logits_of,
    make_inputs,
    named_values,
    write_onnx,
    write_page,
    write_tensors,
)
from browser_packages import ONNXRUNTIME, PACKAGES, TFJS, TFJS_WASM, NpmPackage
from playwright.sync_api import Error, Page, sync_playwright

from canao import Target
from canao.errors import CanaoError
from canao.files import replace_text
from canao.peers.compare import largest_difference
from canao.peers.table import markdown_table, number

RESULTS = Path(__file__).resolve().parents[1] / "results"
PAGE = Path(__file__).with_name("browser_page")
_REST_MS = 20
_CHROMIUM = (
    "--no-sandbox",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)


@dataclass(frozen=True)
class Way:
    """A worker that runs the model, and how far its logits may be from PyTorch's."""

    title: str
    script: str
    tolerance: float
    """Relative to the largest logit."""
    packages: tuple[NpmPackage, ...] = ()
    route: str = ""


WAYS = (
    Way("canao", "canao.js", 1e-4, route="the module of `canao export --web`"),
    Way(
        "ONNX Runtime Web",
        "onnxruntime.js",
        1e-3,
        (ONNXRUNTIME,),
        "TorchScript exporter, eager attention, transformers optimizer; wasm backend, numThreads=1",
    ),
    Way(
        "TensorFlow.js",
        "tfjs.js",
        1e-3,
        (TFJS, TFJS_WASM),
        "BERT's encoder in operations of tfjs; wasm backend with SIMD, one thread",
    ),
)


@dataclass
class Row:
    """What one way did: milliseconds of each run that counts."""

    way: str
    difference: float | None = None
    milliseconds: list[float] = field(default_factory=list[float])
    failure: str = ""

    @property
    def median(self) -> float | None:
        """Milliseconds; None if nothing was timed."""
        return statistics.median(self.milliseconds) if self.milliseconds else None


class _Handler(SimpleHTTPRequestHandler):
    """Files for a page that is cross-origin isolated, so that its clock counts microseconds."""

    extensions_map = {  # noqa: RUF012  (the base class has a plain dictionary too)
        **SimpleHTTPRequestHandler.extensions_map,
        ".mjs": "text/javascript",
        ".wasm": "application/wasm",
    }

    def end_headers(self) -> None:
        self.send_header("Cross-Origin-Opener-Policy", "same-origin")
        self.send_header("Cross-Origin-Embedder-Policy", "require-corp")
        super().end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Generator[str]:
    """A folder on a free port of the loopback; gives its address."""
    handler = partial(_Handler, directory=str(folder))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def opened(url: str) -> Generator[tuple[Page, str]]:
    """The page in Chromium, Debian's or Playwright's own, and the browser's version."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=_CHROMIUM
        )
        page = browser.new_page()
        page.goto(url)
        yield page, f"Chromium {browser.version}"
        browser.close()


def prepare(given: argparse.Namespace, folder: Path) -> tuple[list[Array], dict[str, Any]]:
    """Fill a folder to serve; PyTorch's logits, and the settings of each way's worker."""
    model = load_model(given.model)
    inputs = make_inputs(model, given.tokens)
    wanted = logits_of(model, inputs)
    for file in PAGE.iterdir():
        shutil.copy(file, folder)
    for package in PACKAGES:
        (folder / package.folder).symlink_to(package.directory)
    order = write_page(given.model, given.tokens, given.tune, folder / "page")
    write_onnx(given.model, inputs, folder / "model.onnx")
    sizes = write_tensors(model, folder / "weights.bin")
    values = named_values(inputs, NAMES)
    settings = {
        "canao.js": {"inputs": named_values(inputs, order)},
        "onnxruntime.js": {"inputs": values},
        "tfjs.js": {"inputs": values, "encoder": sizes},
    }
    return wanted, settings


def admit(page: Page, way: Way, settings: Any, wanted: Sequence[Array]) -> Row:
    """Open the model one way; the row has a failure where its logits are not PyTorch's."""
    row = Row(way.title)
    call = {"script": way.script, "settings": settings}
    try:
        found = page.evaluate("call => openModel(call)", call)
    except Error as error:
        row.failure = error.message.splitlines()[0]
        return row
    logits = [np.asarray(found[name], np.float32) for name in ("start", "end")]
    row.difference = largest_difference(wanted, logits)[1]
    if row.difference > way.tolerance:
        row.failure = f"its logits differ by {row.difference:.1e} of the largest"
    return row


def measure(page: Page, ways: Mapping[str, Row], rounds: int, runs: int) -> None:
    """Times of all ways, by their scripts, in turns; each round begins with another."""
    scripts = list(ways)
    for turn in range(rounds):
        first = turn % len(scripts)
        for script in scripts[first:] + scripts[:first]:
            call = {"script": script, "rest": _REST_MS, "count": runs}
            told = page.evaluate("call => takeTurn(call)", call)
            ways[script].milliseconds += told["milliseconds"]


def markdown(rows: Sequence[Row], facts: Mapping[str, Any]) -> str:
    """Medians, and how many times as long as canao each takes."""
    mine = rows[0].median
    lines: list[list[str]] = []
    for row in rows:
        times = row.milliseconds
        low, _, high = statistics.quantiles(times, n=4) if len(times) > 1 else (None,) * 3
        ratio = row.median / mine if row.median is not None and mine is not None else None
        middle = "-" if low is None else f"{low:.2f} to {high:.2f}"
        lines.append(
            [
                f"{row.way} (failed)" if row.failure else row.way,
                number(row.median, ".2f"),
                middle,
                number(min(times, default=None), ".2f"),
                number(ratio, ".2f"),
                number(row.difference, ".1e"),
            ]
        )
    headings = (
        "one thread",
        "median, ms",
        "middle half, ms",
        "least, ms",
        "time / canao's",
        "largest difference",
    )
    about = (
        f"{facts['model']}: {facts['sizes']}; {facts['tokens']} tokens, batch 1, float32. "
        f"{facts['processor']}; {facts['browser']}, headless. All on one page, each in a worker, "
        f"in {facts['rounds']} rounds of turns: {_REST_MS} ms of rest, a run that does not count, "
        f"{facts['runs']} that do. Differences are from PyTorch's logits, relative to the largest. "
        "There is no row of two threads: canao's pages run on one."
    )
    failures = [f"- {row.way} failed: {row.failure}" for row in rows if row.failure]
    routes = [f"- {way.title}: {way.route}; {facts['versions'][way.title]}." for way in WAYS]
    parts = ["# One forward pass in the browser", about, markdown_table(headings, lines)]
    return "\n\n".join([*parts, "\n".join([*failures, *routes])]) + "\n"


def versions() -> dict[str, str]:
    """What took part, by the ways' titles."""
    here = {
        WAYS[0].title: ("canao", "ziglang"),
        WAYS[1].title: ("torch", "transformers", "onnxruntime"),
    }
    return {
        way.title: ", ".join(
            [f"{package.name} {package.version}" for package in way.packages]
            + [f"{name} {version(name)}" for name in here.get(way.title, ())]
        )
        for way in WAYS
    }


def facts_of(given: argparse.Namespace, browser: str) -> dict[str, Any]:
    """What the times depend on."""
    host = Target.host()
    config = json.loads((given.model / "config.json").read_text(encoding="utf-8"))
    return {
        "model": given.model.resolve().name,
        "sizes": f"{config['num_hidden_layers']} layers of {config['hidden_size']}, "
        f"feed-forward {config['intermediate_size']}, {config['num_attention_heads']} heads",
        "tokens": given.tokens,
        "rounds": given.rounds,
        "runs": given.runs,
        "tune": given.tune,
        "processor": f"{host.cpu} ({host.vector_unit.name})",
        "browser": browser,
        "versions": versions(),
    }


def run(given: argparse.Namespace) -> bool:
    """Check, measure, print and write; whether every way took part."""
    for package in PACKAGES:
        package.check()
    with tempfile.TemporaryDirectory(prefix="canao-browser-") as directory:
        wanted, settings = prepare(given, Path(directory))
        with served(Path(directory)) as url, opened(url) as (page, browser):
            rows = [admit(page, way, settings[way.script], wanted) for way in WAYS]
            able = {way.script: row for way, row in zip(WAYS, rows, strict=True) if not row.failure}
            measure(page, able, given.rounds, given.runs)
    facts = facts_of(given, browser)
    given.out.mkdir(parents=True, exist_ok=True)
    record = {**facts, "rows": [{**asdict(row), "median": row.median} for row in rows]}
    replace_text(given.out / "browser.json", json.dumps(record, indent=1) + "\n")
    report = markdown(rows, facts)
    replace_text(given.out / "browser.md", report)
    print(report)
    return len(able) == len(WAYS)


def main() -> None:
    """Runs the benchmark and writes its results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", type=Path, help="folder of a BERT for question answering")
    parser.add_argument("--tokens", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--runs", type=int, default=5, help="that count, in each turn")
    parser.add_argument("--tune", default="off", choices=["off", "default", "full"])
    parser.add_argument("--out", type=Path, default=RESULTS / Target.host().vector_unit.name)
    parser.add_argument("--setup", action="store_true", help="fetch the npm packages")
    given = parser.parse_args()
    if not given.setup and (given.model is None or not (given.model / "config.json").is_file()):
        parser.error("give --model FOLDER with a question answering model, or --setup")
    if min(given.tokens, given.rounds, given.runs) < 1:
        parser.error("--tokens, --rounds and --runs have to be 1 or more")
    try:
        if given.setup:
            for package in PACKAGES:
                package.install()
            return
        if not run(given):
            raise SystemExit(1)
    except CanaoError as error:
        raise SystemExit(str(error)) from None


if __name__ == "__main__":
    main()
