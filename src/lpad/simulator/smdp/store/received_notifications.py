"""The notifications that a server has received, in a file."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import datetime  # noqa: TC003 - msgspec reads the annotations when it runs
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Notification:
    """One received notification.

    Attributes:
        received: the time of arrival.
        kind: "installation-result" or "other".
        event: "install", "enable", "disable", "delete", several joined by "+", or "unknown".
        sequence_number: the sequence number.
        address: the recipient named in the notification.
        iccid: digits; None if it is missing or unreadable.
        verified: whether the signature is valid, and the card's certificate is known or valid.
        eid: the card's EID, if verified.
        transaction_id: an installation result's transaction ID, in hex.
        installed: whether an installation result reports success.
        error_reason: the reason of a failed installation.
        duplicate: whether the same bytes were received before.
        digest: SHA-256 of the bytes, in hex.
    """

    received: datetime
    kind: str
    event: str
    sequence_number: int
    address: str
    iccid: str | None = None
    verified: bool = False
    eid: str | None = None
    transaction_id: str | None = None
    installed: bool | None = None
    error_reason: int | None = None
    duplicate: bool = False
    digest: str = ""


class Notifications:
    """All received notifications, one JSON object in each line, in the order of arrival."""

    def __init__(self, path: Path) -> None:
        """Keep the notifications in the file `path`, which the first notification creates."""
        self._path = path

    def all(self) -> tuple[Notification, ...]:
        """Return all received notifications, oldest first."""
        if not self._path.exists():
            return ()
        lines = self._path.read_bytes().splitlines()
        return tuple(msgspec.json.decode(line, type=Notification) for line in lines)

    def add(self, notification: Notification) -> None:
        """Store a notification."""
        line = msgspec.json.encode(notification) + b"\n"
        with os.fdopen(os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "wb") as file:
            file.write(line)
