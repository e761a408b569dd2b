"""The parts of a data connection that a report can name: layers, lowest first, and the owner's programs."""

from __future__ import annotations

import enum


class Layer(enum.StrEnum):
    """The layers; each depends on the previous one."""

    CARD = "card"
    """The card has the wanted profile enabled."""
    MODEM = "modem"
    """The modem reads the wanted profile, and accepts its settings."""
    REGISTERED = "registered"
    """The modem is registered."""
    BEARER = "bearer"
    """The network opens a connection with this APN."""
    ADDRESS = "address"
    """The connection has an IP address."""
    PATH = "path"
    """The connection reaches its target."""


class OwnersProgram(enum.StrEnum):
    """The owner's programs, which a report names in place of a layer, because they belong to no layer."""

    HOOK = "hook"
    """A hook, or the runner that should run it."""
    COMMAND = "command"
    """The program of the applier `command`, or the runner that should run it."""


Culprit = Layer | OwnersProgram
"""All layers and programs that a report can name as failed."""
