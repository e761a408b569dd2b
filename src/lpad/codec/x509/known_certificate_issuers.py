"""The eSIM certificate issuers (CIs) that are known by name; the table is known_certificate_issuers.tsv.

A name does not establish trust: it is displayed, it identifies test CIs, and it completes an identifier of
which a card gives only a part.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TABLE = Path(__file__).with_name("known_certificate_issuers.tsv")

_PROVES = 16
"""The minimum number of bytes with which a part of an identifier proves that a card trusts a key.

Anyone can make signatures whose recovered key is random; matching n given bytes takes 2^(8n) tries.
"""
_NAMES = 4
"""The minimum number of bytes with which a part of an identifier identifies a known CI."""


class CertificateIssuer(Struct, frozen=True):
    """A CI: its whole key identifier, its name, and whether it is for tests."""

    key_id: bytes
    name: str
    test: bool


@cache
def known_issuers() -> Mapping[bytes, CertificateIssuer]:
    """Return the known CIs by their whole key identifiers."""
    found = {}
    for line in _TABLE.read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            key_id, name, kind = line.split("\t")
            found[bytes.fromhex(key_id)] = CertificateIssuer(bytes.fromhex(key_id), name, kind == "test")
    return found


def issuer_named(key_id: bytes) -> CertificateIssuer | None:
    """Return the known CI whose key identifier begins with these bytes, at least 4; None if there is none."""
    if len(key_id) < _NAMES:
        return None
    return next((known for known in known_issuers().values() if known.key_id.startswith(key_id)), None)


def names_key(listed: bytes, key_id: bytes) -> bool:
    """Return whether a card's entry proves that the card trusts the key with this whole identifier.

    Args:
        listed: the card's entry: a whole identifier, or only its first bytes (SGP.32).
        key_id: 20 bytes, computed from the key.
    """
    if not key_id.startswith(listed):
        return False
    return len(listed) >= _PROVES or (len(listed) >= _NAMES and key_id in known_issuers())


def permitted(listed: Iterable[bytes], *, forbidden: Iterable[bytes] | None = None) -> tuple[bytes, ...]:
    """Return the entries of a card's list that lpad may trust.

    Args:
        listed: key identifiers, as the card names them.
        forbidden: key identifiers, or their first bytes, that are never trusted. None forbids the known
            test CIs on a card that also names other CIs: such a card is a product with a leftover test CI,
            whose private key is public.
    """
    entries = tuple(listed)
    if forbidden is not None:
        never = tuple(forbidden)
        return tuple(entry for entry in entries if not any(_overlap(entry, one) for one in never))
    tests = tuple(entry for entry in entries if (known := issuer_named(entry)) is not None and known.test)
    production = len(tests) < len(entries)
    return tuple(entry for entry in entries if entry not in tests) if production else entries


def _overlap(one: bytes, other: bytes) -> bool:
    return one.startswith(other) or other.startswith(one)
