"""A link over the first of several ports of one modem that reaches the card.

Many modems refuse APDUs on one of their ports, for example AT, and carry them on another, for example MBIM.
"""

from __future__ import annotations

import hashlib
import logging
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import replace

from lpad.base.errors import CardStatus, CardUnreachable
from lpad.base.expendable_file import ExpendableFile
from lpad.card.link.card_change_reports import CardReporting, was_answered
from lpad.card.link.link_facts import facts_of
from lpad.card.port.link_refused import LinkRefused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import Aid, Imei
    from lpad.card.link.link import Channel, Link
    from lpad.card.link.link_facts import LinkFacts
    from lpad.card.modem.modem_lent_by_link import LentModem

_log = logging.getLogger(__name__)

_T = TypeVar("_T")

_NOT_FOUND = "6A82"


class WorkingPort:
    """Remembers, in a small expendable file, which of a modem's ports reached the card."""

    def __init__(self, ports: Sequence[str], *, folder: Path | None) -> None:
        """Use the ports in the order of the settings.

        Args:
            folder: where to store the port; None: only in memory.
        """
        self._ports = tuple(ports)
        self.first = ports[0]
        digest = hashlib.sha256("\0".join(ports).encode()).hexdigest()[:16]
        self._file = ExpendableFile(None if folder is None else folder / f"{digest}.working", str)
        self._known: str | None = None
        self._doubted: str | None = None

    def doubt(self, port: str) -> None:
        """At the next opening, try this port last, because it was silent."""
        self._doubted = port

    def order(self) -> tuple[str, ...]:
        """Return the ports in the order in which to try them; a silent port is last, but only once."""
        if self._known is None:
            self._known = self._file.read()
        doubted, self._doubted = self._doubted, None
        return tuple(sorted(self._ports, key=lambda port: (port == doubted, port != self._known)))

    def keep(self, port: str) -> None:
        """Remember the port that reached the card; an unwritable folder only causes a warning."""
        self._known = port
        self._file.write(port)


class FallbackLink:
    """A link that changes its port only between two sessions, when it reads the IMEI or opens a channel."""

    def __init__(
        self, open_link: Callable[[str, Deadline], Link], working: WorkingPort, *, deadline: Deadline
    ) -> None:
        """Open the first port that can be opened.

        Args:
            open_link: opens the link over a port with a given name.
            working: the ports, with the one that worked last.

        Raises:
            CardError: no port can be opened; the error is that of the first port.
        """
        self._open_link = open_link
        self._working = working
        self._port = ""
        self._reached = False
        self._link: Link | None = None
        self._first(lambda _: None, deadline=deadline)

    @property
    def present(self) -> Link | None:
        """The link over the present port (see `ChangingPort`); None: the port is closed."""
        return self._link

    @property
    def block_size(self) -> int:
        """The size in bytes of the largest STORE DATA block that is known, or assumed, to pass."""
        return self._opened.block_size

    @block_size.setter
    def block_size(self, size: int) -> None:
        self._opened.block_size = size

    def describe(self) -> LinkFacts:
        """Return the description of the link over the present port."""
        first = self._port == self._working.first
        return replace(facts_of(self._link), fallback_port=None if first else self._port)

    def imei(self, *, deadline: Deadline) -> Imei | None:
        """Return the modem's IMEI; None if it is unknown (see `Device`)."""
        return self._first(lambda link: link.imei(deadline=deadline), deadline=deadline)

    def open_channel(self, aids: Sequence[Aid], *, deadline: Deadline) -> Channel:
        """Open a channel over the first port that carries it (see `Link`).

        A port that has carried a channel is kept even if the card then knows none of `aids`. If no port
        carries the channel, the error is that of the port that was tried first.
        """
        channel = self._first(lambda link: link.open_channel(aids, deadline=deadline), deadline=deadline)
        self._reached = True
        return channel

    @contextmanager
    def lend_modem(self, *, deadline: Deadline) -> Iterator[LentModem | None]:
        """Lend the modem over the present port (see `Link`)."""
        try:
            with self._opened.lend_modem(deadline=deadline) as lent:
                yield lent
        except CardUnreachable as error:
            if "modem_error" not in error.details:
                self._working.doubt(self._port)
            raise

    def close(self) -> None:
        """Release the port."""
        link, self._link = self._link, None
        if link is not None:
            link.close()

    @property
    def _opened(self) -> Link:
        if self._link is None:
            raise CardUnreachable(f"the port {self._port} is closed; try again")
        return self._link

    def _first(self, act: Callable[[Link], _T], *, deadline: Deadline) -> _T:
        """Return the result of `act` over the present port, or else over the first port that succeeds.

        If every port fails, lpad keeps a port open over which the modem has answered and can report on its
        card.
        """
        listening: tuple[Link | None, str] | None = None
        order = sorted(self._working.order(), key=lambda port: port != self._port)
        failed: CardUnreachable | CardStatus | None = None
        with ExitStack() as aside:
            for port in order:
                if failed is not None and deadline.passed:
                    break
                try:
                    if self._link is None or port != self._port:
                        self.close()
                        self._reached = False
                        self._link, self._port = self._open_link(port, deadline), port
                    result = act(self._link)
                except (CardUnreachable, CardStatus) as error:
                    missing = error.details.get("sw") == _NOT_FOUND and not self._reached
                    if isinstance(error, CardStatus) and not missing:
                        raise
                    failed = failed or error
                    reporting: object = self._link
                    if (
                        listening is None
                        and was_answered(error)
                        and self._link is not None
                        and isinstance(reporting, CardReporting)
                        and reporting.reports_card
                    ):
                        aside.callback(self._link.close)
                        listening, self._link = (self._link, port), None
                    continue
                if failed is not None:
                    _log.warning("%s; lpad uses %s instead", failed, port)
                    if isinstance(failed, LinkRefused | CardStatus):  # a silent port may answer next time
                        self._working.keep(port)
                return result
            self.close()
            aside.pop_all()
        self._link, self._port = listening or (None, order[0])
        assert failed is not None
        raise failed
