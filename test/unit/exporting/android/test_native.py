"""The app's native code, built for 64-bit ARM and run by an emulator: the answers of Python."""

from __future__ import annotations

import re
import shutil
import struct
import subprocess
from pathlib import Path

import pytest
from run_command import run_command
from unit.exporting.android.android_tools import MAIN
from unit.exporting.android.asked_answers import ASKED, MOST, check, save_reader, wanted

from canao.apps import QuestionAnswerer
from canao.building.toolchain import compiler_for
from canao.machine.target import Target
from canao.machine.targets import app_row

# The first build for a target builds its libc too, which takes minutes on a busy machine.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

NATIVE = Path(__file__).parent / "native"
STRICT = ("-Wall", "-Wextra", "-Werror", "-pedantic")


class App:
    """An exported app whose native code was built into a program."""

    def __init__(self, work: Path) -> None:
        self.folder = save_reader(work / "reader")
        self.project = work / "app"
        options = ("--name", "Ask", "--package", "org.example.ask", "--threads", 2, "--tune", "off")
        with pytest.MonkeyPatch.context() as patch:
            assert (
                run_command(patch, "export", self.folder, "--android", self.project, *options) == 0
            )
        self.assets = self.project / MAIN / "assets"
        self.work = work
        self._build()

    def _build(self) -> None:
        """With the options that the export's CMakeLists.txt has, and strictly for JNI's part."""
        target = Target(app_row().name)
        compiler = compiler_for(target)
        cpp = self.project / MAIN / "cpp"
        self.objects: list[str] = []
        for source in (
            *sorted((cpp / "model").glob("*.c")),
            cpp / "answers_jni.c",
            NATIVE / "harness.c",
        ):
            strict = () if source.parent.name == "model" else STRICT
            self.objects.append(str(self.work / f"{source.stem}.o"))
            include = ("-I", str(NATIVE), "-I", str(cpp / "model"))
            command = (*compiler.command, *compiler.flags(target), *strict, *include)
            subprocess.run([*command, "-c", str(source), "-o", self.objects[-1]], check=True)
        self.linker = compiler.command
        self.link("harness", self.objects, "-static")

    def link(self, name: str, objects: list[str], *options: str) -> Path:
        """What objects are linked to, a program or a library."""
        made = self.work / name
        command = (*self.linker, *options, *objects, "-lm", "-o", str(made))
        subprocess.run(command, check=True)
        return made

    def ask(
        self, text: bytes, question: str, *, most: int = MOST, weights: Path | None = None
    ) -> list[str]:
        """The words that were printed."""
        emulator = shutil.which(app_row().emulator[0])
        assert emulator, "qemu-user is needed to run code for phones"
        (self.work / "text").write_bytes(text)
        files = (weights or self.assets / "weights.bin", self.assets / "tokenizer.bin")
        words = (*files, self.work / "text", question, most)
        done = subprocess.run(
            [emulator, str(self.work / "harness"), *map(str, words)],
            capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout.split()


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> App:
    return App(tmp_path_factory.mktemp("app"))


def test_the_answers_of_python(app: App) -> None:
    """From three threads with a model each, which must agree."""
    answerer = QuestionAnswerer(app.folder, batch=1, tune="off", threads=1)
    for text, question in ASKED:
        check(app.ask(text.encode(), question), wanted(answerer, text, question, "utf-8"))


@pytest.mark.parametrize(
    ("text", "question", "kind"),
    [
        (b"", "Who?", "IllegalArgumentException"),
        (b"Ada wrote it.", "", "IllegalArgumentException"),
        (b"Ada \xff wrote it.", "Who?", "IllegalArgumentException"),
        (b"Ada wrote it.", "who " * 400, "IllegalArgumentException"),
    ],
)
def test_questions_that_are_refused(app: App, text: bytes, question: str, kind: str) -> None:
    found = app.ask(text, question)
    assert found[0] == f"java/lang/{kind}:"
    assert len(found) > 3


@pytest.mark.parametrize("most", [0, 65])
def test_room_that_makes_no_sense(app: App, most: int) -> None:
    assert app.ask(b"Ada wrote it.", "Who?", most=most)[0] == "java/lang/IllegalArgumentException:"


def test_the_library_has_what_kotlin_calls(app: App) -> None:
    """Linked as the app's CMakeLists.txt asks for: nothing is missing, pages may have 16 KB."""
    cmake = (app.project / MAIN / "cpp" / "CMakeLists.txt").read_text()
    (options,) = re.findall(r"target_link_options\(answers PRIVATE (.*)\)", cmake)
    objects = [one for one in app.objects if "harness" not in one]
    data = app.link(
        "libanswers.so", objects, "-shared", "-Wl,-z,defs", *options.split()
    ).read_bytes()
    kotlin = next((app.project / MAIN).rglob("Native.kt")).read_text()
    called = set(re.findall(r"external fun (\w+)\(", kotlin))
    found = re.findall(rb"\0Java_org_canao_answers_Native_(\w+)(?=\0)", data)
    assert {name.decode() for name in found} == called
    loaded = [align for kind, align in _segments(data) if kind == 1]
    assert set(loaded) == {16384}


def _segments(data: bytes) -> list[tuple[int, int]]:
    """Kind and alignment of each segment of a 64-bit ELF file."""
    (first,) = struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    places = range(first, first + size * count, size)
    return [struct.unpack_from("<I44xQ", data, place) for place in places]


def test_files_that_are_refused(app: App, tmp_path: Path) -> None:
    data = bytearray((app.assets / "weights.bin").read_bytes())
    data[-1] ^= 1
    (tmp_path / "bad.bin").write_bytes(data)
    damaged = " ".join(app.ask(b"Ada", "Who?", weights=tmp_path / "bad.bin"))
    assert damaged.startswith("java/lang/IllegalStateException: ")
    assert "checksum is wrong" in damaged
    missing = " ".join(app.ask(b"Ada", "Who?", weights=tmp_path / "none.bin"))
    assert missing == "java/io/IOException: No such file or directory"
