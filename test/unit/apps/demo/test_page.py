"""The page in a browser: answers marked, words in order, no fault that a user would meet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from canao.apps.answer import Answer
from canao.apps.question_answerer import QuestionAnswerer
from canao.apps.text_generator import TextGenerator

HOSTILE = (
    "\U0001f600 <script>window.ran = 1</script> <img src=x onerror='window.ran = 2'> fox & dog"
)
BEFORE = "\U0001f468\u200d\U0001f469\u200d\U0001f467 \U0001f600\U0001f600 the quick brown fox"
COMBINING = (
    "Cafe\u0301 fox a\u0308\u0332 \U0001f1e9\U0001f1ea \U0001f44d\U0001f3fd re\u0301sume\u0301"
)
RIGHT_TO_LEFT = "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd \u05e2\u05d5\u05dc\u05dd fox"


@pytest.fixture(scope="module")
def eager(folders: tuple[Path, Path]) -> tuple[QuestionAnswerer, TextGenerator]:
    """The same models in PyTorch."""
    return (
        QuestionAnswerer(folders[0], backend="pytorch", threads=1),
        TextGenerator(folders[1], backend="pytorch", threads=1),
    )


def _give_text(page: Page, text: str) -> None:
    page.get_by_role("button", name="Your own").click()
    page.get_by_label("Your text").fill(text)
    page.get_by_role("button", name="Edit text").click()


def _ask(page: Page, question: str) -> dict[str, Any]:
    with page.expect_response("**/api/answer") as response:
        page.get_by_label("Your question").fill(question)
    expect(page.locator("#answer-timings .canao")).to_be_visible()
    return response.value.json()


def _check_marked(page: Page, text: str, wanted: Answer) -> None:
    expect(page.locator("#answer-text")).to_have_text(wanted.text)
    assert page.locator("#passage mark").text_content() == wanted.text
    before = page.evaluate("document.querySelector('#passage').firstChild.data")
    assert before == text[: wanted.start]
    assert page.locator("#passage").text_content() == text


@pytest.mark.parametrize(
    "text",
    [HOSTILE, BEFORE, COMBINING, RIGHT_TO_LEFT],
    ids=["html", "emoji", "combining", "rtl"],
)
def test_the_answer_is_marked(
    page: Page, eager: tuple[QuestionAnswerer, TextGenerator], text: str
) -> None:
    wanted = eager[0].answer("Which fox?", text, top=4)
    assert wanted.found
    _give_text(page, text)
    _ask(page, "Which fox?")
    _check_marked(page, text, wanted)


def test_other_candidates_can_be_chosen(page: Page) -> None:
    text = page.locator("#passage").text_content() or ""
    found = _ask(page, "Who stayed in orbit?")
    span = found["others"][0]
    chosen = page.locator("#others button", has_text=span["answer"]).last
    chosen.focus()
    page.keyboard.press("Enter")
    expect(chosen).to_have_attribute("aria-pressed", "true")
    expect(page.locator("#passage mark.other")).to_have_text(text[span["start"] : span["end"]])


def test_pytorch_is_timed_beside(page: Page) -> None:
    page.get_by_role("switch").check()
    _ask(page, "Who stayed in orbit?")
    expect(page.locator("#answer-timings .verdict")).to_contain_text("the answers are the same")
    expect(page.locator("#answer-timings .pytorch")).to_contain_text("ms model")


def test_words_come_in_order(page: Page, eager: tuple[QuestionAnswerer, TextGenerator]) -> None:
    page.evaluate(
        """() => { window.came = [];
        new MutationObserver(changes => changes.forEach(change =>
          change.addedNodes.forEach(node => window.came.push(node.data))))
          .observe(document.querySelector("#written-text"), {childList: true}); }"""
    )
    page.get_by_label("Start of the text").fill("The quick <b>fox</b>")
    page.get_by_role("button", name="Write", exact=True).click()
    expect(page.locator("#write-status")).to_contain_text("Done: 64 tokens")
    pieces = [piece.text for piece in eager[1].stream("The quick <b>fox</b>")]
    assert page.evaluate("window.came") == pieces
    assert page.locator("#written").text_content() == "The quick <b>fox</b>" + "".join(pieces)
    expect(page.locator("#write-timings")).to_contain_text("words a second")


def test_stop(page: Page) -> None:
    page.locator("#tokens").fill("256")
    page.evaluate(
        """() => new MutationObserver(() => document.querySelector("#stop").click())
          .observe(document.querySelector("#written-text"), {childList: true})"""
    )
    page.get_by_role("button", name="Write", exact=True).click()
    expect(page.locator("#write-status")).to_have_text("Stopped")
    expect(page.get_by_role("button", name="Stop")).to_be_disabled()
    expect(page.locator("#written")).to_have_attribute("aria-busy", "false")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nobody_is_left_out(page: Page, scheme: Any) -> None:
    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    _ask(page, "Who stayed in orbit?")
    page.get_by_role("button", name="Time the kernels").first.click()
    expect(page.locator("#model-list table")).to_be_visible()
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert wide <= 0, "the page scrolls sideways"


def test_keys_alone_do(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.locator(".skip")).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Edit text")).to_be_focused()
    page.get_by_label("Start of the text").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#write-status")).to_contain_text("Done")
    page.get_by_role("button", name="Time the kernels").first.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Kernels of").first).to_be_focused()
