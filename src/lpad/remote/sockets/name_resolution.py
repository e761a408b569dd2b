"""The addresses of a name, as they arrive: the system's resolver accepts no deadline, and is sometimes slow.

Each query runs in its own thread, which cannot be stopped. A second query for the same name, port and kind of
address waits for the first one's answer. So a silent name server costs at most three threads per name and
port, and a late answer serves the next query.
"""

from __future__ import annotations

import socket
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from lpad.remote.sockets.wakeup import Bell

if TYPE_CHECKING:
    from collections.abc import Sequence

ALONE = 1.0
"""Seconds for the query for all kinds of addresses. After that each kind is queried separately, because many
name servers never answer queries for IPv6 addresses, and the resolver then withholds the IPv4 addresses."""
SLOW = 1.0
"""An answer that took longer than this number of seconds is kept, so that the next attempt can use its time
for the connection."""
KEPT = 60.0
"""Seconds for which a slow answer is kept."""
_MOST = 32
"""The maximum number of addresses of one name."""


class Address(NamedTuple):
    """One address of a name, as returned by `socket.getaddrinfo`."""

    family: int
    kind: int
    protocol: int
    name: str
    to: Any


class _Question:
    """One query to the resolver, and its answer."""

    def __init__(self, host: str, port: int, family: int) -> None:
        self.found: Sequence[Address] = ()
        self.error: OSError | None = None
        self.asked_at = self.done_at = time.monotonic()
        self.done = False
        self.bells: set[Bell] = set()
        self._where = (host, port, family)
        threading.Thread(target=self._ask, name=f"resolve {host}", daemon=True).start()

    @property
    def worth_keeping(self) -> bool:
        """Whether the answer took long, and is still fresh."""
        slow = self.done_at - self.asked_at > SLOW
        return bool(self.found) and slow and time.monotonic() - self.done_at < KEPT

    def _ask(self) -> None:
        host, port, family = self._where
        try:
            found = socket.getaddrinfo(host, port, family=family, type=socket.SOCK_STREAM)
            self.found = [Address(*each) for each in found[:_MOST]]
        except (OSError, UnicodeError) as error:
            self.error = error if isinstance(error, OSError) else OSError(0, "impossible name")
        with _LOCK:
            self.done, self.done_at = True, time.monotonic()
            for bell in self.bells:
                bell.ring()


_LOCK = threading.Lock()
_questions: dict[tuple[str, int, int], _Question] = {}


def _question(host: str, port: int, family: int, bell: Bell) -> _Question:
    with _LOCK:
        for key in [key for key, each in _questions.items() if each.done and not each.worth_keeping]:
            del _questions[key]
        question = _questions.get((host, port, family))
        if question is None:
            question = _questions[host, port, family] = _Question(host, port, family)
        question.bells.add(bell)
        return question


def forget(host: str, port: int) -> None:
    """Forget the addresses of a name, because none is reachable; the next attempt looks the name up again."""
    with _LOCK:
        for key in [key for key, each in _questions.items() if each.done and key[:2] == (host, port)]:
            del _questions[key]


class Resolution:
    """The addresses of one name while they are looked up; `bell` rings when there are new addresses."""

    def __init__(self, host: str, port: int) -> None:
        """Begin to look up the name."""
        self.bell = Bell()
        self._host = host
        self._port = port
        self._apart_at = time.monotonic() + ALONE
        self._taken: set[Any] = set()
        self._questions = [_question(host, port, socket.AF_UNSPEC, self.bell)]

    def take(self) -> list[Address]:
        """Return the addresses that have been found since the previous call.

        Raises:
            OSError: the name has no address; the message is the resolver's.
        """
        self.bell.silence()
        if len(self._questions) == 1 and not self._questions[0].done and time.monotonic() >= self._apart_at:
            self._questions += [
                _question(self._host, self._port, family, self.bell)
                for family in (socket.AF_INET6, socket.AF_INET)
            ]
        finished = self.finished  # before `done`, because an answer may arrive in between
        done = [each for each in self._questions if each.done]
        new = [each for question in done for each in question.found if each.to not in self._taken]
        self._taken.update(each.to for each in new)
        if not self._taken and finished:
            raise next(each.error for each in done if each.error is not None)
        return list(dict.fromkeys(new))

    @property
    def finished(self) -> bool:
        """Whether no further answer is awaited."""
        first = self._questions[0]
        return (first.done and bool(first.found)) or all(each.done for each in self._questions)

    @property
    def again_at(self) -> float | None:
        """The monotonic time at which to call `take` even without the bell; None if no time is set."""
        return self._apart_at if len(self._questions) == 1 and not self.finished else None

    def close(self) -> None:
        """Stop accepting addresses; unfinished queries continue until they are answered."""
        with _LOCK:
            for each in self._questions:
                each.bells.discard(self.bell)
        self.bell.close()
