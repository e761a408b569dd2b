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
    """One notification as it was received.

    Attributes:
        received: when.
        kind: "installation-result" or "other".
        event: "install", "enable", "disable" or "delete".
        sequence_number: the card's count.
        address: the recipient that it names.
        iccid: digits; None where there is none that can be read.
        verified: whether the signature is right and the card's certificate known or good.
        eid: the card's, when verified.
        transaction_id: an installation result's transaction ID, in hex.
        installed: whether an installation result reports success.
        error_reason: the reason of a failed installation.
        duplicate: whether the very same bytes were received before.
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
    """Everything received, one JSON object a line, in the order of arrival."""

    def __init__(self, path: Path) -> None:
        """Keep them in the file `path`, made with the first one."""
        self._path = path

    def all(self) -> tuple[Notification, ...]:
        """Return everything received, oldest first."""
        if not self._path.exists():
            return ()
        lines = self._path.read_bytes().splitlines()
        return tuple(msgspec.json.decode(line, type=Notification) for line in lines)

    def add(self, notification: Notification) -> None:
        """Write one down."""
        line = msgspec.json.encode(notification) + b"\n"
        with os.fdopen(os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "wb") as file:
            file.write(line)
