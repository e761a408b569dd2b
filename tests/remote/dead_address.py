"""Addresses on loopback that take no connection and refuse none, as those behind which packets vanish."""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

from lpad.base.deadline import Deadline

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def swallowing(host: str, port: int = 0) -> Iterator[int]:
    """Listen and never accept: once the queue is full, the kernel drops whatever else would connect."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket(family))
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(0)
        deadline = Deadline.after(30)
        while True:
            filler = stack.enter_context(socket.socket(family))
            filler.settimeout(0.2)
            try:
                filler.connect(listener.getsockname())
            except TimeoutError:
                break
            assert not deadline.passed
        yield listener.getsockname()[1]


@contextmanager
def mute(host: str, port: int = 0) -> Iterator[int]:
    """Take each connection, and never say anything."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=64) as listener:
        yield listener.getsockname()[1]
