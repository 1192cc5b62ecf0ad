"""What comes late, or not at once: the page shows the last request, and waits its turn."""

from __future__ import annotations

import json
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect
from unit.apps.demo.occupied import occupied

from canao.apps.demo.tasks import Tasks

_STALE = {
    "answer": "stale",
    "start": 0,
    "end": 5,
    "score": 0.9,
    "latency_ms": 1.0,
    "windows": 1,
    "others": [],
}
_DEAF = """() => { const asked = window.fetch;
  window.fetch = (path, options) => asked(path, { ...options, signal: undefined }); }"""
"""Requests that are called off come back all the same, as where the answer was on its way."""
_A_MOMENT = "() => new Promise(passed => setTimeout(passed, 300))"


@pytest.fixture
def refusals() -> tuple[int, ...]:
    """Full queues, and models that PyTorch does not run."""
    return (422, 503)


class _Held:
    """Holds requests that have some words in their body; others pass."""

    def __init__(self, page: Page, path: str, words: str) -> None:
        self.routes: list[Route] = []
        self._page, self._words = page, words
        page.route(path, self._asked)

    def _asked(self, route: Route) -> None:
        if self._words in (route.request.post_data or ""):
            self.routes.append(route)
        else:
            route.continue_()

    def first(self) -> Route:
        """The first one, which may be on its way."""
        while not self.routes:
            self._page.wait_for_timeout(10)
        return self.routes[0]


def _hold_first_answer(page: Page) -> _Held:
    held = _Held(page, "**/api/answer", "Who was the first?")
    with page.expect_request("**/api/answer"):
        page.get_by_label("Your question").fill("Who was the first?")
    return held


@pytest.mark.parametrize("deaf", [False, True], ids=["called off", "on its way"])
def test_late_answers_replace_nothing(page: Page, deaf: bool) -> None:
    if deaf:
        page.evaluate(_DEAF)
    held = _hold_first_answer(page)
    with page.expect_response("**/api/answer") as response:
        page.get_by_label("Your question").fill("Who stayed in orbit?")
    wanted = response.value.json()["answer"]
    expect(page.locator("#passage mark")).to_have_text(wanted)
    held.first().fulfill(json=_STALE)
    assert len(held.routes) == 1
    page.evaluate(_A_MOMENT)
    expect(page.locator("#answer-text")).to_have_text(wanted)
    expect(page.locator("#passage mark")).to_have_text(wanted)


@pytest.mark.parametrize("took", [50, 100])
def test_quick_answers_follow_each_key(page: Page, took: int) -> None:
    """Time stands still but for what the test says, so that no machine is too slow for it."""
    asked = list[str]()
    answers = _Held(page, "**/api/answer", "question")
    page.on("request", lambda request: asked.append(request.post_data or ""))
    page.evaluate(_A_MOMENT)  # timers that the page has set would run on
    page.clock.install()
    field, answer = page.get_by_label("Your question"), page.locator("#answer")
    page.clock.pause_at("2050-01-01")
    field.fill("W")
    page.clock.run_for(149)
    assert asked == []
    with page.expect_request("**/api/answer"):
        page.clock.run_for(1)
    expect(answer).to_have_attribute("aria-busy", "false")
    page.clock.run_for(took)
    answers.first().fulfill(json=_STALE)
    expect(page.locator("#answer-text")).to_have_text("stale")
    field.press_sequentially("ho")
    expect(answer).to_have_attribute("aria-busy", "true")
    expect(answer).to_have_class("result" if took > 75 else "result waiting")
    assert len(asked) == (3 if took <= 75 else 1)
    page.clock.run_for(150)
    expect(answer).to_have_attribute("aria-busy", "false")
    expect(answer).to_have_class("result waiting")
    assert [json.loads(body)["question"] for body in asked][-1] == "Who"
    assert len(asked) == (3 if took <= 75 else 2)


def test_answers_about_another_text_are_not_shown(page: Page) -> None:
    page.evaluate(_DEAF)
    held = _hold_first_answer(page)
    page.get_by_role("button", name="Marie Curie").click()
    held.first().fulfill(json=_STALE)
    page.evaluate(_A_MOMENT)
    expect(page.locator("#passage mark")).to_have_count(0)
    expect(page.locator("#answer-text")).not_to_have_text("stale")


