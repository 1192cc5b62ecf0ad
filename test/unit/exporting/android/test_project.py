"""The files of an Android app: whole, escaped, written in one step, and nothing of others."""

from __future__ import annotations

import json
import re
from itertools import product
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from unit.exporting.android.android_tools import MAIN, dump, link
from unit.exporting.android.app_projects import NAMES, app_project, texts, write_files

from canao.apps.demo.examples import examples_json
from canao.errors import CanaoError, InputFileError
from canao.exporting.android.names import AppNames, resource_text
from canao.exporting.android.project import write_project

_ANDROID = "{http://schemas.android.com/apk/res/android}"
_REFERENCE = re.compile(r"@(\w+)/([\w.]+)")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return app_project(tmp_path_factory.mktemp("app") / "project")


def _trees(project: Path) -> dict[Path, ElementTree.Element]:
    """The XML of the app by its places."""
    files = sorted((project / MAIN).rglob("*.xml"))
    return {path: ElementTree.parse(path).getroot() for path in files}


def _resources(project: Path) -> set[tuple[str, str]]:
    """Kind and name of all that `values` and the files of resources define."""
    found: set[tuple[str, str]] = set()
    for path, tree in _trees(project).items():
        if path.parent.parent.name != "res":
            continue
        kind = path.parent.name.partition("-")[0]
        if kind == "values":
            found |= {(one.tag, one.attrib["name"]) for one in tree}
        else:
            found.add((kind, path.stem))
        for one in tree.iter():
            if (made := one.get(f"{_ANDROID}id", "")).startswith("@+id/"):
                found.add(("id", made.removeprefix("@+id/")))
    return found


def test_references_lead_somewhere(project: Path) -> None:
    """Each resource that XML or Kotlin names is there, and each that is there is named."""
    known, named = _resources(project), {("style", "Theme.Answers")}
    for path in _trees(project):
        named |= set(_REFERENCE.findall(path.read_text()))
    for path in (project / MAIN).rglob("*.kt"):
        named |= set(re.findall(r"\bR\.(\w+)\.(\w+)", path.read_text()))
    parents = {one.get("parent", "") for tree in _trees(project).values() for one in tree}
    named |= {("style", name) for name in parents if name and ":" not in name}
    assert named == known


def test_nothing_is_left_to_fill_in(project: Path) -> None:
    for place, text in texts(project).items():
        assert not place.endswith(".in")
        assert re.findall(r"@(?:name|package|abi)@", text) == [], place
    assert (project / ".gitignore").is_file()


def test_the_manifest_asks_for_nothing(project: Path) -> None:
    manifest = ElementTree.parse(project / MAIN / "AndroidManifest.xml").getroot()
    assert [one.tag for one in manifest.iter() if "permission" in one.tag] == []
    (activity,) = manifest.iter("activity")
    classes = [activity.attrib[f"{_ANDROID}name"]]
    classes += [one.attrib[f"{_ANDROID}name"] for one in manifest.iter("application")]
    folder = project / MAIN / "kotlin" / "org" / "canao" / "answers"
    assert all((folder / f"{name.removeprefix('.')}.kt").is_file() for name in classes)


def test_only_two_files_have_names_of_others(project: Path, tmp_path: Path) -> None:
    """Gradle's scripts, Kotlin and C are the same for every app."""
    other = texts(app_project(tmp_path / "other", AppNames("Other", "com.example.other")))
    here = texts(project)
    assert here.keys() == other.keys()
    changed = {place for place, text in here.items() if other[place] != text}
    assert changed == {"gradle.properties", f"{MAIN}/res/values/app_name.xml"}
    assert f"canao.applicationId={NAMES.package}\n" in here["gradle.properties"]


def test_where_the_files_of_the_model_are(project: Path) -> None:
    assets = project / MAIN / "assets"
    assert {path.name for path in assets.iterdir()} == {
        "weights.bin",
        "tokenizer.bin",
        "examples.json",
    }
    assert (assets / "weights.bin").read_bytes() == b"weights.bin"
    model = project / MAIN / "cpp" / "model"
    assert {path.name for path in model.iterdir()} == {"model.h", "model.c", "kernels.c"}


def test_examples_are_those_of_the_page(project: Path) -> None:
    found = json.loads((project / MAIN / "assets" / "examples.json").read_text())
    assert [one["title"] for one in found] == ["Apollo 11", "Marie Curie", "Mount Everest"]
    assert all(len(one["text"]) > 500 and len(one["questions"]) == 5 for one in found)


