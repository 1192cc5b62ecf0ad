"""Tiny models of both tasks, their demo served on loopback, and one browser."""

from __future__ import annotations

import threading
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from playwright.sync_api import Browser, ConsoleMessage, Page, Request
from unit.apps.chromium import chromium
from unit.generation.small_decoders import small_decoder
from unit.generation.tokenizers_of_kinds import byte_level
from unit.huggingface.small_models import SIZES, TOKENIZER

from canao.apps.demo.app import create_app
from canao.apps.demo.serve import Server
from canao.apps.demo.tasks import Tasks, answering_task, writing_task

SIZES_OF_PAGE = {"phone": (390, 844), "desktop": (1280, 900)}


@pytest.fixture(scope="session")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A random BERT that answers, whose scores differ widely, and a random Llama that writes."""
    reader, writer = tmp_path_factory.mktemp("reader"), tmp_path_factory.mktemp("writer")
    torch.manual_seed(0)
    model = transformers.BertForQuestionAnswering(transformers.BertConfig(**SIZES))
    with torch.no_grad():
        model.qa_outputs.weight.mul_(200)
        # Words come before no answer, whose place is the first.
        model.bert.embeddings.word_embeddings.weight.mul_(20)
    model.save_pretrained(reader)
    transformers.AutoTokenizer.from_pretrained(TOKENIZER, model_max_length=64).save_pretrained(
        reader
    )
    small_decoder("llama", vocabulary=320).save_pretrained(writer)
    byte_level().save_pretrained(writer)
    return reader, writer


@pytest.fixture(scope="session")
def made_tasks(folders: tuple[Path, Path]) -> Tasks:
    """Both tasks, compiled."""
    options: Any = {"tune": "off", "threads": 1}
    return Tasks(answering_task(folders[0], **options), writing_task(folders[1], **options))


@pytest.fixture(scope="session")
def url(made_tasks: Tasks) -> Generator[str]:
    """The demo, served on a free port."""
    server, ready = Server("127.0.0.1", 0), threading.Event()
    thread = threading.Thread(target=server.run, args=(create_app(made_tasks), ready.set))
    thread.start()
    assert ready.wait(60)
    yield server.url
    server.stop()
    thread.join(60)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def browser() -> Generator[Browser]:
    """Debian's Chromium."""
    with chromium() as started:
        yield started


@pytest.fixture
def refusals() -> tuple[int, ...]:
    """Statuses that the server may answer, of which the console tells; a module has its own."""
    return ()


@pytest.fixture(params=SIZES_OF_PAGE)
def page(
    request: pytest.FixtureRequest, browser: Browser, url: str, refusals: tuple[int, ...]
) -> Generator[Page]:
    """The page at a size; what else the console says, and any request to elsewhere, is a fault."""
    width, height = SIZES_OF_PAGE[request.param]
    context = browser.new_context(viewport={"width": width, "height": height})
    opened, faults = context.new_page(), list[str]()

    def said(message: ConsoleMessage) -> None:
        if not any(f"responded with a status of {status} " in message.text for status in refusals):
            faults.append(message.text)

    def requested(asked: Request) -> None:
        if not asked.url.startswith(url):
            faults.append(asked.url)

    opened.on("console", said)
    opened.on("pageerror", lambda error: faults.append(str(error)))
    opened.on("request", requested)
    opened.goto(url)
    opened.wait_for_selector("html[data-ready]")
    yield opened
    assert opened.evaluate("window.ran") is None
    context.close()
    assert faults == []
