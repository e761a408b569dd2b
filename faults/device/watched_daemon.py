"""The daemon as a separate process: `lpad serve`, with its writes watched and its waits shortened.

The daemon's work is unchanged. Before the daemon starts, hooks are installed in SQLite's connections and
Python's file functions. The hooks report each write to the harness, so that the harness can cut there. The
pauses between attempts, minutes to hours in the field, are shortened to fractions of a second.
"""

from __future__ import annotations

import importlib
import json
import os
import socket
import sqlite3
import sys
from functools import partial
from pathlib import Path
from typing import Any

from msgspec.structs import force_setattr

from faults.device.watched_disk import Disk

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
UEVENTS = "uevents"
"""The socket in the device's folder to which the harness writes the kernel's reports about ports."""
_CODE = (
    "lpad.cli.lpad",
    "lpad.daemon.daemon",
    "lpad.settings",
    "lpad.api.server.server",
    "lpad.api.app",
    "uvicorn.server",
    "dbus_fast.aio",
)
_SOON = (0.3, 0.6, 1.0, 1.0, 1.0, 1.0, 1.0, 2.0, 5.0)


def watch(disk: Disk) -> None:
    """Report to `disk` each transaction, checkpoint, and file opened for writing, renamed or removed."""

    class Watched(sqlite3.Connection):
        def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
            word = sql.split(maxsplit=1)[0]
            if "checkpoint" in sql:
                word = "CHECKPOINT"
            if word in ("COMMIT", "CHECKPOINT", "BEGIN"):
                disk.write(f"before {word}")
            cursor = super().execute(sql, parameters)
            if word in ("COMMIT", "CHECKPOINT"):
                disk.write(f"after {word}")
            return cursor

    vars(sqlite3)["connect"] = partial(sqlite3.connect, factory=Watched)

    def heard(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, _, flags = args
            if isinstance(path, str | os.PathLike) and flags & _WRITING and disk.holds(os.fspath(path)):
                disk.write(f"open {Path(os.fspath(path)).name}")
        elif event in ("os.rename", "os.remove") and isinstance(args[0], str | os.PathLike):
            path = os.fspath(args[0])
            if isinstance(path, str) and disk.holds(path):
                disk.write(f"{event.removeprefix('os.')} {Path(path).name}")

    sys.addaudithook(heard)


def shorten() -> None:
    """Shorten the pauses between attempts."""
    from lpad.engine.change import overtaking_by_switch  # noqa: PLC0415 - after SQLite is watched
    from lpad.engine.journal import write_retry  # noqa: PLC0415 - after SQLite is watched
    from lpad.engine.operations import provision  # noqa: PLC0415 - after SQLite is watched
    from lpad.engine.outbox import delivery, outbox, owed_cancellations  # noqa: PLC0415 - after SQLite is watched
    from lpad.engine.provisioning import query_times  # noqa: PLC0415 - after SQLite is watched
    from lpad.engine.switch import condition_watch  # noqa: PLC0415 - after SQLite is watched
    from lpad.engine.unattended import rescue  # noqa: PLC0415 - after SQLite is watched
    from lpad.engine.worker import presence  # noqa: PLC0415 - after SQLite is watched
    from lpad.engine.worker.queue import awaiting_retry, retry_rules  # noqa: PLC0415 - after SQLite is watched

    overtaking_by_switch.QUIET = 1.0
    for backoff in (
        delivery.BACKOFF,
        query_times.BACKOFF,
        owed_cancellations.BACKOFF,
        rescue.BACKOFF,
        *retry_rules.BACKOFF.values(),
    ):
        force_setattr(backoff, "seconds", _SOON)
    retry_rules.LONGEST = max(_SOON)
    outbox.REST = awaiting_retry.REST = rescue.REST = outbox.SHORTEST_WAIT = 0.2
    presence.REOPENING = (0.2, 0.5, 1, 1, 1, 1)  # type: ignore[assignment]  # whole seconds in the field
    write_retry.EVERY = provision.UNWRITTEN = 0.5
    condition_watch.STEADY = condition_watch.FIRST_PAUSE = 0.3
    condition_watch.LONGEST_PAUSE = 1.0
    # A daemon that starts after the guard's limit checks the conditions once more; the harness
    # waits at most a minute for the result.
    condition_watch.LAST_LOOK = 5.0
    vars(query_times)["wait"] = lambda looks, **_least: query_times.BACKOFF.after(looks)
    vars(condition_watch)["ASKED_AGAIN"] = 1.0


def hear_of_ports(folder: Path) -> None:
    """Receive reports about ports from the harness, because the kernel does not report on ptys."""
    from lpad.card.port.hotplug import PortWatch  # noqa: PLC0415 - after SQLite is watched

    def uevents() -> socket.socket:
        (folder / UEVENTS).unlink(missing_ok=True)
        told = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        told.bind(str(folder / UEVENTS))
        return told

    defaults = PortWatch.__init__.__kwdefaults__
    assert defaults is not None, "`uevents` has a default"
    defaults["uevents"] = uevents


def load() -> None:
    """Load a daemon's code without starting anything."""
    for name in _CODE:
        importlib.import_module(name)


def be(folder: Path, settings: str, notify: str, bus: str) -> None:
    """Run the daemon of the device in `folder`."""
    log = os.open(folder / "log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDWR)
    for fd, place in ((nothing, 0), (nothing, 1), (log, 2)):
        os.dup2(fd, place)
    os.environ["NOTIFY_SOCKET"] = notify
    if bus:
        os.environ["DBUS_SYSTEM_BUS_ADDRESS"] = bus
    watch(Disk(folder))
    hear_of_ports(folder)
    shorten()
    sys.argv = ["lpad", "serve", "--config", settings]
    importlib.import_module("lpad.cli.lpad").main()


def main() -> None:
    """Fork a daemon for each line of standard input, and print its process ID.

    Each daemon is forked twice, so that the parent of this process adopts it.
    """
    load()
    for line in sys.stdin.buffer:
        wanted = json.loads(line)
        between = os.fork()
        if between:
            os.waitpid(between, 0)
            continue
        pid = os.fork()
        if pid:
            os.write(1, f"{pid}\n".encode())
            os._exit(0)
        be(Path(wanted["folder"]), wanted["settings"], wanted["notify"], wanted["bus"])
        sys.exit()


if __name__ == "__main__":
    main()
