"""Texts of every kind in the page: dropped, opened, pasted; none is taken for what it is not."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page, expect

from canao.apps.demo.schemas import MAX_CONTEXT, MAX_PROMPT

_TEXT = "one\r\ntwo \U0001f600 Cafe\u0301 <b>three</b> \u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd"
_HOSTILE_NAME = "<img src=x onerror='window.ran = 3'>.txt"
_REFUSED: list[tuple[bytes, str]] = [
    (b"", "is empty"),
    (b" \r\n", "is empty"),
    (b"\x89PNG\r\n\x1a\n\0\0", "is no text in UTF-8"),
    (b"zeros \0\0", "is no text in UTF-8"),
    ("caf\u00e9".encode("latin-1"), "is no text in UTF-8"),
    (b"x" * (MAX_CONTEXT + 1), "is too long: a text has at most 100,000 characters"),
    (b"x" * (4 * MAX_CONTEXT + 4), "is too long: a text has at most 100,000 characters"),
]
_PARTS = st.sampled_from(
    ["fox", " ", "e\u0301", "\U0001f600", "\U0001f468\u200d\U0001f469", "\u05e9\u05c1", "\n", "<i>"]
)


@pytest.fixture
def refusals() -> tuple[int, ...]:
    """What is too long is refused by the server too."""
    return (422,)


def _drop(page: Page, name: str, content: bytes, target: str = "#passage") -> None:
    carried = page.evaluate_handle(
        """([name, content]) => {
          const carried = new DataTransfer();
          carried.items.add(new File([Uint8Array.from(content, c => c.charCodeAt(0))], name));
          return carried;
        }""",
        [name, content.decode("latin-1")],
    )
    for event in ("dragover", "drop"):
        page.dispatch_event(target, event, {"dataTransfer": carried})


def _open(page: Page, name: str, content: bytes) -> None:
    page.locator("#open").set_input_files(
        {"name": name, "mimeType": "text/plain", "buffer": content}
    )


@pytest.mark.parametrize("give", [_drop, _open])
def test_text_files_become_the_passage(page: Page, give: Any) -> None:
    for content in (_TEXT.encode(), _TEXT.encode("utf-8-sig")):
        give(page, "a.txt", content)
        wanted = _TEXT.replace("\r\n", "\n")
        expect(page.locator("#passage b")).to_have_count(0)
        expect(page.locator("#passage")).to_contain_text("<b>three</b>")
        assert page.locator("#passage").text_content() == wanted
        assert page.locator("#context").input_value() == wanted
        page.get_by_role("button", name="Marie Curie").click()
    give(page, "full.txt", b"\xef\xbb\xbf" + "\U0001f600".encode() * MAX_CONTEXT)
    expect(page.locator("#passage")).to_contain_text("\U0001f600")


@pytest.mark.parametrize("give", [_drop, _open])
def test_other_files_are_refused(page: Page, give: Any) -> None:
    before = page.locator("#passage").text_content()
    for content, message in _REFUSED:
        give(page, _HOSTILE_NAME, content)
        expect(page.locator("#answer-text")).to_have_text(f"{_HOSTILE_NAME} {message}")
        assert page.locator("#passage").text_content() == before
    page.get_by_label("Your question").fill("Who stayed in orbit?")
    expect(page.locator("#answer-timings .canao")).to_be_visible()


def test_files_dropped_elsewhere_do_nothing(page: Page, url: str) -> None:
    before = page.locator("#passage").text_content()
    _drop(page, "a.txt", b"elsewhere", target="#writing")
    page.get_by_role("button", name="Edit text").click()
    assert page.url == url
    assert page.locator("#passage").text_content() == before


def test_a_file_that_is_read_late_does_not_replace_a_later_choice(page: Page) -> None:
    page.evaluate(
        """() => { const read = File.prototype.arrayBuffer;
        window.held = new Promise(resolve => { window.release = resolve; });
        File.prototype.arrayBuffer = async function () {
          await window.held;
          return read.call(this);
        }; }"""
    )
    _drop(page, "a.txt", b"too late")
    page.get_by_role("button", name="Marie Curie").click()
    page.evaluate("async () => { window.release(); await new Promise(f => setTimeout(f, 200)); }")
    expect(page.locator("#passage")).to_contain_text("Marie Curie")


def test_texts_of_nothing_and_of_a_megabyte(page: Page) -> None:
    page.get_by_role("button", name="Your own").click()
    page.get_by_label("Your question").fill("Who?")
    page.get_by_label("Your text").fill("x" * 1_000_000)
    expect(page.locator("#answer-text")).to_contain_text("at most 100,000 characters")
    page.get_by_label("Your text").fill("")
    expect(page.locator("#answer-text")).to_have_text("Ask a question to see its answer.")
    for text, message in (("", "Write the start"), (" ", "Write the start"), ("x" * 9_000, "8000")):
        page.get_by_label("Start of the text").fill(text)
        page.get_by_role("button", name="Write", exact=True).click()
        expect(page.locator("#write-status")).to_contain_text(message)
    page.get_by_label("Start of the text").fill("x" * 1_000_000)
    assert len(page.get_by_label("Start of the text").input_value()) == MAX_PROMPT


def test_halves_of_characters_are_replaced(page: Page) -> None:
    page.get_by_role("button", name="Your own").click()
    page.evaluate(
        r"""() => { const field = document.querySelector("#context");
        field.value = "a \ud83d fox \ude00";
        field.dispatchEvent(new Event("input")); }"""
    )
    page.get_by_label("Your question").fill("Who?")
    expect(page.locator("#answer-timings .canao")).to_be_visible()
    assert page.locator("#passage").text_content() == "a \ufffd fox \ufffd"


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_marks_are_where_python_counts(page: Page, data: st.DataObject) -> None:
    text = "".join(data.draw(st.lists(st.one_of(_PARTS, st.text(max_size=3)), max_size=20)))
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, len(text)))
    found = page.evaluate(
        """async ([text, start, end]) => {
          const { showMarked } = await import("/spans.js");
          const place = document.createElement("div");
          const mark = showMarked(place, JSON.parse(text), { start, end });
          return [mark.previousSibling.data, mark.textContent, mark.nextSibling.data];
        }""",
        [json.dumps(text), start, end],
    )
    assert found == [text[:start], text[start:end], text[end:]]
