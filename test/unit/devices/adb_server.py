"""A server of adb with one phone, for the real client: it speaks adb's smart-socket protocol.

What the client asks of a server is written in SERVICES.TXT and SYNC.TXT of adb's sources. The
phone is this machine: its shell is /bin/sh, its files are those here.
"""

from __future__ import annotations

import os
import socket
import socketserver
import struct
import subprocess
import threading
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

VERSION = 41
"""The version of the protocol that adb 29 and later ask for; for another one they would start a
server of their own."""
_STDOUT, _STDERR, _EXIT = 1, 2, 3


@dataclass
class Phone:
    """What a phone does, and what it was asked."""

    serial: str
    state: str = "device"
    room: int | None = None
    """Bytes that a file on it may have; no limit if None."""
    hangs_up: bool = False
    """Whether the connection breaks where a program begins to run."""
    old: bool = False
    """Whether it knows nothing of the second shell protocol, as before Android 7."""
    asked: list[str] = field(default_factory=list[str])


class AdbServer(socketserver.ThreadingTCPServer):
    """Listens on a port of the loopback."""

    allow_reuse_address = True
    daemon_threads = True

    def __init__(self, phone: Phone) -> None:
        super().__init__(("127.0.0.1", 0), _Conversation)
        self.phone = phone
        self.turn = threading.Lock()

    @property
    def port(self) -> int:
        port: int = self.socket.getsockname()[1]
        return port


@contextmanager
def adb_server(phone: Phone) -> Generator[AdbServer]:
    """A server that answers until the end."""
    with AdbServer(phone) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


class _Conversation(socketserver.BaseRequestHandler):
    request: socket.socket

    @property
    def listener(self) -> AdbServer:
        assert isinstance(self.server, AdbServer)
        return self.server

    @property
    def phone(self) -> Phone:
        return self.listener.phone

    def handle(self) -> None:
        with suppress(ConnectionError, EOFError):
            while self._answer(self._service()):
                pass

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            part = self.request.recv(count - len(data))
            if not part:
                raise EOFError
            data += part
        return data

    def _service(self) -> str:
        """A service is asked for by its length in four hexadecimal digits, then its name."""
        name = self._read(int(self._read(4), 16)).decode()
        self.phone.asked.append(name)
        return name

    def _okay(self, text: str | None = None) -> None:
        told = b"" if text is None else f"{len(text):04x}{text}".encode()
        self.request.sendall(b"OKAY" + told)

    def _fail(self, text: str) -> bool:
        self.request.sendall(f"FAIL{len(text):04x}{text}".encode())
        return False

    def _answer(self, service: str) -> bool:
        """Whether the client may ask for more on this connection."""
        phone = self.phone
        features = "" if phone.old else "shell_v2"
        if service == "host:version":
            self._okay(f"{VERSION:04x}")
        elif service == "host:devices-l":
            self._okay(f"{phone.serial}\t{phone.state} model:Test_Phone device:test\n")
        elif service in ("host:features", "host:host-features"):
            self._okay(features)
        elif service.startswith(("host:tport:", "host:transport:", "host-serial:")):
            return self._choose(service, features)
        elif service.startswith("shell"):
            self._shell(service)
        elif service == "sync:":
            self._okay()
            self._sync()
        else:
            return self._fail(f"unknown service {service}")
        return False

    def _choose(self, service: str, features: str) -> bool:
        phone = self.phone
        serial = service.removeprefix("host:tport:serial:").removeprefix("host:transport:")
        serial = serial.removeprefix("host-serial:").removesuffix(":features")
        if serial != phone.serial:
            return self._fail(f"device '{serial}' not found")
        if phone.state == "unauthorized":
            return self._fail(
                "device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set\nTry "
                "'adb kill-server' if that seems wrong.\nOtherwise check for a confirmation dialog "
                "on your device."
            )
        if phone.state != "device":
            return self._fail(f"device {phone.state}")
        if service.startswith("host-serial:"):
            self._okay(features)
            return False
        self._okay()
        if service.startswith("host:tport:"):
            self.request.sendall(struct.pack("<Q", 1))
        return True

    # ------------------------------------------------------------------ shells

    def _shell(self, service: str) -> None:
        kind, _, script = service.partition(":")
        self._okay()
        if self.phone.hangs_up and "program=$!" in script:
            return
        second = kind.startswith("shell,v2")
        child = subprocess.Popen(
            ["/bin/sh", "-c", script],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if second else subprocess.STDOUT,
        )
        streams = {_STDOUT: child.stdout, _STDERR: child.stderr}
        with ThreadPoolExecutor(2) as pool:
            for stream, pipe in streams.items():
                if pipe is not None:
                    pool.submit(self._pass_on, stream if second else 0, pipe)
        if second:
            self._packet(_EXIT, bytes([child.wait() & 0xFF]))

    def _pass_on(self, stream: int, pipe: IO[bytes]) -> None:
        """Hand on what a program writes; its pipe breaks where the client is gone."""
        with pipe, suppress(OSError):
            while data := os.read(pipe.fileno(), 1 << 12):
                self._packet(stream, data)

    def _packet(self, stream: int, data: bytes) -> None:
        """A part of a stream: as it is before there were packets."""
        head = struct.pack("<BI", stream, len(data)) if stream else b""
        with self.listener.turn:
            self.request.sendall(head + data)

    # ------------------------------------------------------------------ files

    def _sync(self) -> None:
        """Requests have a name of four letters, a length, and that many bytes."""
        while True:
            kind, length = struct.unpack("<4sI", self._read(8))
            if kind == b"QUIT":
                return
            path = self._read(length).decode()
            self.phone.asked.append(f"{kind.decode()} {path}")
            {b"STAT": self._stat, b"SEND": self._send, b"RECV": self._receive}[kind](path)

    def _stat(self, path: str) -> None:
        facts = (0, 0, 0)
        with suppress(OSError):
            found = Path(path).stat()
            facts = (found.st_mode, found.st_size, int(found.st_mtime))
        self.request.sendall(struct.pack("<4s3I", b"STAT", *facts))

    def _send(self, target: str) -> None:
        path, _, mode = target.rpartition(",")
        data = b""
        while True:
            kind, length = struct.unpack("<4sI", self._read(8))
            if kind == b"DONE":
                break
            data += self._read(length)
        if self.phone.room is not None and len(data) > self.phone.room:
            self._sync_fail("couldn't write: No space left on device")
            return
        try:
            Path(path).write_bytes(data)
            Path(path).chmod(int(mode) & 0o777)
        except OSError as error:
            self._sync_fail(f"couldn't create file: {error.strerror}")
            return
        self.request.sendall(struct.pack("<4sI", b"OKAY", 0))

    def _receive(self, path: str) -> None:
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            self._sync_fail(f"open failed: {error.strerror}")
            return
        for start in range(0, len(data), 1 << 16):
            part = data[start : start + (1 << 16)]
            self.request.sendall(struct.pack("<4sI", b"DATA", len(part)) + part)
        self.request.sendall(struct.pack("<4sI", b"DONE", 0))

    def _sync_fail(self, text: str) -> None:
        self.request.sendall(struct.pack("<4sI", b"FAIL", len(text)) + text.encode())
