"""Serving the demo on loopback until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import signal
import socket
from collections.abc import Callable
from types import FrameType
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from canao.errors import CanaoError

HOSTS = ("127.0.0.1", "localhost", "::1")
"""What the demo may be bound to."""
_BACKLOG = 128
_GRACE = 3
"""Seconds that responses have to end when the server stops."""


def _nothing() -> None:
    """The default of what is told."""


class Server:
    """A place on loopback, taken at once, and what is served there later.

    Models take their time to compile: that the port is taken shows before.
    """

    def __init__(self, host: str, port: int) -> None:
        if host not in HOSTS:
            raise CanaoError(
                f"the demo serves this machine only, not {host}; give one of {', '.join(HOSTS)}"
            )
        self._socket = _bound(host, port)
        self._server: _Stoppable | None = None

    @property
    def url(self) -> str:
        """Where the page is."""
        host, port, *_ = self._socket.getsockname()
        return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    def run(
        self,
        app: ASGIApp,
        ready: Callable[[], None] = _nothing,
        stopping: Callable[[], None] = _nothing,
    ) -> None:
        """Serve until a signal (Ctrl-C, SIGTERM) or `stop`, then return.

        `ready` is called when requests are taken, `stopping` when no more are: responses under
        way should end then, and are cut off a few seconds later. Both in the event loop's thread.
        """
        config = uvicorn.Config(
            _telling(app, ready),
            http="h11",
            ws="none",
            lifespan="on",
            log_level="warning",
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=_GRACE,
        )
        self._server = _Stoppable(config, stopping)
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """End `run`, from any thread."""
        if self._server is not None:
            self._server.should_exit = True

    def close(self) -> None:
        """Give the port back, also where nothing was served."""
        self._socket.close()


class _Stoppable(uvicorn.Server):
    """A server that tells when it stops, and for which a signal is how it ends, no failure."""

    def __init__(self, config: uvicorn.Config, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._stopping = stopping

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Stop; a second Ctrl-C waits for nothing. The signal is not raised again afterwards."""
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let responses end, then wait for them."""
        self._stopping()
        await super().shutdown(sockets)


def _bound(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    made = socket.socket(family, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(_BACKLOG)
    except OSError as error:
        made.close()
        taken = error.errno == errno.EADDRINUSE
        why = "is taken by another program" if taken else f"cannot be used: {error.strerror}"
        raise CanaoError(f"port {port} of {host} {why}; give another as --port") from error
    return made


def _telling(app: ASGIApp, ready: Callable[[], None]) -> ASGIApp:
    """The application, which tells when its lifespan has begun."""

    async def told(scope: Any, receive: Any, send: Any) -> None:
        async def sent(message: Any) -> None:
            await send(message)
            if message["type"] == "lifespan.startup.complete":
                ready()

        # What is cut off when the server stops is logged by its number, without a traceback each.
        with contextlib.suppress(asyncio.CancelledError):
            await app(scope, receive, sent)

    return told
