"""The layers of a data connection, from below; a report names the first one that fails."""

from __future__ import annotations

import enum


class Layer(enum.StrEnum):
    """The layers; each depends on the previous one."""

    CARD = "card"
    """The card has the wanted profile enabled."""
    MODEM = "modem"
    """The modem reads that profile, and accepts its settings."""
    REGISTERED = "registered"
    """The modem is registered."""
    BEARER = "bearer"
    """The network opens a connection with this APN."""
    ADDRESS = "address"
    """The connection has an IP address."""
    PATH = "path"
    """The connection reaches its target."""
