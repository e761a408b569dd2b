"""The operators' platforms in the settings, which may change at any time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from lpad.engine.provisioning.platform_query_limit import HintLimit
from lpad.provisioning.platform_interface import Platform

if TYPE_CHECKING:
    from collections.abc import Iterable
    from contextlib import AbstractContextManager

    from lpad.base.deadline import Deadline
    from lpad.provisioning.platform_interface import Capabilities, Product, Reservation


class OpenPlatform(Platform, Protocol):
    """A platform in a conversation: the methods of `Platform`, and further ones for lines and products."""

    def line_of(self, iccid: str, *, deadline: Deadline) -> Reservation | None:
        """Return the line of an installed profile; None: the platform has no line with this ICCID."""

    def activate_line(self, reservation: Reservation, *, deadline: Deadline) -> Reservation:
        """Make the line of an installed profile live, perhaps only after the call; return the new state."""

    def suspend(self, reservation: Reservation, *, deadline: Deadline) -> Reservation:
        """Make the network stop serving a line; return the new state."""

    def retire(self, reservation: Reservation, *, deadline: Deadline) -> Reservation:
        """End a line, which cannot be undone; return the new state."""

    def products(self, *, deadline: Deadline) -> tuple[Product, ...]:
        """Return the products of the platform."""


class NamedPlatform(Protocol):
    """A platform of the settings, opened for each conversation; thread-safe."""

    @property
    def name(self) -> str:
        """The platform's name in the settings."""

    @property
    def can(self) -> Capabilities:
        """The platform's capabilities."""

    def opened(self) -> AbstractContextManager[OpenPlatform]:
        """Return a context manager that opens the platform, and closes it at its end."""


class Platforms:
    """All platforms by name; thread-safe."""

    def __init__(self, platforms: Iterable[NamedPlatform] = ()) -> None:
        self._platforms: dict[str, NamedPlatform] = {}
        self.hints = HintLimit()
        """The times at which lpad may query a platform because of a hint."""
        self.become(platforms)

    def become(self, platforms: Iterable[NamedPlatform]) -> None:
        """Apply new settings from now on; running conversations continue."""
        self._platforms = {each.name: each for each in platforms}

    def get(self, name: str) -> NamedPlatform | None:
        """Return a platform by its name; None: the settings do not contain it."""
        return self._platforms.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of all platforms, in the order of the settings."""
        return tuple(self._platforms)
