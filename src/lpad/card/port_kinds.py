"""The kinds of port behind which a card may be: an AT, MBIM or QMI port of a modem, and a PC/SC reader.

Each kind defines how its link is opened, watched and returned, so no other code depends on the kind.
"""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from msgspec import field

from lpad.base.frozen import Frozen
from lpad.card.at.at_link import open_at_link
from lpad.card.at.at_modem import AtModem
from lpad.card.modem.at_port import AtPort
from lpad.card.modem.serial_line_speed import LineSpeed
from lpad.card.port.lasting_names import PortNames
from lpad.card.port.modem_manager_loan import PortLoan
from lpad.card.port.port_protocol import PortProtocol, protocol_of
from lpad.card.port.serial_line import SerialLine
from lpad.card.port_handback import PortReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from lpad.base.deadline import Deadline
    from lpad.card.at.at_link import OpenLine
    from lpad.card.link.link import Link
    from lpad.card.link.remembered_links import LinkMemory
    from lpad.card.port.hotplug import PortWatch

    Watch = Callable[[Callable[[bool], None]], Callable[[], None]]
    """Reports, from another thread, whether the port exists; returns a function that ends the reports."""

LINKS = "links"
"""The folder in the state folder with the remembered modems and ports."""


class Way(Frozen):
    """The functions that open the link over a port, watch the port and give the port back."""

    open_link: Callable[[Deadline], Link]
    watch: Watch
    loan: PortReturn | None = None
    """Restores the port's speed and gives the port back; None: the port is not given back."""

    def give_back(self) -> None:
        """Restore the line's speed and end the loan; called once the link is closed."""
        if self.loan is not None:
            self.loan.give_back()


class Port(Protocol):
    """The location of a card; equal ports reach the same card over the same link."""

    @property
    def name(self) -> str:
        """The port's name in errors."""

    @property
    def transport(self) -> str:
        """The name of the port in texts for users."""

    def way(self, *, memory: LinkMemory | None, folder: Path | None, watch: PortWatch) -> Way:
        """Return the functions to reach the card; nothing is opened."""


class ModemPort(Frozen, kw_only=True):
    """An AT, MBIM or QMI port of a modem: a device, and the modem's settings."""

    path: str
    fallbacks: tuple[str, ...] = ()
    """Other ports of the same modem, which lpad uses if `path` does not reach the card."""
    baud: int = 115200
    fast_baud: int | None = None
    """The speed of an AT port while lpad has the port open, if the modem offers this speed; None: `baud`."""
    speed_notes: Path | None = None
    """The folder with the note about a speed that has to be restored; None: the folder given to `way`."""
    quirks: Mapping[str, Any] = field(default_factory=dict)
    hold: float | None = 0
    """Seconds for which an idle port is kept from ModemManager; None: the port is not borrowed."""

    @property
    def name(self) -> str:
        """The port's name in errors."""
        return self.path

    @property
    def transport(self) -> str:
        """The name of the port in texts for users."""
        protocol = protocol_of(self.path)
        return f"{'' if protocol is None else f'{protocol.value} '}modem on {self.name}"

    def way(self, *, memory: LinkMemory | None, folder: Path | None, watch: PortWatch) -> Way:
        """Return the functions to reach the card (see `Port`)."""
        ports = (self.path, *self.fallbacks)
        names = {port: PortNames(port, folder=folder) for port in ports}
        loan = None if self.hold is None else PortLoan(self.path, hold=self.hold)
        at_link = partial(open_at_link, baud=self.baud, memory=memory, overrides=self.quirks)
        notes = self.speed_notes or folder
        speeds = {port: self._line_speed(port, folder=notes) for port in ports}
        asked: dict[str, PortProtocol] = {}

        def open_one(path: str, deadline: Deadline) -> Link:
            open_line: OpenLine = SerialLine if loan is None else partial(loan.open_line, deadline=deadline)

            def open_port(name: str) -> Link:
                protocol = protocol_of(name) or asked.get(name)
                if protocol is None:
                    from lpad.card.port.port_protocol_query import ask_protocol  # noqa: PLC0415 - only if sysfs names no protocol

                    protocol = asked[name] = ask_protocol(name, deadline=deadline)
                match protocol:
                    # Control ports are shared with ModemManager through proxies, so they are not borrowed.
                    case PortProtocol.MBIM:
                        from lpad.card.mbim.mbim_link import open_mbim_link  # noqa: PLC0415 - for MBIM alone

                        return open_mbim_link(name, memory=memory, overrides=self.quirks)
                    case PortProtocol.QMI:
                        from lpad.card.qmi.qmi_link import open_qmi_link  # noqa: PLC0415 - for QMI alone

                        return open_qmi_link(name, memory=memory, overrides=self.quirks)
                    case PortProtocol.AT:
                        return at_link(name, speed=speeds[path], open_line=open_line)

            return names[path].open(open_port, deadline=deadline)

        def there() -> bool:
            return any(each.there() for each in names.values())

        restored = PortReturn(loan, speeds, partial(self._open_modem, names))
        watch_ports = partial(watch.watch, there)
        if not self.fallbacks:
            return Way(partial(open_one, self.path), watch_ports, restored)
        from lpad.card.fallback_link import FallbackLink, WorkingPort  # noqa: PLC0415 - for fallbacks alone

        working = WorkingPort(ports, folder=folder)

        def open_link(deadline: Deadline) -> Link:
            return FallbackLink(open_one, working, deadline=deadline)

        return Way(open_link, watch_ports, restored)

    def _open_modem(
        self, names: Mapping[str, PortNames], port: str, speed: LineSpeed, deadline: Deadline
    ) -> AtPort:
        def open_port(name: str) -> AtModem:
            return AtModem(AtPort(SerialLine(name, baud=self.baud), speed=speed))

        return names[port].open(open_port, deadline=deadline).at_port

    def _line_speed(self, port: str, *, folder: Path | None) -> LineSpeed:
        digest = hashlib.sha256(port.encode()).hexdigest()[:16]
        note = None if folder is None else folder / f"{digest}.speed"
        return LineSpeed(usual=self.baud, fast=self.fast_baud, note=note)


class ReaderPort(Frozen, kw_only=True):
    """A PC/SC reader: its name, a pattern with *, or its position."""

    reader: str | int
    shared: bool = False
    """Whether other programs may use the card between two of lpad's sessions with it."""

    @property
    def name(self) -> str:
        """The port's name in errors."""
        return f"reader {self.reader}"

    @property
    def transport(self) -> str:
        """The name of the port in texts for users."""
        return f"card in the {self.name}"

    def way(self, *, memory: LinkMemory | None, folder: Path | None, watch: PortWatch) -> Way:
        """Return the functions to reach the card (see `Port`); pcscd itself reports changes of readers."""
        from lpad.card.pcsc.pcsc_link import open_pcsc_link  # noqa: PLC0415 - for readers alone
        from lpad.card.pcsc.reader_watch import watch_reader  # noqa: PLC0415 - for readers alone

        del folder, watch

        def open_link(deadline: Deadline) -> Link:
            return open_pcsc_link(self.reader, shared=self.shared, memory=memory, deadline=deadline)

        return Way(open_link, partial(watch_reader, self.reader))
