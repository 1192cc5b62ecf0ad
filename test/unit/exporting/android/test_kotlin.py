"""The app's Kotlin, by the Kotlin compiler, against declarations of Android's classes."""

from __future__ import annotations

from pathlib import Path

import pytest
from unit.exporting.android.android_tools import KOTLIN, compile_kotlin, link
from unit.exporting.android.app_projects import app_project

# The Kotlin compiler takes minutes on a busy machine.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

_WRONG = """
import android.view.View

fun right(view: View) = view.postDelayed({}, 200L)

fun wrong(view: View) {
    view.hideAll()
    view.postDelayed({}, "soon")
}
"""


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return app_project(tmp_path_factory.mktemp("app") / "project")


def test_it_compiles_without_a_warning(project: Path, tmp_path: Path) -> None:
    _, java = link(project, tmp_path)
    classes = compile_kotlin([project / KOTLIN], tmp_path, java=java)
    found = {path.stem for path in classes.rglob("*.class")}
    assert {"MainActivity", "AnswersApp", "Native", "Answerer", "Reader"} <= found


def test_what_android_has_not_is_noticed(project: Path, tmp_path: Path) -> None:
    """The declarations are read: a function that no class has, and an argument of another type."""
    _, java = link(project, tmp_path)
    (tmp_path / "wrong").mkdir()
    (tmp_path / "wrong" / "Wrong.kt").write_text(_WRONG)
    with pytest.raises(AssertionError) as caught:
        compile_kotlin([tmp_path / "wrong"], tmp_path, java=java)
    said = str(caught.value).lower()
    assert "unresolved reference 'hideall'" in said
    assert "argument type mismatch" in said
    assert said.count("error: ") == 2
