"""Answers of the card that a QMI modem sends in pieces, as indications."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lpad.codec.qmi.card import LongResponse, ResponsePiece

LARGEST = 0xFFFF
"""The maximum number of bytes of a long answer, whose length is announced in 2 bytes."""
_MOST = 4
"""The maximum number of answers collected at the same time; a further answer discards the oldest."""


class LongResponses:
    """Collects the pieces of each long answer under its token; pieces may come before the announcement."""

    def __init__(self) -> None:
        """Create an empty collection."""
        self._pieces: OrderedDict[int, dict[int, bytes]] = OrderedDict()

    def add(self, piece: ResponsePiece) -> None:
        """Keep a piece; if its answer becomes too long, discard the pieces of this answer."""
        found = self._pieces.setdefault(piece.token, {})
        found[piece.offset] = piece.data
        if sum(map(len, found.values())) > LARGEST:
            del self._pieces[piece.token]
        while len(self._pieces) > _MOST:
            self._pieces.popitem(last=False)

    def take(self, announced: LongResponse) -> bytes | None:
        """Return the whole answer, and forget its pieces; None while a piece is missing."""
        whole = b""
        for offset, data in sorted(self._pieces.get(announced.token, {}).items()):
            if offset != len(whole):
                return None
            whole += data
        if len(whole) < announced.total:
            return None
        del self._pieces[announced.token]
        return whole[: announced.total]

    def forget(self) -> None:
        """Forget all pieces, because the modem was reset."""
        self._pieces.clear()
