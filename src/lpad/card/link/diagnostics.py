"""What a link knows of itself, for those who look into why a card can't be reached."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True, kw_only=True)
class LinkFacts:
    """How a card is reached; None and empty where it isn't known, or makes no sense for this kind."""

    kind: str | None = None
    """cgla, cgla-channel-in-class, csim, pcsc-t0 or pcsc-t1."""
    doubted: str | None = None
    """The kind that failed in the middle of a command, so that others are tried before it."""
    manufacturer: str | None = None
    model: str | None = None
    firmware: str | None = None
    reader: str | None = None
    handle: str | None = None
    """The form in which the latest channel was named: `number`, or so many hexadecimal digits."""
    quirks: tuple[str, ...] = ()
    """The entries that are applied."""
    channels_closed: int = 0
    """How many channels were found that a process had left open, and closed, since the port was opened."""


def handle_form(handle: str) -> str:
    """Return in which form a channel is named: modems count, or hand out long hexadecimal names."""
    return "number" if handle.isdecimal() and len(handle) < 4 else f"{len(handle)} hexadecimal digits"


@runtime_checkable
class Described(Protocol):
    """A link that can tell."""

    def describe(self) -> LinkFacts:
        """Return what is known by now; nothing is sent."""
        ...


def facts_of(link: object) -> LinkFacts:
    """Return what a link knows, nothing where it can't tell."""
    return link.describe() if isinstance(link, Described) else LinkFacts()
