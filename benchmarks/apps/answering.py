"""From a keystroke to the marked answer, in the page of the demo, beside PyTorch's model.

    python benchmarks/apps/answering.py --model FOLDER [--threads 2] [--window 128] [--rounds 50]

A question is typed into the real page, in Chromium, about a text that fills one window. Each round
then runs the same request by PyTorch, as the page's comparison does, so that the two models take
turns. Times are the page's own: from the event of the last key to the frame after the one that
shows the mark. Writes `answering.json` and `answering.md`.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, Response, sync_playwright

import canao
from canao.apps import QuestionAnswerer
from canao.apps.demo.app import create_app
from canao.apps.demo.serve import Server
from canao.apps.demo.tasks import Task, Tasks
from canao.apps.demo.work_queue import WorkQueue
from canao.files import replace_text
from canao.peers.table import markdown_table

RESULTS = Path(__file__).resolve().parents[1] / "results"
QUESTION = "Who landed on the Moon?"
_WARMUP = 3
_BETWEEN_KEYS = 100
"""Milliseconds, as where 120 words a minute are typed."""
_TEXT = (
    "Apollo 11 was the first space flight that landed people on the Moon. Neil Armstrong and Buzz "
    "Aldrin landed on the Moon on 20 July 1969, while Michael Collins stayed in orbit around it. "
)
_WATCH = """() => {
  const times = { key: 0, marked: 0, drawn: 0 };
  window.answering = times;
  document.querySelector("#question").addEventListener("input", event => {
    performance.clearResourceTimings();
    Object.assign(times, { key: event.timeStamp, marked: 0, drawn: 0 });
  }, { capture: true });
  new MutationObserver(changes => {
    const nodes = changes.flatMap(change => [...change.addedNodes]);
    if (!nodes.some(node => node.nodeName === "MARK")) return;
    times.marked = performance.now();
    requestAnimationFrame(() => requestAnimationFrame(now => { times.drawn = now; }));
  }).observe(document.querySelector("#passage"), { childList: true });
}"""
_READ = """() => {
  const [asked] = performance.getEntriesByType("resource")
    .filter(entry => new URL(entry.name).pathname === "/api/answer");
  const { key, marked, drawn } = window.answering;
  return { key, sent: asked.startTime, received: asked.responseEnd, marked, drawn };
}"""


@dataclass(frozen=True)
class Sample:
    """Milliseconds of one round; the first four follow each other."""

    wait: float
    """From the key to the request."""
    model: float
    rest: float
    """The request without its model: tokens, the choice of a span, the server, the browser."""
    drawing: float
    """From the response to the frame after the one with the mark."""
    pytorch: float
    """PyTorch's model."""

    @property
    def whole(self) -> float:
        """From the key to the mark."""
        return self.wait + self.model + self.rest + self.drawing


def text_of(answerer: QuestionAnswerer, window: int) -> str:
    """A text that, with the question, has as many tokens of a window as words allow."""
    words = (_TEXT * window).split()
    count = 1
    while len(answerer.windows.cut(QUESTION, " ".join(words[: count + 1]))) == 1:
        count += 1
    return " ".join(words[:count])


@contextmanager
def served(task: Task[QuestionAnswerer]) -> Generator[str]:
    """The demo with question answering alone; gives its address."""
    server, ready, tasks = Server("127.0.0.1", 0), threading.Event(), Tasks(task)
    thread = threading.Thread(
        target=server.run, args=(create_app(tasks), ready.set, tasks.stop), daemon=True
    )
    thread.start()
    ready.wait()
    try:
        yield server.url
    finally:
        server.stop()
        thread.join()


