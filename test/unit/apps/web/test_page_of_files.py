"""A model answers in Chromium from static files alone, and again when nothing serves them."""

from __future__ import annotations

import re
import shutil
import threading
from collections import Counter
from collections.abc import Generator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from time import sleep
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect
from run_command import run_command
from unit.answering.oracles import word_pieces
from unit.apps.chromium import chromium
from unit.apps.small_readers import random_reader

from canao.apps.answer import Answer
from canao.apps.question_answerer import QuestionAnswerer
from canao.apps.web.export_page import MODULE, RELAXED, export_page
from canao.errors import UnsupportedModelError

# The first build for a target builds its libc too, which takes minutes on a busy machine.
pytestmark = pytest.mark.timeout(900)

TEXTS = [
    "\U0001f600 <script>window.ran = 1</script> <img src=x onerror='window.ran = 2'> fox & dog",
    "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f600 the quick brown fox, Zu\u0308rich " * 6,
    "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd \u05e2\u05d5\u05dc\u05dd fox",
]


class Handler(SimpleHTTPRequestHandler):
    """Serves a folder, and counts what it is asked for."""

    asked: ClassVar[Counter[str]] = Counter()

    def do_GET(self) -> None:
        self.asked[self.path] += 1
        super().do_GET()

    def log_message(self, format: str, *args: Any) -> None:
        pass