def test_late_refusals_say_nothing(page: Page) -> None:
    page.evaluate(_DEAF)
    held = _hold_first_answer(page)
    page.get_by_label("Your question").fill("Who stayed in orbit?")
    expect(page.locator("#answer-timings .canao")).to_be_visible()
    answer = page.locator("#answer-text").text_content() or ""
    held.first().fulfill(status=503, headers={"Retry-After": "1"}, json={"detail": "busy"})
    page.evaluate(_A_MOMENT)
    expect(page.locator("#answer-text")).to_have_text(answer)


def test_candidates_go_with_their_text(page: Page) -> None:
    page.get_by_label("Your question").fill("Who stayed in orbit?")
    expect(page.locator("#others button").first).to_be_visible()
    page.route("**/api/answer", lambda route: None)  # the next answer never comes
    page.get_by_role("button", name="Your own").click()
    page.get_by_label("Your text").fill("short")
    expect(page.locator("#others-part")).to_be_hidden()


def test_a_text_that_is_begun_again_is_the_last_one(page: Page) -> None:
    page.evaluate(_DEAF)
    held = _Held(page, "**/api/generate", "first")
    with page.expect_request("**/api/generate"):
        page.get_by_label("Start of the text").fill("The first")
        page.keyboard.press("Enter")
    again = _Held(page, "**/api/generate", "second")
    page.get_by_label("Start of the text").fill("The second")
    page.keyboard.press("Enter")
    event = 'event: piece\ndata: {"text": " stale", "latency_ms": 1}\n\n'
    held.first().fulfill(body=event, headers={"Content-Type": "text/event-stream"})
    page.evaluate(_A_MOMENT)
    expect(page.locator("#written")).to_have_attribute("aria-busy", "true")
    expect(page.locator("#written")).to_have_text("The second")
    expect(page.get_by_role("button", name="Stop")).to_be_enabled()
    again.first().continue_()
    expect(page.locator("#write-status")).to_contain_text("Done")
    expect(page.locator("#written")).to_have_attribute("aria-busy", "false")


def test_the_page_waits_while_the_server_is_busy(page: Page, made_tasks: Tasks) -> None:
    assert made_tasks.answering is not None
    assert made_tasks.writing is not None
    with occupied(made_tasks.answering, 64), occupied(made_tasks.writing, 16):
        page.get_by_label("Your question").fill("Who stayed in orbit?")
        expect(page.locator("#answer-text")).to_have_text("The server is busy; asking again in 1 s")
        page.get_by_role("button", name="Write", exact=True).click()
        expect(page.locator("#write-status")).to_have_text(
            "The server is busy; asking again in 2 s"
        )
    expect(page.locator("#answer-timings .canao")).to_be_visible()
    expect(page.locator("#write-status")).to_contain_text("Done")


def test_an_answer_stands_where_pytorch_fails(page: Page) -> None:
    detail = {"detail": "there is compiled code alone"}
    held = _Held(page, "**/api/answer", "pytorch")
    page.get_by_role("switch").check()
    page.get_by_label("Your question").fill("Who stayed in orbit?")
    expect(page.locator("#answer-timings .canao")).to_be_visible()
    marked = page.locator("#passage mark").text_content() or ""
    held.first().fulfill(status=422, json=detail)
    expect(page.locator("#answer-timings .verdict")).to_contain_text("there is compiled code alone")
    expect(page.locator("#passage mark")).to_have_text(marked)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"status": 503, "json": {"detail": "the server is stopping"}}, "the server is stopping"),
        ({"body": 'event: error\ndata: {"detail": "stops"}\n\n'}, "stops"),
        ({"body": ""}, "the server ended before the text did"),
    ],
)
def test_a_server_that_stops_is_told_of(page: Page, given: dict[str, Any], said: str) -> None:
    page.route("**/api/generate", lambda route: route.fulfill(**given))
    page.get_by_role("button", name="Write", exact=True).click()
    expect(page.locator("#write-status.bad")).to_contain_text(said)
    expect(page.get_by_role("button", name="Stop")).to_be_disabled()
    expect(page.locator("#written")).to_have_attribute("aria-busy", "false")
