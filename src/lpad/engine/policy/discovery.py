"""The policy for discovery at SM-DSs."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from lpad.base.server_address import ServerAddress

DISCOVERY = "discovery"
"""The name of the SM-DSs as a source of a first profile."""


class Install(StrEnum):
    """The treatment of events that lpad finds without a request."""

    NEVER = "never"
    ASK = "ask"
    ALLOWED = "allowed"


class DiscoveryPolicy(Frozen, kw_only=True):
    """The times at which lpad queries SM-DSs without a request, and the use of their events.

    Attributes:
        every: seconds between two discoveries; None: lpad asks only on request, or for an empty card.
        jitter: the maximum number of seconds by which an overdue discovery is delayed at random.
        servers: the SM-DSs in addition to the card's own.
        install: the treatment of events that lpad finds without a request.
    """

    every: float | None = None
    jitter: float = 0.0
    servers: tuple[ServerAddress, ...] = ()
    install: Install = Install.NEVER


NO_DISCOVERY = DiscoveryPolicy()
