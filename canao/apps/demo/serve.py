"""Serving the demo on loopback until it is told to stop."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import Any

from starlette.types import ASGIApp

from canao.errors import CanaoError

HOSTS = ("127.0.0.1", "localhost", "::1")
"""What the demo may be bound to."""
_BACKLOG = 128
_GRACE = 3
"""Seconds that streams have to end when the server stops."""


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
        self._server: Any = None

    @property
    def url(self) -> str:
        """Where the page is."""
        host, port, *_ = self._socket.getsockname()
        return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"

    def run(self, app: ASGIApp, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until a signal (Ctrl-C, SIGTERM) or `stop`; streams end, then queues."""
        import uvicorn

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
        self._server = uvicorn.Server(config)
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """End `run`, from any thread."""
        if self._server is not None:
            self._server.should_exit = True

    def close(self) -> None:
        """Give the port back, also where nothing was served."""
        self._socket.close()


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

        await app(scope, receive, sent)

    return told
