"""A simulated server in the foreground: the options of all such servers, and the run until Ctrl-C."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

import click

from lpad.base.errors import Conflict, InvalidValue
from lpad.cli.simulated.stop_signals import stop_on_signals

if TYPE_CHECKING:
    from collections.abc import Iterator

PORT = click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    help="TCP port.  [default: a free port]",
)


class Server(Protocol):
    """The methods of a simulated server that `served` needs."""

    def start(self) -> None:
        """Listen, and answer requests in a thread."""

    def stop(self) -> None:
        """Stop the server."""


@contextmanager
def served(server: Server, *, bind: str, port: int) -> Iterator[None]:
    """Start a server, wait for Ctrl-C after the caller has printed its address, and stop the server.

    Args:
        server: the server.
        bind: the IPv4 address at which the server listens.
        port: the TCP port at which the server listens; 0: a free port.

    Raises:
        InvalidValue: this user may not listen on the port.
        Conflict: the server cannot listen at this address and port, for example because the port is taken.
    """
    stop = stop_on_signals()
    try:
        server.start()
    except PermissionError as error:
        raise InvalidValue(
            f"this user may not listen on port {port} ({error}); choose a port above 1023"
        ) from error
    except OSError as error:
        raise Conflict(
            f"cannot listen on {bind}, port {port} ({error}); choose another address or port"
        ) from error
    try:
        yield
        stop.wait()
    finally:
        server.stop()
