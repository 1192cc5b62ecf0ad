"""Told to stop in the middle of its work, the server ends soon, and says so to all who wait."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from canao.apps.demo.schemas import AnswerRequest
from canao.apps.demo.serve import Server
from canao.apps.demo.tasks import Task, answer_to
from canao.apps.demo.work_queue import StoppingError, WorkQueue
from canao.apps.question_answerer import QuestionAnswerer

_STREAMS = 16
"""Four are written at once, the others wait."""
_LIMIT = 30
"""Seconds until the process must be gone; what it takes is mostly PyTorch's own end."""


@contextmanager
def _command(model: Path, errors: Path) -> Generator[tuple[subprocess.Popen[str], str]]:
    """`canao demo` in a session of its own, and where it serves."""
    command = [sys.executable, "-m", "canao.cli", "demo", "--only", "generate", "--model", model]
    with errors.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(
            [*map(str, command), "--port", "0", "--tune", "off", "--threads", "1"],
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
            start_new_session=True,
        )
    try:
        assert process.stdout is not None
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None, errors.read_text(encoding="utf-8")
        yield process, found[0]
    finally:
        process.kill()
        process.communicate()


def _last_event(url: str, begun: threading.Semaphore) -> dict[str, Any]:
    """What a long text, by PyTorch because that takes longer, ends with."""
    body = {"prompt": "The", "max_new_tokens": 380, "backend": "pytorch"}
    last = ""
    with httpx.stream("POST", f"{url}api/generate", json=body, timeout=120) as response:
        assert response.status_code == 200
        begun.release()
        for line in response.iter_lines():
            last = line.removeprefix("data: ") or last
    return json.loads(last)


def _of_session(leader: int) -> list[int]:
    found: list[int] = []
    for pid in psutil.pids():
        try:
            if os.getsid(pid) == leader:
                found.append(pid)
        except ProcessLookupError:
            continue
    return found


@pytest.mark.parametrize("told", [signal.SIGTERM, signal.SIGINT], ids=lambda told: told.name)
def test_signals_end_streams(folders: tuple[Path, Path], tmp_path: Path, told: int) -> None:
    begun = threading.Semaphore(0)
    with (
        _command(folders[1], tmp_path / "errors") as (process, url),
        ThreadPoolExecutor(_STREAMS) as clients,
    ):
        asked = [clients.submit(_last_event, url, begun) for _ in range(_STREAMS)]
        for _ in range(_STREAMS):
            assert begun.acquire(timeout=60)
        process.send_signal(told)
        assert process.wait(_LIMIT) == 0
        ends = [stream.result(_LIMIT) for stream in asked]
        assert _of_session(process.pid) == []
    said = (tmp_path / "errors").read_text(encoding="utf-8")
    assert "Traceback" not in said
    assert "ERROR" not in said
    stopped = [end for end in ends if "is stopping" in end.get("detail", "")]
    assert len(stopped) >= _STREAMS - 4
    assert all(end["ended"] == "length" for end in ends if end not in stopped)


def test_requests_that_never_end_are_cut_off(capfd: pytest.CaptureFixture[str]) -> None:
    """A client that sends half of a body holds up the end for a few seconds, and no more."""
    served, entered = threading.Event(), threading.Event()

    async def waits(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            entered.set()
        for name in ("startup", "shutdown"):
            while (await receive())["type"] != f"lifespan.{name}":
                pass
            await send({"type": f"lifespan.{name}.complete"})

    server = Server("127.0.0.1", 0)
    thread = threading.Thread(target=server.run, args=(waits, served.set))
    thread.start()
    assert served.wait(60)
    url = httpx.URL(server.url)
    with socket.create_connection((url.host, url.port or 0)) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\nhalf")
        assert entered.wait(60)
        server.stop()
        thread.join(_LIMIT)
    assert not thread.is_alive()
    assert "Traceback" not in capfd.readouterr().err


def test_stopped_queues_wait_for_nothing() -> None:
    queue, gate = WorkQueue("test", workers=1, waiting=1), threading.Event()

    async def stop() -> None:
        asked = [asyncio.ensure_future(queue.run(gate.wait)) for _ in range(2)]
        await asyncio.sleep(0)
        assert not queue.stopping
        queue.stop()
        for one in asked:
            with pytest.raises(StoppingError, match="is stopping"):
                await one
        with pytest.raises(StoppingError):
            await queue.run(gate.wait)

    asyncio.run(stop())
    assert queue.stopping
    gate.set()
    queue.close()
    assert queue.held == 0


def test_long_texts_are_not_read_to_their_end(folders: tuple[Path, Path]) -> None:
    answerer = QuestionAnswerer(folders[0], batch=1, backend="pytorch", threads=1)
    queue = WorkQueue("test", workers=1, waiting=0)
    task = Task("reader", answerer, lambda: answerer, queue, {})
    asked = AnswerRequest(context="the quick brown fox " * 100, question="Who?")
    assert answer_to(asked, task).windows > 1

    async def stop() -> None:
        queue.stop()

    asyncio.run(stop())
    with pytest.raises(StoppingError):
        answer_to(asked, task)