def _luminance(color: str) -> float:
    parts = [int(color[n : n + 2], 16) / 255 for n in (1, 3, 5)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return sum(w * p for w, p in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


@pytest.mark.parametrize("folder", ["values", "values-night"])
def test_text_is_easy_to_read(project: Path, folder: str) -> None:
    """Contrasts of 4.5 and more, as the guidelines of web and Android ask, by day and by night."""
    tree = ElementTree.parse(project / MAIN / "res" / folder / "colors.xml").getroot()
    colors = {one.attrib["name"]: (one.text or "").strip() for one in tree}
    pairs = [*product(("ink", "soft", "bad"), ("ground", "paper", "tint")), ("accent", "tint")]
    pairs += [("mark_ink", "mark"), ("other_ink", "other")]
    for text, ground in pairs:
        light, dark = sorted(map(_luminance, (colors[text], colors[ground])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (text, ground)


def test_the_same_colors_by_night(project: Path) -> None:
    """A color that the night leaves out is the same by day."""
    names = [
        {one.attrib["name"] for one in ElementTree.parse(path).getroot()}
        for path in sorted((project / MAIN / "res").glob("values*/colors.xml"))
    ]
    assert names[0] - names[1] == {"icon_ground"}
    assert names[1] <= names[0]


def _strings(linked: Path, work: Path) -> dict[str, str]:
    found = re.findall(r"string/(\w+)\n +\(\) \"(.*)\"\n", dump(linked, "resources", work))
    return dict(found)


def test_android_reads_the_app(project: Path, tmp_path: Path) -> None:
    """Its compiler takes resources and manifest, and finds the name as it was given."""
    linked, _ = link(project, tmp_path)
    about = dump(linked, "badging", tmp_path)
    assert "launchable-activity: name='org.canao.answers.MainActivity'" in about
    assert "uses-permission" not in about
    assert _strings(linked, tmp_path)["app_name"] == NAMES.name


_NAME = st.text(
    st.characters(exclude_categories=["C", "Z"]) | st.just(" "), min_size=1, max_size=50
)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(names=st.lists(_NAME.filter(lambda name: name.strip() != ""), min_size=40, max_size=60))
def test_any_name_comes_back(
    project: Path, tmp_path_factory: pytest.TempPathFactory, names: list[str]
) -> None:
    """Escaped names, many in one file, as Android's compiler reads them."""
    work = tmp_path_factory.mktemp("names")
    all_names = [
        *names,
        "".join(map(chr, range(33, 127)))[:50],
        "@string/x",
        "?attr/x",
        "a  b",
        "\\n%1$s",
    ]
    chosen = [AppNames(name) for name in all_names if name.isprintable()]
    (work / MAIN / "res" / "values").mkdir(parents=True)
    (work / MAIN / "AndroidManifest.xml").write_text("<manifest ></manifest>")
    rows = [f'<string name="n{n}">{one.resource}</string>' for n, one in enumerate(chosen)]
    text = f"<resources>{''.join(rows)}</resources>"
    (work / MAIN / "res" / "values" / "names.xml").write_text(text, encoding="utf-8")
    linked, _ = link(work, work / "work")
    found = _strings(linked, work)
    for number, one in enumerate(chosen):
        assert found[f"n{number}"] == " ".join(one.name.split())


@pytest.mark.parametrize("name", ["", " ", "x" * 51, "a\nb", "a\0", "\ud800", "\u202eabc"])
def test_names_that_will_not_do(name: str) -> None:
    with pytest.raises(CanaoError, match="cannot be the name of an app"):
        AppNames(name)


@pytest.mark.parametrize(
    "package",
    ["", "answers", "org.", ".org", "org..x", "org.1x", "org.ex-ample", "org.x\n", "org.ä",
     "org.x; rm", "org.$x", f"org.{'x' * 100}"],
)  # fmt: skip
def test_packages_that_will_not_do(package: str) -> None:
    with pytest.raises(CanaoError, match="cannot be the package of an app"):
        AppNames("Answers", package)


@given(st.text())
def test_escaped_text_has_nothing_that_xml_reads(text: str) -> None:
    escaped = resource_text(text)
    assert not set(escaped) & set("<>&'\"@?%")
    back = re.sub(r"\\u([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), escaped)
    assert back == text


def test_a_directory_with_files_is_left_alone(project: Path, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for place in (tmp_path, tmp_path / "notes.txt"):
        with pytest.raises(InputFileError, match="exists already"):
            app_project(place)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    def fails(folder: Path) -> None:
        write_files(folder)
        raise CanaoError("no")

    with pytest.raises(CanaoError, match="no"):
        write_project(tmp_path / "app", NAMES, examples_json(), fails)
    assert list(tmp_path.iterdir()) == []
