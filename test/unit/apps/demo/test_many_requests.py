"""Many requests of many clients: no error, the same answers, and memory that does not grow."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import psutil
import pytest

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
_CONTEXT = "The quick brown fox jumps over the lazy dog, twice, and then goes home to sleep."
_CLIENTS = 16
_GROWTH = 24 * 2**20
"""Bytes that allocators may keep."""


def _asked(client: httpx.Client, url: str, number: int) -> dict[str, Any]:
    body = {"context": _CONTEXT, "question": f"Who is number {number % 20}?"}
    response = client.post(f"{url}api/answer", json=body)
    assert response.status_code == 200, response.text
    return {name: value for name, value in response.json().items() if name != "latency_ms"}


def test_sixteen_clients_and_flat_memory(url: str) -> None:
    with httpx.Client(timeout=120) as client, ThreadPoolExecutor(_CLIENTS) as clients:
        alone = [_asked(client, url, number) for number in range(20)]

        def ask(number: int) -> None:
            assert _asked(client, url, number) == alone[number % 20]

        list(clients.map(ask, range(200)))
        list(clients.map(ask, range(1000)))
        before = psutil.Process().memory_info().rss
        list(clients.map(ask, range(10_000)))
        assert psutil.Process().memory_info().rss - before < _GROWTH
