"""The server below the API: HTTP/1.1 on Unix sockets. Only this module and `connection` use uvicorn.

uvicorn checks ten times a second whether it should stop. An idle daemon on a battery must not wake up for
such checks, so this server waits for an event instead.
"""

from __future__ import annotations

import asyncio
import errno
import os
import signal
import socket
import stat
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import uvicorn

from lpad.api.server.connection import LARGEST_HEAD, MOST_IN_ALL, Connection
from lpad.base.errors import Conflict, InvalidSettings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from starlette.types import ASGIApp

GRACE = 3
"""Seconds within which unfinished answers must end when the daemon stops."""


class ApiServer(uvicorn.Server):
    """Serves an application until `stop`; between requests, only the heartbeat wakes the server up."""

    def __init__(
        self,
        app: ASGIApp,
        closing: asyncio.Event,
        *,
        on_listening: Callable[[], None] | None = None,
        on_hangup: Callable[[], None] | None = None,
        heartbeat: Callable[[], None] | None = None,
        interval: float | None = None,
    ) -> None:
        """Create the server; `serve` runs it.

        Args:
            closing: an event that is set when the server begins to stop; it ends streams and waits.
            on_listening: called once, when the server listens.
            on_hangup: called at each SIGHUP.
            heartbeat: called each `interval` seconds, for a watchdog.
            interval: seconds between heartbeats; None: no heartbeats, so the server sleeps until a request
                or a signal comes.
        """
        super().__init__(
            uvicorn.Config(
                app,
                http=Connection,
                h11_max_incomplete_event_size=LARGEST_HEAD,
                ws="none",
                loop="asyncio",
                lifespan="off",
                interface="asgi3",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,
                timeout_graceful_shutdown=GRACE,
            )
        )
        self._closing = closing
        self._on_listening = on_listening
        self._on_hangup = on_hangup or (lambda: None)
        self._heartbeat = heartbeat
        self._interval = interval
        self._loop: asyncio.AbstractEventLoop | None = None

    def stop(self) -> None:
        """Begin to stop; callable from any thread."""
        self.should_exit = True
        if self._loop is not None:
            with suppress(RuntimeError):  # the loop has ended already
                self._loop.call_soon_threadsafe(self._closing.set)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle SIGTERM, SIGINT and SIGHUP inside the block, if this is the main thread.

        uvicorn would raise the signal again at the end, which would kill the process.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        loop.add_signal_handler(signal.SIGHUP, self._on_hangup)
        try:
            yield
        finally:
            loop.remove_signal_handler(signal.SIGHUP)
            signal.signal(signal.SIGHUP, signal.SIG_IGN)  # by default SIGHUP ends a process
            for number in (signal.SIGTERM, signal.SIGINT):
                loop.remove_signal_handler(number)

    async def main_loop(self) -> None:
        """Report that the server listens, then wait for `stop`; call `heartbeat` at each interval."""
        self._loop = asyncio.get_running_loop()
        if self.should_exit:
            self._closing.set()
        elif self._on_listening is not None:
            self._on_listening()
        while not self._closing.is_set():
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._closing.wait()
            if self._heartbeat is not None and self._interval is not None:
                self._heartbeat()


def listen(path: Path, *, mode: int = 0o660, group: int | None = None) -> socket.socket:
    """Return a listening Unix socket at `path`; an old socket on which no process listens is replaced.

    Raises:
        InvalidSettings: lpad cannot create the folder or the socket, or `path` is a file but not a socket.
        Conflict: another process listens on `path`.
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        _clear(path)
        # The socket is inaccessible until chmod, so that no program can connect between bind and chmod.
        before = os.umask(0o177)
        try:
            listener.bind(str(path))
        finally:
            os.umask(before)
        if group is not None:
            os.chown(path, -1, group)
        path.chmod(mode)
        listener.listen(MOST_IN_ALL)
    except OSError as error:
        listener.close()
        raise InvalidSettings(
            f"cannot listen on {path}: {error.strerror or error}; choose another path with the setting"
            " 'socket'"
        ) from error
    except Conflict:
        listener.close()
        raise
    return listener


def _clear(path: Path) -> None:
    try:
        found = path.lstat()
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise OSError(errno.EEXIST, "a file that is not a socket is in the way")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC) as probe:
        probe.setblocking(False)  # the listening process may be stuck, with a full queue
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            path.unlink()
            return
        except BlockingIOError:
            pass  # only a running process can have a full queue
    raise Conflict(f"another process listens on {path}; stop it, or name another 'socket' in the settings")


def serve(server: ApiServer, sockets: Sequence[socket.socket]) -> None:
    """Serve until `stop` is called; closes the sockets."""
    server.run(sockets=list(sockets))
