"""Queues have room for so many, and a place is free again when its call has ended or is dropped."""

from __future__ import annotations

import asyncio
import threading

import pytest

from canao.apps.demo.serve import Server
from canao.apps.demo.work_queue import BusyError, WorkQueue
from canao.errors import CanaoError


def test_places() -> None:
    queue, gate = WorkQueue("test", workers=1, waiting=1), threading.Event()
    runs, waits = queue.submit(gate.wait), queue.submit(lambda: 3)
    with pytest.raises(BusyError, match="ask again in 1 s"):
        queue.submit(lambda: 4)
    assert waits.cancel()
    assert queue.held == 1
    again = queue.submit(lambda: 5)
    gate.set()
    assert runs.result(60)
    assert again.result(60) == 5
    queue.close()
    assert queue.held == 0


def test_whoever_stops_waiting_leaves_the_line() -> None:
    queue, gate = WorkQueue("test", workers=1, waiting=1), threading.Event()

    async def leave() -> None:
        runs = queue.submit(gate.wait)
        waiting = asyncio.ensure_future(queue.run(lambda: 3))
        await asyncio.sleep(0)
        assert queue.held == 2
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
        await asyncio.sleep(0)
        assert queue.held == 1
        gate.set()
        runs.result(60)

    asyncio.run(leave())
    queue.close()


def test_errors_come_back() -> None:
    queue = WorkQueue("test", workers=1, waiting=0)

    def fails() -> None:
        raise CanaoError("no")

    with pytest.raises(CanaoError, match="no"):
        asyncio.run(queue.run(fails))
    queue.close()
    assert queue.held == 0


def test_only_loopback_is_served() -> None:
    for host in ("0.0.0.0", "example.com", "::"):
        with pytest.raises(CanaoError, match="this machine only"):
            Server(host, 0)


def test_ports_that_are_taken() -> None:
    first = Server("127.0.0.1", 0)
    port = int(first.url.rsplit(":", 1)[1].rstrip("/"))
    with pytest.raises(CanaoError, match="taken by another program"):
        Server("127.0.0.1", port)
    first.close()
    Server("127.0.0.1", port).close()
