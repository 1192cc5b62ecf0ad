"""Events of a worker thread, sent to a client as they come (server-sent events)."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import AsyncGenerator, Callable, Generator, Mapping
from concurrent.futures import Future
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

from fastapi.sse import EventSourceResponse, format_sse_event
from starlette.types import Receive, Scope, Send

from canao.apps.demo.work_queue import StoppingError, WorkQueue
from canao.errors import CanaoError

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Event:
    """One event: its name, and its data as JSON."""

    name: str
    data: Mapping[str, Any]

    def encoded(self) -> bytes:
        """As bytes of an event stream."""
        return format_sse_event(event=self.name, data_str=json.dumps(self.data))


Events = Generator[Event, None, None]


class EventStream(EventSourceResponse):
    """The events that a generator gives on a thread of a queue.

    The generator is closed after the event under way when the client has left or the server
    stops. What it raises is an event too, `error`, because the response has begun by then.
    `BusyError` and `StoppingError` are those of `WorkQueue.submit`.
    """

    def __init__(self, queue: WorkQueue, events: Callable[[], Events]) -> None:
        self._make = events
        self._queue = queue
        self._loop = asyncio.get_running_loop()
        self._come: asyncio.Queue[Event | None] = asyncio.Queue()
        self._left = threading.Event()
        self._work = queue.submit(self._produce)
        self._work.add_done_callback(self._dropped)
        super().__init__(self._sent(), headers={"Cache-Control": "no-store"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        # Cancelled, or with an error, when the client leaves, which may be before the first event.
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._left.set()
            self._work.cancel()

    async def _sent(self) -> AsyncGenerator[bytes]:
        while (event := await self._come.get()) is not None:
            yield event.encoded()

    def _produce(self) -> None:
        try:
            with closing(self._make()) as events:
                for event in events:
                    if self._left.is_set():
                        return
                    if self._queue.stopping:
                        raise StoppingError
                    self._tell(event)
        except (CanaoError, StoppingError) as error:
            self._tell(Event("error", {"detail": str(error)}))
        except Exception:
            _log.exception("a stream failed")
            self._tell(Event("error", {"detail": "the server failed; its terminal says why"}))
        finally:
            self._tell(None)

    def _dropped(self, work: Future[None]) -> None:
        """Ends a stream whose turn never came."""
        if work.cancelled():
            self._tell(Event("error", {"detail": str(StoppingError())}))
            self._tell(None)

    def _tell(self, event: Event | None) -> None:
        # A loop that was closed has nobody left who listens.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._come.put_nowait, event)
