"""The data connection in the settings, as the engine wants it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.engine.policy.networking import NetworkPolicy
from lpad.network.precedence import Pattern

if TYPE_CHECKING:
    from lpad.settings.sections.network import NetworkSection


def network_policy(section: NetworkSection) -> NetworkPolicy:
    """Return who makes the data connection, and with which settings."""
    return NetworkPolicy(
        patterns=tuple(
            Pattern(iccid=each.iccid, provider=each.provider, settings=each.settings())
            for each in section.patterns
        )
    )
