"""The policy for discovery at SM-DSs."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lpad.base.server_address import ServerAddress

DISCOVERY = "discovery"
"""The source of a first profile that is the SM-DSs."""


class Install(StrEnum):
    """What lpad does with the events that it finds unasked."""

    NEVER = "never"
    ASK = "ask"
    ALLOWED = "allowed"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscoveryPolicy:
    """When lpad asks SM-DSs unasked, and what follows.

    Attributes:
        every: seconds between two discoveries; None: lpad asks only on request, or for an empty card.
        jitter: the maximum number of seconds by which an overdue discovery is delayed at random.
        servers: the SM-DSs in addition to the card's own.
        install: what lpad does with events that it finds unasked.
    """

    every: float | None = None
    jitter: float = 0.0
    servers: tuple[ServerAddress, ...] = ()
    install: Install = Install.NEVER


NO_DISCOVERY = DiscoveryPolicy()
