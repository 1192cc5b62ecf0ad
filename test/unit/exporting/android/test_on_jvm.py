"""The app's Kotlin and its native library together, in a JVM of this machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from unit.exporting.android.android_tools import KOTLIN, MAIN, compile_kotlin, run_kotlin
from unit.exporting.android.app_projects import NAMES
from unit.exporting.android.asked_answers import ASKED, check, save_reader, wanted

from canao.apps import QuestionAnswerer
from canao.apps.demo.examples import examples_json
from canao.exporting.android.project import write_project

# The first build for a target builds its libc too, which takes minutes on a busy machine.
pytestmark = pytest.mark.timeout(900)

NATIVE = Path(__file__).parent / "native"
_PLAIN = ("Answerer", "Native", "Places")
"""Files that use nothing of Android."""


class Jvm:
    """Kotlin's classes and the library, made for this machine."""

    def __init__(self, work: Path) -> None:
        folder = save_reader(work / "reader")
        self.answerer = QuestionAnswerer(folder, batch=1, tune="off", threads=1)
        self.project = write_project(work / "app", NAMES, examples_json(), self.answerer.export)
        self.assets = self.project / MAIN / "assets"
        self.work = work
        self._build()
        package = self.project / KOTLIN / "org" / "canao" / "answers"
        sources = [package / f"{name}.kt" for name in _PLAIN]
        self.classes = compile_kotlin([*sources, NATIVE / "Asked.kt"], work)

    def _build(self) -> None:
        """By the app's own CMakeLists.txt, as the Android plugin calls it."""
        cmake = shutil.which("cmake")
        assert cmake, "cmake is needed to build the app's library"
        configure = [cmake, "-S", str(self.project / MAIN / "cpp"), "-B", str(self.work / "built")]
        options = [f"-DCMAKE_C_FLAGS=-I{NATIVE} -Werror", "-DCMAKE_BUILD_TYPE=Debug"]
        for command in ([*configure, *options], [cmake, "--build", str(self.work / "built")]):
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            assert done.returncode == 0, done.stderr + done.stdout

    def lines(self, pairs: list[tuple[str, str]], weights: Path | None = None) -> list[str]:
        """What is printed for texts and questions."""
        asked = self.work / "asked"
        asked.write_text("".join(f"{one}\0" for pair in pairs for one in pair), encoding="utf-8")
        files = (weights or self.assets / "weights.bin", self.assets / "tokenizer.bin", asked)
        done = run_kotlin("Asked", self.classes, self.work / "built", *files)
        assert done.returncode == 0, done.stderr
        # What -Xcheck:jni says of calls that JNI does not allow.
        assert "WARNING" not in done.stdout + done.stderr
        return done.stdout.splitlines()


@pytest.fixture(scope="module")
def jvm(tmp_path_factory: pytest.TempPathFactory) -> Jvm:
    return Jvm(tmp_path_factory.mktemp("jvm"))


def test_the_answers_of_python(jvm: Jvm) -> None:
    """Places are those of UTF-16; four threads share the model."""
    *lines, closed = jvm.lines(ASKED)
    assert closed == "java.lang.IllegalStateException: the model is closed"
    assert len(lines) == len(ASKED)
    for line, (text, question) in zip(lines, ASKED, strict=True):
        check(line.split(), wanted(jvm.answerer, text, question, "utf-16-le"))


def test_what_is_thrown(jvm: Jvm, tmp_path: Path) -> None:
    empty, asked, _ = jvm.lines([("", "Who?"), ("Ada wrote it.", "")])
    assert empty.startswith("java.lang.IllegalArgumentException: ")
    assert asked.startswith("java.lang.IllegalArgumentException: ")
    assert empty != asked
    (missing,) = jvm.lines(ASKED, tmp_path / "none.bin")
    assert missing == "java.io.IOException: No such file or directory"