def serve(folder: Path, port: int = 0) -> tuple[ThreadingHTTPServer, str]:
    server = ThreadingHTTPServer(("127.0.0.1", port), partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server, f"http://127.0.0.1:{server.server_address[1]}/"


def stop(server: ThreadingHTTPServer) -> None:
    server.shutdown()
    server.server_close()


@pytest.fixture(scope="module")
def reader() -> Any:
    """A random BERT, for which words come before no answer, whose place is the first."""
    model = random_reader()
    with torch.no_grad():
        model.bert.embeddings.word_embeddings.weight.mul_(20)
    return model


@pytest.fixture(scope="module")
def eager(reader: Any) -> QuestionAnswerer:
    return QuestionAnswerer(reader, word_pieces(), backend="pytorch", threads=1)


@pytest.fixture(scope="module")
def folder(reader: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page, made by the command."""
    saved, made = tmp_path_factory.mktemp("saved"), tmp_path_factory.mktemp("made") / "page"
    reader.save_pretrained(saved)
    word_pieces().save_pretrained(saved)
    with pytest.MonkeyPatch.context() as patch:
        assert run_command(patch, "export", saved, "--web", made, "--tune", "off") == 0
    return made


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """Debian's Chromium."""
    with chromium() as started:
        yield started


def opened(context: BrowserContext, url: str, faults: list[str]) -> Page:
    """The page when its model is there; whatever the console says is a fault."""
    page = context.new_page()
    page.on("console", lambda message: faults.append(message.text))
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.goto(url)
    page.wait_for_selector("html[data-ready]")
    return page


def give_text(page: Page, text: str) -> None:
    page.get_by_role("button", name="Your own").click()
    page.get_by_label("Your text").fill(text)
    page.get_by_role("button", name="Edit text").click()


def check_marked(page: Page, text: str, wanted: Answer) -> None:
    assert wanted.found
    expect(page.locator("#answer-text")).to_have_text(wanted.text)
    mark = page.locator("#passage mark")
    expect(mark).to_have_text(wanted.text)
    before = page.evaluate("document.querySelector('#passage').firstChild.data")
    assert before == text[: wanted.start]
    assert page.locator("#passage").text_content() == text
    expect(page.locator("#answer-timings .canao")).to_contain_text("ms model")


def test_answers_with_and_without_a_server(
    browser: Browser, folder: Path, eager: QuestionAnswerer
) -> None:
    server, url = serve(folder)
    context, faults = browser.new_context(), list[str]()
    Handler.asked.clear()
    page = opened(context, url, faults)
    for text in TEXTS:
        give_text(page, text)
        page.get_by_label("Your question").fill("Which fox?")
        check_marked(page, text, eager.answer("Which fox?", text, top=5))
    assert page.evaluate("window.ran") is None
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    assert Handler.asked["/weights.bin"] == 1
    page.close()
    stop(server)
    context.set_offline(True)
    page = opened(context, url, faults)
    text, question = "Without a network the quick brown fox answers.", "Which one?"
    give_text(page, text)
    page.get_by_label("Your question").fill(question)
    check_marked(page, text, eager.answer(question, text, top=5))
    context.close()
    assert faults == []


def test_another_version_takes_over(browser: Browser, folder: Path, tmp_path: Path) -> None:
    """When the pages of the old one are closed; what that one kept is gone then."""
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    server, url = serve(tmp_path)
    context, faults = browser.new_context(), list[str]()
    page = opened(context, url, faults)
    (old,) = page.evaluate("caches.keys()")
    for name, before, after in (
        ("index.html", "<title>canao", "<title>another"),
        ("service-worker.js", re.compile(r'OWN \+ "\w+"'), 'OWN + "another"'),
    ):
        text = (tmp_path / name).read_text()
        changed = re.sub(before, after, text)
        assert changed != text
        (tmp_path / name).write_text(changed)
    page.evaluate(
        """async () => {
          const kept = await navigator.serviceWorker.ready;
          await kept.update();
          const coming = kept.installing ?? kept.waiting;
          while (coming.state !== "installed") await new Promise(done => setTimeout(done, 20));
        }"""
    )
    page.reload()
    title, caches = page.title(), page.evaluate("caches.keys()")
    assert title.startswith("canao")
    assert old in caches
    # The browser makes the change when it finds that no page of the old one is left.
    for _ in range(50):
        page.close()
        page = opened(context, url, faults)
        title, caches = page.title(), page.evaluate("caches.keys()")
        if title.startswith("another") and old not in caches:
            break
        sleep(0.1)
    assert title.startswith("another")
    assert old not in caches
    context.close()
    stop(server)
    assert faults == []


LOGITS = """
async ({ name, ids }) => {
  const load = async name => (await fetch(name)).arrayBuffer();
  const module = await WebAssembly.compile(await load(name));
  const imports = {};
  for (const { module: from, name } of WebAssembly.Module.imports(module))
    (imports[from] ??= {})[name] = () => 8;
  const c = (await WebAssembly.instantiate(module, imports)).exports;
  c._initialize();
  const put = array => {
    const place = c.aligned_alloc(64, Math.ceil(array.byteLength / 64) * 64);
    new Uint8Array(c.memory.buffer, place).set(new Uint8Array(array.buffer));
    return place;
  };
  const weights = new Uint8Array(await load("weights.bin"));
  const model = c.canao_model_open_memory(put(weights), weights.length, 0, 0, 0);
  const whole = values => put(BigInt64Array.from(values, BigInt));
  const inputs = [whole(ids), whole(ids.map(() => 1)), whole(ids.map(() => 0))];
  const outputs = [0, 1].map(() => put(new Float32Array(ids.length)));
  const sizes = whole([ids.length]);
  const [given, made] = [inputs, outputs].map(places => put(Uint32Array.from(places)));
  const status = c.canao_model_run(model, given, sizes, made);
  if (status) throw new Error(`status ${status}`);
  return outputs.map(at => [...new Float32Array(c.memory.buffer, at, ids.length)]);
}
"""


@pytest.mark.parametrize("module", [MODULE, RELAXED])
def test_logits_are_those_of_pytorch(
    browser: Browser, folder: Path, reader: Any, module: str
) -> None:
    names = "attention_mask", "input_ids", "token_type_ids"
    server, url = serve(folder)
    context = browser.new_context(bypass_csp=True)
    page = context.new_page()
    page.goto(f"{url}icon.svg")
    generator = torch.Generator().manual_seed(0)
    for length in (8, 33, 64):
        ids = torch.randint(1000, 20000, (1, length), generator=generator)
        found = page.evaluate(LOGITS, {"name": module, "ids": ids[0].tolist()})
        given = dict.fromkeys(names[::2], torch.ones_like(ids)) | {names[1]: ids}
        given["token_type_ids"] = torch.zeros_like(ids)
        with torch.no_grad():
            wanted = reader(**given)
        for mine, theirs in zip(found, (wanted.start_logits, wanted.end_logits), strict=True):
            scale = float(theirs.abs().max())
            np.testing.assert_allclose(mine, theirs[0].numpy(), rtol=0, atol=1e-4 * max(1, scale))
    context.close()
    stop(server)


@pytest.mark.parametrize("known", [True, False])
def test_browsers_take_the_module_that_they_know(
    browser: Browser, folder: Path, known: bool
) -> None:
    """One without relaxed SIMD takes the other module, and answers from it."""
    server, url = serve(folder)
    context = browser.new_context(service_workers="block")
    asked = list[str]()
    context.on("request", lambda request: asked.append(request.url.removeprefix(url)))
    if not known:
        context.route(f"{url}{RELAXED}", lambda route: route.fulfill(body=b"\0asm\1\0\0\0\xff"))
    faults = list[str]()
    page = opened(context, url, faults)
    assert page.locator("#state").text_content() == "Runs in this browser"
    modules = [name for name in asked if name.endswith(".wasm")]
    assert modules == ([RELAXED] if known else [RELAXED, MODULE])
    context.close()
    stop(server)
    # A service worker would have asked for both, to keep them; it is held back here.
    assert faults == ["Service Worker registration blocked by Playwright"]


def test_the_relaxed_module_alone_has_fused_multiply_adds(folder: Path) -> None:
    """Instructions with the prefix of vectors whose number is that of f32x4.relaxed_madd."""
    madd = b"\xfd\x85\x02"
    assert (folder / RELAXED).read_bytes().count(madd) > 20
    assert (folder / MODULE).read_bytes().count(madd) == 0


def test_a_model_for_this_machine_is_no_page(tmp_path: Path, reader: Any) -> None:
    answerer = QuestionAnswerer(reader, word_pieces(), batch=1, tune="off", threads=1)
    with pytest.raises(UnsupportedModelError, match="does not run in browsers"):
        export_page(answerer, tmp_path / "page")
    assert not (tmp_path / "page").exists()


@pytest.mark.parametrize(
    "more",
    [("--out", "b"), ("--decoder",), ("--target", "native"), ("--seq", "8"), ("--name", "n"), ()],
)
def test_wrong_uses_of_the_command(tmp_path: Path, more: tuple[str, ...]) -> None:
    asked = ("--web", tmp_path / "page", *more) if more else ()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert run_command(patch, "export", tmp_path, *asked) == 2
    assert list(tmp_path.iterdir()) == []