@contextmanager
def opened(url: str) -> Generator[Page]:
    """The page in Chromium: Debian's, or Playwright's own."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"),
            args=["--no-sandbox", "--disable-background-networking"],
        )
        page = browser.new_page()
        page.goto(url)
        page.wait_for_selector("html[data-ready]")
        yield page
        browser.close()


def asked_by(backend: str) -> Any:
    """Whether a response is that of a backend to the whole question."""

    def found(response: Response) -> bool:
        if not response.url.endswith("/api/answer"):
            return False
        body = json.loads(response.request.post_data or "{}")
        return body["question"] == QUESTION and body.get("backend", "canao") == backend

    return found


def prepare(page: Page, text: str) -> None:
    """Give the page the text and the question, compared with PyTorch."""
    page.get_by_role("button", name="Your own").click()
    page.get_by_label("Your text").fill(text)
    page.get_by_role("button", name="Edit text").click()
    page.get_by_role("switch").check()
    with page.expect_response(asked_by("pytorch"), timeout=300_000):
        page.get_by_label("Your question").fill(QUESTION)
    if page.locator("#passage mark").count() == 0:
        raise SystemExit(f"the model finds no answer to {QUESTION!r}; name another as --model")
    page.evaluate(_WATCH)


def measure(page: Page) -> Sample:
    """Type the last character of the question anew, and wait for both answers."""
    page.get_by_label("Your question").focus()
    with (
        page.expect_response(asked_by("canao")) as ours,
        page.expect_response(asked_by("pytorch")) as theirs,
    ):
        page.keyboard.press("Backspace")
        page.wait_for_timeout(_BETWEEN_KEYS)
        page.keyboard.press(QUESTION[-1])
    page.wait_for_function("window.answering.drawn > 0")
    times = page.evaluate(_READ)
    model = ours.value.json()["latency_ms"]
    return Sample(
        wait=times["sent"] - times["key"],
        model=model,
        rest=times["received"] - times["sent"] - model,
        drawing=times["drawn"] - times["received"],
        pytorch=theirs.value.json()["latency_ms"],
    )


def markdown(samples: Sequence[Sample], facts: dict[str, Any]) -> str:
    """Medians, and the middle half, of each part."""
    host = canao.Target.host()
    rows: list[tuple[str, list[float]]] = [
        ("from key to request", [sample.wait for sample in samples]),
        ("model", [sample.model for sample in samples]),
        ("rest of the request", [sample.rest for sample in samples]),
        ("drawing", [sample.drawing for sample in samples]),
        ("**from key to mark**", [sample.whole for sample in samples]),
        ("PyTorch's model", [sample.pytorch for sample in samples]),
    ]
    lines: list[list[str]] = []
    for name, times in rows:
        low, middle, high = statistics.quantiles(times, n=4, method="inclusive")
        lines.append([name, f"{middle:.1f}", f"{low:.1f} to {high:.1f}"])
    about = (
        f"{facts['model']}, float32, {facts['tokens']} tokens in one window of {facts['window']}, "
        f"threads: {facts['threads']}. {host.cpu} ({host.vector_unit.name}). A question typed into "
        f"the page in Chromium {len(samples)} times, each followed by the same request by PyTorch. "
        "Drawing ends a frame after the one with the mark (16.7 ms each, in step with the screen). "
        "Medians of parts do not add up to that of the whole."
    )
    table = markdown_table(["part", "median, ms", "middle half, ms"], lines)
    return "\n\n".join(["# From a keystroke to the marked answer", about, table]) + "\n"


def main() -> None:
    """Runs the benchmark and writes its results."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", required=True, help="a model for questions, by folder or name")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--window", type=int, default=128)
    parser.add_argument("--rounds", type=int, default=50)
    parser.add_argument("--tune", default="default", choices=["off", "default", "full"])
    parser.add_argument("--out", type=Path, default=RESULTS)
    given = parser.parse_args()
    if given.rounds < 2:
        parser.error("--rounds has to be 2 or more")

    window, threads = given.window, given.threads
    answerer = QuestionAnswerer(given.model, window=window, threads=threads, tune=given.tune)
    task = Task(
        Path(given.model).name,
        answerer,
        lambda: QuestionAnswerer(given.model, window=window, threads=threads, backend="pytorch"),
        WorkQueue("answering", workers=4, waiting=4),
        {},
    )
    text = text_of(answerer, window)
    tokens = answerer.answer(QUESTION, text).tokens
    with served(task) as url, opened(url) as page:
        prepare(page, text)
        samples = [measure(page) for _ in range(_WARMUP + given.rounds)][_WARMUP:]
    facts = {"model": task.name, "tokens": tokens, "window": window, "threads": threads}
    given.out.mkdir(parents=True, exist_ok=True)
    record = {**facts, "rounds": [asdict(sample) for sample in samples]}
    replace_text(given.out / "answering.json", json.dumps(record, indent=1) + "\n")
    report = markdown(samples, facts)
    replace_text(given.out / "answering.md", report)
    print(report)


if __name__ == "__main__":
    main()
