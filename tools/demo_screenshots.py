"""Takes the pictures of docs/demo.md: python tools/demo_screenshots.py [--qa-model MODEL].

Without a model for question answering that comes with canao, or one that is named, the page is
shown with text generation alone.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import threading
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from canao.apps.demo.app import create_app
from canao.apps.demo.serve import Server
from canao.apps.demo.tasks import Tasks, answering_task, writing_task
from canao.errors import InputFileError

IMAGES = Path(__file__).resolve().parents[1] / "docs" / "images"
VIEWS: dict[str, dict[str, Any]] = {
    "phone": {"viewport": {"width": 390, "height": 844}},
    "desktop": {"viewport": {"width": 1280, "height": 900}},
    "dark": {"viewport": {"width": 1280, "height": 900}, "color_scheme": "dark"},
}
QUESTION = "Who was the first to step onto the surface?"


def main() -> None:
    """Serves the demo, drives it at each size, and writes a picture of each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--qa-model")
    named = parser.parse_args().qa_model
    try:
        answering = answering_task(named, tune="off")
    except InputFileError as error:
        print(f"without question answering: {error}", file=sys.stderr)
        answering = None
    server, ready = Server("127.0.0.1", 0), threading.Event()
    app = create_app(Tasks(answering, writing_task(tune="off")))
    thread = threading.Thread(target=server.run, args=(app, ready.set))
    thread.start()
    ready.wait()
    try:
        with sync_playwright() as playwright:
            chromium = shutil.which("chromium")
            browser = playwright.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-background-networking"]
            )
            for name, view in VIEWS.items():
                _picture(browser, server.url, name, view, with_answer=answering is not None)
            browser.close()
    finally:
        server.stop()
        thread.join()


def _picture(
    browser: Browser, url: str, name: str, view: dict[str, Any], *, with_answer: bool
) -> None:
    context = browser.new_context(**view, reduced_motion="reduce")
    page = context.new_page()
    page.set_default_timeout(300_000)
    page.goto(url)
    page.wait_for_selector("html[data-ready]")
    page.locator("#start").click()
    page.wait_for_selector("#write-timings .timing")
    if with_answer:
        page.fill("#question", QUESTION)
        page.wait_for_selector("#answer-timings .timing")
    page.evaluate("scrollTo(0, 0); document.activeElement.blur()")
    IMAGES.mkdir(exist_ok=True)
    page.screenshot(path=IMAGES / f"demo-{name}.png")
    context.close()


if __name__ == "__main__":
    main()
