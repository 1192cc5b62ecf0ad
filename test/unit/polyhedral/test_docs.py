"""The Python of docs/polyhedral.md does what the page says."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[3] / "docs" / "polyhedral.md"


def test_snippets():
    snippets = re.findall(r"^```pycon\n(.*?)^```$", PAGE.read_text(), re.MULTILINE | re.DOTALL)
    parser = doctest.DocTestParser()
    test = parser.get_doctest("\n".join(snippets), {}, PAGE.name, str(PAGE), 0)
    report: list[str] = []
    outcome = doctest.DocTestRunner().run(test, out=report.append)
    assert outcome.attempted > 30
    assert outcome.failed == 0, "".join(report)
