"""What checks an Android app: the compiler of resources, and Kotlin's with Android's classes."""

from __future__ import annotations

import re
import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from unit.exporting.android.platform_sources import write_sources

MAIN = Path("app", "src", "main")
KOTLIN = MAIN / "kotlin"
_PACKAGE = "org.canao.answers"
_FRAMEWORK = Path("/usr/share/android-framework-res/framework-res.apk")
_COMPILER = "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"
_MEMORY = "-Xmx1g"
_ALSO = (
    "android.content",
    "android.content.pm",
    "android.graphics",
    "android.graphics.drawable",
    "android.util",
    "android.view",
    "android.view.accessibility",
)
"""Packages of what the app's classes extend, beside those that they import, and of
what these give."""


def link(project: Path, work: Path) -> tuple[Path, Path]:
    """Compile and link the app's resources and its manifest by Android's own compiler.

    The package of resources, and the folder with `R.java`.
    """
    work.mkdir(parents=True, exist_ok=True)
    aapt2 = _aapt2(work)
    compiled, linked, java = work / "compiled.zip", work / "resources.apk", work / "java"
    _run(aapt2, "compile", "--dir", project / MAIN / "res", "-o", compiled)
    # The Android plugin does the same with its `namespace`.
    manifest = (project / MAIN / "AndroidManifest.xml").read_text()
    (work / "manifest.xml").write_text(
        manifest.replace("<manifest ", f'<manifest package="{_PACKAGE}" ', 1)
    )
    _run(
        aapt2, "link", "-I", _FRAMEWORK, "--manifest", work / "manifest.xml", "--java", java,
        "--min-sdk-version", 26, "--target-sdk-version", 36, "-o", linked, compiled,
    )  # fmt: skip
    return linked, java


def dump(linked: Path, what: str, work: Path) -> str:
    """What Android reads out of a package: `badging` or `resources`."""
    return _run(_aapt2(work), "dump", what, linked)


def compile_kotlin(sources: list[Path], work: Path, *, java: Path | None = None) -> Path:
    """Compile Kotlin, warnings being errors, against Android's classes; the folder of classes.

    `java` has `R.java`. Without it no class of Android is known.
    """
    classes = work / "classes"
    roots = [str(path) for path in sources]
    if java is not None:
        write_sources(_stubs(), _packages(sources), work / "platform")
        roots += [str(work / "platform"), str(java)]
    _run(
        "java", _MEMORY, "-cp", ":".join(map(str, _jars("*.jar"))), _COMPILER,
        "-no-stdlib", "-no-reflect", "-Werror", "-cp", class_path(), "-d", classes, *roots,
    )  # fmt: skip
    return classes


def run_kotlin(
    main: str, classes: Path, libraries: Path, *arguments: object
) -> subprocess.CompletedProcess[str]:
    """Run the compiled file `main`.kt in a JVM, which loads native libraries from a folder."""
    command = ["java", "-Xcheck:jni", f"-Djava.library.path={libraries}"]
    command += ["-cp", f"{class_path()}:{classes}", f"{_PACKAGE}.{main}Kt", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)


def class_path() -> str:
    """Kotlin's own classes, and the annotations of Android's."""
    jars = [*_jars("kotlin-stdlib-*.jar"), *_jars("annotations-*.jar")]
    return ":".join(map(str, jars))


def _packages(sources: list[Path]) -> list[str]:
    """The packages of Android that Kotlin files import, and those of `_ALSO`."""
    files = [file for path in sources for file in sorted(path.rglob("*.kt"))]
    text = "\n".join(file.read_text() for file in files)
    found = re.findall(r"^import ((?:android|org\.json)[a-z.]*)\.[A-Z]", text, re.MULTILINE)
    return sorted({*found, *_ALSO})


def _stubs() -> Path:
    """Where the packages of declarations lie."""
    return _folder_of("aapt2").parent


def _aapt2(work: Path) -> Path:
    """A copy of the program that may be run."""
    copied = work / "aapt2"
    if not copied.exists():
        shutil.copy(_folder_of("aapt2") / "bin" / "Linux" / "aapt2", copied)
        copied.chmod(0o755)
    return copied


def _jars(pattern: str) -> list[Path]:
    return sorted((_folder_of("run_kotlin_kernel") / "jars").glob(pattern))


def _folder_of(package: str) -> Path:
    found = find_spec(package)
    assert found is not None, f"{package} is not installed; `make test` does it"
    assert found.submodule_search_locations
    return Path(next(iter(found.submodule_search_locations)))


def _run(*words: object) -> str:
    command = [str(word) for word in words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout
