"""The card of each transaction, stored in a folder.

A profile installation result carries no certificate and may arrive days later, so the server must
remember the card's certificate by transaction ID (SGP.22 v2.5, 5.6.4).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from lpad.simulator.smdp.store.atomic_writing import write_whole

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Transaction:
    """The card and the order of a transaction; `euicc` is the card's certificate (DER)."""

    order_id: str
    eid: str
    euicc: bytes


class Transactions:
    """One file for each transaction."""

    def __init__(self, folder: Path) -> None:
        """Keep the transactions in `folder`, which is created if missing."""
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep(self, transaction_id: bytes, transaction: Transaction) -> None:
        """Remember a transaction."""
        write_whole(self._path(transaction_id), msgspec.json.encode(transaction))

    def get(self, transaction_id: bytes) -> Transaction | None:
        """Return the card and order of a transaction, or None if it is unknown."""
        path = self._path(transaction_id)
        return msgspec.json.decode(path.read_bytes(), type=Transaction) if path.exists() else None

    def _path(self, transaction_id: bytes) -> Path:
        return self._folder / f"{transaction_id.hex()}.json"
