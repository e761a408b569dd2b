"""The listening socket: its permissions, earlier files at its path, and the server behind it."""

from __future__ import annotations

import socket
import stat
from contextlib import ExitStack, closing, suppress
from typing import TYPE_CHECKING

import pytest

from lpad.api.server.server import listen
from lpad.base.errors import Conflict, InvalidSettings

if TYPE_CHECKING:
    from pathlib import Path

    from api.gateway import Gateway


def test_only_owner_and_group_may_connect(tmp_path: Path) -> None:
    """By default, only the socket's owner and group may connect."""
    with listen(tmp_path / "lpad.sock"):
        assert stat.S_IMODE((tmp_path / "lpad.sock").stat().st_mode) == 0o660


def test_a_folder_is_made(tmp_path: Path) -> None:
    """If the socket's folder is missing, it is created."""
    listen(tmp_path / "run" / "lpad" / "lpad.sock").close()
    assert (tmp_path / "run" / "lpad" / "lpad.sock").exists()


def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    """A socket that a killed daemon has left behind is replaced."""
    path = tmp_path / "lpad.sock"
    listen(path).close()
    with listen(path), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))


def test_a_live_socket_is_not_taken(tmp_path: Path) -> None:
    """A second daemon reports that the first one answers on the socket; the first one stays reachable."""
    path = tmp_path / "lpad.sock"
    with listen(path):
        with pytest.raises(Conflict, match="another process"):
            listen(path)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(path))


def test_a_live_socket_whose_queue_is_full_is_not_taken(tmp_path: Path) -> None:
    """A process that listens but accepts no connection is reported immediately, and its socket stays."""
    path = tmp_path / "lpad.sock"
    with closing(socket.socket(socket.AF_UNIX)) as other, ExitStack() as waiting:
        other.bind(str(path))
        other.listen(0)
        for _ in range(9):
            client = waiting.enter_context(closing(socket.socket(socket.AF_UNIX)))
            client.setblocking(False)
            with suppress(BlockingIOError):
                client.connect(str(path))
        with pytest.raises(Conflict, match="another process listens"):
            listen(path)
        assert path.is_socket()


def test_something_else_at_the_path_stays(tmp_path: Path) -> None:
    """A file that is not a socket is not removed."""
    path = tmp_path / "lpad.sock"
    path.write_text("mine")
    with pytest.raises(InvalidSettings, match="not a socket"):
        listen(path)
    assert path.read_text() == "mine"


def test_a_path_too_long_for_a_socket(tmp_path: Path) -> None:
    """A socket path that is too long for the kernel is reported with the name of the setting."""
    with pytest.raises(InvalidSettings, match="'socket'"):
        listen(tmp_path / ("x" * 120))


def test_answers_carry_no_date_and_no_server_name(gateway: Gateway) -> None:
    """Answers have no Date header, for which the idle daemon would have to wake up each second."""
    headers = gateway.http.get("/v1/system").headers
    assert "date" not in headers
    assert "server" not in headers


def test_a_head_request_has_no_body(gateway: Gateway) -> None:
    """HEAD gets the same answer as GET, without the body."""
    response = gateway.http.head("/v1/system")
    assert (response.status_code, response.content) == (200, b"")
