"""The protocol between the service manager and the daemon, with a socket in the manager's place."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from contextlib import closing
from typing import TYPE_CHECKING

from lpad.daemon import systemd

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_messages_reach_the_manager(tmp_path: Path) -> None:
    """A message to the service manager arrives as one datagram."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(tmp_path / "notify"))
        assert systemd.notify("READY=1", environment={"NOTIFY_SOCKET": str(tmp_path / "notify")})
        assert manager.recv(100) == b"READY=1"


def test_abstract_addresses_are_understood() -> None:
    """A socket's name that begins with @ is understood as one in the abstract namespace."""
    name = f"lpad-test-{os.getpid()}"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name}")
        assert systemd.notify("STOPPING=1", environment={"NOTIFY_SOCKET": f"@{name}"})
        assert manager.recv(100) == b"STOPPING=1"


def test_without_a_manager_nothing_happens(tmp_path: Path) -> None:
    """A daemon without a manager, or whose manager is gone, sends no notification and continues."""
    assert not systemd.notify("READY=1", environment={})
    assert not systemd.notify("READY=1", environment={"NOTIFY_SOCKET": str(tmp_path / "gone")})


def test_a_message_to_a_full_queue_is_dropped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A message that does not fit into the queue is dropped after a moment."""
    monkeypatch.setattr(systemd, "PATIENCE", 0.05)
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as manager:
        manager.bind(str(tmp_path / "notify"))
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        sent = 0
        while sent < 100_000 and systemd.notify("WATCHDOG=1", environment=environment):
            sent += 1
        assert 0 < sent < 100_000


def test_the_watchdog_interval_is_half_the_limit() -> None:
    """The watchdog's interval is half of the limit; without a manager, or for another process, it is None."""
    pid = str(os.getpid())
    environment = {"WATCHDOG_USEC": "180000000", "WATCHDOG_PID": pid}
    assert systemd.watchdog_interval(environment=environment) == 90.0
    assert systemd.watchdog_interval(environment={**environment, "WATCHDOG_PID": "1"}) is None
    assert systemd.watchdog_interval(environment={"WATCHDOG_USEC": "0"}) is None
    assert systemd.watchdog_interval(environment={"WATCHDOG_USEC": "x"}) is None
    assert systemd.watchdog_interval(environment={}) is None


INHERITOR = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ["LISTEN_PID"] = str(os.getpid())
from lpad.daemon import systemd
found = systemd.inherited_sockets()
print([each.getsockname() for each in found], [os.get_inheritable(each.fileno()) for each in found])
"""


def test_sockets_are_inherited(tmp_path: Path) -> None:
    """Listening sockets of the manager are taken over, and not passed on to children."""
    path = str(tmp_path / "lpad.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        number = listener.fileno()
        found = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", INHERITOR, str(number)],
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "LISTEN_FDS": "1"},
            pass_fds=[number],
        )
    assert found.stdout.strip() == f"['{path}'] [False]"


def test_sockets_of_another_process_are_left_alone() -> None:
    """Variables that systemd meant for the parent process are ignored."""
    assert systemd.inherited_sockets(environment={"LISTEN_FDS": "1", "LISTEN_PID": "1"}) == []
    assert systemd.inherited_sockets(environment={}) == []
