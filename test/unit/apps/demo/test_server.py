"""The server answers as the applications do, refuses politely, and never waits without end."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from unit.apps.demo.occupied import occupied

from canao.apps.demo.assets import ASSETS
from canao.apps.demo.schemas import MAX_BODY, MAX_CONTEXT
from canao.apps.demo.tasks import Tasks
from canao.apps.question_answerer import QuestionAnswerer
from canao.apps.text_generator import TextGenerator

CONTEXT = "The quick brown fox jumps over the lazy dog, twice, and then goes home to sleep."
TEXTS = [
    CONTEXT,
    "\U0001f600\U0001f468\u200d\U0001f469\u200d\U0001f467 family \U0001f1e9\U0001f1ea at home",
    "Cafe\u0301 Zu\u0308rich, na\u00efve re\u0301sume\u0301s",
    "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd \u05e2\u05d5\u05dc\u05dd, \u0645\u0631 hello",
    "<script>alert(1)</script><img src=x onerror=alert(2)> & &amp; done",
    "before \x00 after \x1b[31m red",
    "a",
    "word " * 400,
]


def _answer(url: str, **body: Any) -> httpx.Response:
    return httpx.post(f"{url}api/answer", json=body, timeout=60)


def _events(lines: Iterator[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line[7:]
        if line.startswith("data: "):
            yield name, json.loads(line[6:])


def _written(url: str, **body: Any) -> list[tuple[str, dict[str, Any]]]:
    with httpx.stream("POST", f"{url}api/generate", json=body, timeout=60) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        return list(_events(response.iter_lines()))


@pytest.fixture(scope="module")
def eager(folders: tuple[Path, Path]) -> tuple[QuestionAnswerer, TextGenerator]:
    """The same models in PyTorch."""
    reader, writer = folders
    return (
        QuestionAnswerer(reader, backend="pytorch", threads=1),
        TextGenerator(writer, backend="pytorch", threads=1),
    )


@pytest.mark.parametrize("context", TEXTS, ids=range(len(TEXTS)))
def test_answers_are_those_of_pytorch(
    url: str, eager: tuple[QuestionAnswerer, TextGenerator], context: str
) -> None:
    wanted = eager[0].answer("Who jumps over the dog?", context, top=4)
    found = _answer(url, context=context, question="Who jumps over the dog?").json()
    assert (found["answer"], found["start"], found["end"]) == (
        wanted.text,
        wanted.start,
        wanted.end,
    )
    assert found["score"] == pytest.approx(wanted.score, abs=1e-3)
    assert found["windows"] == wanted.windows
    for span in (found, *found["others"]):
        assert context[span["start"] : span["end"]] == span["answer"]
    assert {"answer", "start", "end", "score", "latency_ms", "others"} <= found.keys()
    assert found["latency_ms"] > 0


def test_pytorch_answers_where_it_is_asked(url: str) -> None:
    body = {"context": CONTEXT, "question": "Who sleeps?"}
    ours, theirs = _answer(url, **body), _answer(url, **body, backend="pytorch")
    assert (ours.json()["start"], ours.json()["end"]) == (
        theirs.json()["start"],
        theirs.json()["end"],
    )


@pytest.mark.parametrize("options", [{}, {"temperature": 0.9, "seed": 5}, {"backend": "pytorch"}])
def test_text_is_that_of_pytorch(
    url: str, eager: tuple[QuestionAnswerer, TextGenerator], options: dict[str, Any]
) -> None:
    *pieces, (last, times) = _written(url, prompt="The quick", max_new_tokens=12, **options)
    asked = {name: value for name, value in options.items() if name != "backend"}
    stream = eager[1].stream("The quick", max_new_tokens=12, **asked)
    assert [data["text"] for _, data in pieces] == [piece.text for piece in stream]
    assert {name for name, _ in pieces} == {"piece"}
    assert last == "done"
    assert times["tokens"] == 12
    assert times["words_per_second"] > 0


@pytest.mark.parametrize("prompt", TEXTS[:-1], ids=range(len(TEXTS) - 1))
def test_any_text_can_be_gone_on_with(
    url: str, eager: tuple[QuestionAnswerer, TextGenerator], prompt: str
) -> None:
    *pieces, (last, _) = _written(url, prompt=prompt, max_new_tokens=8)
    wanted = [piece.text for piece in eager[1].stream(prompt, max_new_tokens=8)]
    assert [data["text"] for _, data in pieces] == wanted
    assert last == "done"


@pytest.mark.parametrize(
    ("path", "body", "told"),
    [
        ("answer", {"context": "", "question": "Who?"}, "context"),
        ("answer", {"context": " \n", "question": "Who?"}, "blank"),
        ("answer", {"context": CONTEXT}, "question"),
        ("answer", {"context": "x" * (MAX_CONTEXT + 1), "question": "Who?"}, "context"),
        ("answer", {"context": "half \ud800", "question": "Who?"}, "surrogate"),
        ("answer", {"context": 3, "question": "Who?"}, "context"),
        ("answer", {"context": CONTEXT, "question": "Who?", "file": "/etc/passwd"}, "file"),
        ("generate", {"prompt": ""}, "prompt"),
        ("generate", {"prompt": "x", "max_new_tokens": 0}, "max_new_tokens"),
        ("generate", {"prompt": "x", "max_new_tokens": 10**9}, "max_new_tokens"),
        ("generate", {"prompt": "x", "temperature": -1}, "temperature"),
        ("generate", {"prompt": "x", "temperature": 9}, "temperature"),
        ("generate", {"prompt": "x", "backend": "none"}, "backend"),
    ],
)
def test_wrong_requests_are_refused(url: str, path: str, body: dict[str, Any], told: str) -> None:
    response = httpx.post(
        f"{url}api/{path}",
        content=json.dumps(body),
        headers={"Content-Type": "application/json"},
    )
    assert response.status_code == 422
    assert told in response.json()["detail"]
    assert len(response.text) < 500


def test_bodies_that_are_none(url: str) -> None:
    headers = {"Content-Type": "application/json"}
    assert httpx.post(f"{url}api/answer", content=b"", headers=headers).status_code == 422
    assert httpx.post(f"{url}api/answer", content=b"{", headers=headers).status_code == 422
    large = httpx.post(f"{url}api/answer", content=b"x" * (MAX_BODY + 1), headers=headers)
    assert large.status_code == 413
    text = httpx.post(
        f"{url}api/answer",
        content=json.dumps({"context": "a", "question": "b"}),
        headers={"Content-Type": "text/plain"},
    )
    assert text.status_code == 422, "a form of another site may send this without being asked"


def test_prompts_that_are_too_long_end_in_an_error(url: str) -> None:
    [(name, data)] = _written(url, prompt="word " * 1000)
    assert name == "error"
    assert "shorter" in data["detail"]


@pytest.mark.parametrize("path", ["/", "/style.css", "/api/model", "/nothing", "/api/answer"])
def test_every_response_is_guarded(url: str, path: str) -> None:
    headers = httpx.get(url.rstrip("/") + path).headers
    policy = headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert "access-control-allow-origin" not in headers


def test_only_fixed_files_are_served(url: str) -> None:
    for path, (_, kind) in ASSETS.items():
        response = httpx.get(url.rstrip("/") + path)
        assert response.status_code == 200
        assert response.headers["content-type"].startswith(kind)
    page = Path(str(__import__("canao.apps.demo", fromlist=["x"]).__path__[0])) / "page"
    assert {file.name for file in page.iterdir()} == {name for name, _ in ASSETS.values()}
    for path in ("app.py", "../app.py", "%2e%2e/app.py", "..%2f..%2f__init__.py", "docs"):
        assert httpx.get(url + path).status_code == 404


@pytest.mark.parametrize("host", ["evil.example", "localhost.evil.example", "127.0.0.1.nip.io", ""])
def test_other_names_are_refused(url: str, host: str) -> None:
    assert httpx.get(f"{url}api/model", headers={"Host": host}).status_code == 400


@pytest.mark.parametrize("host", ["localhost:1", "127.0.0.1", "[::1]:8000"])
def test_names_of_loopback_are_not(url: str, host: str) -> None:
    assert httpx.get(f"{url}api/model", headers={"Host": host}).status_code == 200


def test_pages_of_others_may_not_ask(url: str) -> None:
    body = {"context": CONTEXT, "question": "Who?"}
    for origin in ("http://evil.example", "null", "http://127.0.0.1:1"):
        response = httpx.post(f"{url}api/answer", json=body, headers={"Origin": origin})
        assert response.status_code == 403
    own = httpx.post(f"{url}api/answer", json=body, headers={"Origin": url.rstrip("/")})
    assert own.status_code == 200


def test_many_clients_get_what_one_gets(url: str) -> None:
    asked = [{"context": CONTEXT, "question": f"Who is number {n}?"} for n in range(16)]
    keep: Callable[[httpx.Response], Any] = lambda response: {  # noqa: E731
        name: value for name, value in response.json().items() if name != "latency_ms"
    }
    alone = [keep(_answer(url, **body)) for body in asked]
    with ThreadPoolExecutor(16) as clients:
        together = list(clients.map(lambda body: keep(_answer(url, **body)), asked))
    assert together == alone


def test_facts_and_kernels(url: str, made_tasks: Tasks) -> None:
    facts = httpx.get(f"{url}api/model").json()
    for path, task in made_tasks.by_path.items():
        counts, told = task.model.program.counts, facts["models"][path]
        assert told["layers_before"] == counts.layers_before
        assert told["layers_after"] == counts.layers_after < counts.layers_before
        response = httpx.get(f"{url}api/model/{path}/kernels", timeout=120)
        assert response.status_code == 200, response.text
        times = response.json()
        assert {row["name"] for row in times["kernels"]} <= {
            kernel.name for kernel in task.model.program.kernels
        }
        assert sum(row["share"] for row in times["kernels"]) == pytest.approx(1)
    assert httpx.get(f"{url}api/model/else/kernels").status_code == 404


def test_full_queues_say_when_to_come_again(url: str, made_tasks: Tasks) -> None:
    rows = [
        (made_tasks.answering, 64, "answer", {"context": CONTEXT, "question": "Who?"}),
        (made_tasks.writing, 16, "generate", {"prompt": "The"}),
    ]
    for task, room, path, body in rows:
        assert task is not None
        with occupied(task, room):
            response = httpx.post(f"{url}api/{path}", json=body)
            assert response.status_code == 503
            assert int(response.headers["retry-after"]) >= 1
            assert "ask again" in response.json()["detail"]
        assert httpx.post(f"{url}api/{path}", json=body, timeout=60).status_code == 200


def test_clients_that_leave_free_their_work(
    url: str, made_tasks: Tasks, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stream is held after its first pieces, so that it cannot end by itself."""
    task = made_tasks.writing
    assert task is not None
    gate, streams = threading.Event(), list[Any]()
    writer = task.by("canao")
    whole = writer.stream

    def held(*args: Any, **options: Any) -> Any:
        streams.append(whole(*args, **options))
        pieces = type(streams[0]).__next__
        monkeypatch.setattr(type(streams[0]), "__next__", lambda me: _third_waits(me, pieces, gate))
        return streams[0]

    monkeypatch.setattr(writer, "stream", held)
    body = {"prompt": "The", "max_new_tokens": 300}
    with httpx.stream("POST", f"{url}api/generate", json=body, timeout=60) as response:
        events = _events(response.iter_lines())
        assert [next(events)[0] for _ in range(2)] == ["piece", "piece"]
        assert task.queue.held == 1
    gate.set()
    _wait_until(lambda: task.queue.held == 0)
    times = streams[0].times
    assert times.ended == "closed"
    assert times.tokens < 300


def _third_waits(stream: Any, pieces: Callable[[Any], Any], gate: threading.Event) -> Any:
    if stream.times.tokens >= 2:
        assert gate.wait(60)
    return pieces(stream)


def _wait_until(holds: Callable[[], bool]) -> None:
    """For what another thread does soon; a minute later it is a failure."""
    pause = threading.Event()
    for _ in range(600):
        if holds():
            return
        pause.wait(0.1)
    raise AssertionError("it did not happen in a minute")
