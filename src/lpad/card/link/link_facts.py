"""The description of a link, from which a user can find out why a card cannot be reached."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from lpad.base.frozen import Frozen


class LinkFacts(Frozen, kw_only=True):
    """How a card is reached; fields are None or empty if unknown, or meaningless for this kind of link."""

    kind: str | None = None
    """cgla, cgla-channel-in-class, csim, mbim, qmi, pcsc-t0 or pcsc-t1."""
    doubted: str | None = None
    """The kind of link that failed in the middle of a command, so that other kinds are tried before it."""
    manufacturer: str | None = None
    model: str | None = None
    firmware: str | None = None
    reader: str | None = None
    fallback_port: str | None = None
    """The port in use, if it is one of the settings' `fallback_ports`."""
    handle: str | None = None
    """The form of the latest channel's name: `number`, or a count of hexadecimal digits."""
    quirks: tuple[str, ...] = ()
    """The names of the applied quirk entries."""
    slots: tuple[str, ...] = ()
    """The physical SIM slots in words, if the modem reports several."""
    channels_closed: int = 0
    """The number of leftover channels that lpad has found and closed since the port was opened."""


def handle_form(handle: str) -> str:
    """Return the form of a channel's name: modems use numbers, or long hexadecimal names."""
    return "number" if handle.isdecimal() and len(handle) < 4 else f"{len(handle)} hexadecimal digits"


@runtime_checkable
class Described(Protocol):
    """A link that can describe itself."""

    def describe(self) -> LinkFacts:
        """Return the known facts about the link, without sending a command."""
        ...


def facts_of(link: object) -> LinkFacts:
    """Return a link's description; an empty one if it cannot describe itself."""
    return link.describe() if isinstance(link, Described) else LinkFacts()
