"""Texts to ask about, with questions to try, as the page has them."""

from __future__ import annotations

import json
from importlib.resources import files

_BEFORE, _AFTER = "export const TEXTS = ", ";\n"


def examples_json() -> str:
    """The texts as a list in JSON, each with `title`, `text` and `questions`."""
    page = files("canao.apps.demo") / "page" / "examples.js"
    text = page.read_text(encoding="utf-8").partition(_BEFORE)[2].partition(_AFTER)[0]
    return json.dumps(json.loads(text), indent=1) + "\n"
