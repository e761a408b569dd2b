"""The order in which lpad tries a server's addresses, learned from earlier connections."""

from __future__ import annotations

import threading
import time
from itertools import zip_longest
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lpad.remote.sockets.name_resolution import Address

_AVOIDED_FOR = 600.0
"""Seconds for which lpad tries an address last, after the address stayed silent."""
_MOST = 64


class AddressOrder:
    """Orders addresses by earlier results; one object serves the whole process.

    On one interface, an IP version works for all names or for none, so the working version is remembered.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._family: dict[str | None, int] = {}
        self._avoided: dict[tuple[str | None, Any], float] = {}

    def ordered(self, addresses: Iterable[Address], *, interface: str | None) -> list[Address]:
        """Return addresses in the order in which to try them (RFC 8305, 4).

        IPv4 and IPv6 take turns, beginning with the version that worked last, or else the resolver's first.
        Addresses that accepted a connection and then stayed silent come last.
        """
        found = list(addresses)
        if not found:
            return []
        with self._lock:
            first = self._family.get(interface, found[0].family)
            present = time.monotonic()
            avoided = {
                to for (where, to), until in self._avoided.items() if where == interface and until > present
            }
        preferred = [each for each in found if each.family == first]
        others = [each for each in found if each.family != first]
        mixed = [each for pair in zip_longest(preferred, others) for each in pair if each is not None]
        return sorted(mixed, key=lambda each: each.to in avoided)

    def connected(self, address: Address, *, interface: str | None, chosen: bool) -> None:
        """Remember the IP version of a working address, if it was `chosen` from several versions."""
        if chosen:
            with self._lock:
                self._family[interface] = address.family

    def avoid(self, to: Any, *, interface: str | None) -> None:
        """Try an address last for a while, because it accepted a connection and then stayed silent."""
        with self._lock:
            self._avoided.pop((interface, to), None)
            self._avoided[interface, to] = time.monotonic() + _AVOIDED_FOR
            while len(self._avoided) > _MOST:
                del self._avoided[next(iter(self._avoided))]

    def is_avoided(self, to: Any, *, interface: str | None) -> bool:
        """Return whether an address is tried last."""
        with self._lock:
            return self._avoided.get((interface, to), 0.0) > time.monotonic()


MEMORY = AddressOrder()
