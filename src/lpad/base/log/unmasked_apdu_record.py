"""The APDU record: each complete command and answer, as JSON lines in a file that only its owner can read.

    {"at": 1795244400.123456, "where": "/dev/ttyUSB2", "command": "81E2910003BF2000", "answer": "BF20…9000",
     "milliseconds": 42.1, "euicc": "modem", "change_id": "7"}

`answer` is null if no answer came. The log hides secrets; this file contains them all.
"""

from __future__ import annotations

import json
import logging
import os
import threading
import time
from typing import TYPE_CHECKING

from lpad.base.errors import InvalidSettings
from lpad.base.log.log_fields import current_fields
from lpad.base.regular_file import open_regular

if TYPE_CHECKING:
    from pathlib import Path

_log = logging.getLogger(__name__)


class _Record:
    """The file that receives the APDUs; it is open only while APDUs are recorded."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._path: Path | None = None
        self._file: int | None = None

    @property
    def open(self) -> bool:
        return self._file is not None

    def to(self, path: Path | None) -> None:
        with self._lock:
            if path == self._path:
                return
            file = _opened(path) if path is not None else None
            self._close()
            self._path, self._file = path, file

    def write(self, line: bytes) -> None:
        with self._lock:
            if self._file is None:
                return
            try:
                os.write(self._file, line)
            except OSError as error:
                # A change must never fail because an APDU cannot be recorded.
                _log.warning("no more APDUs are recorded in %s: %s", self._path, error.strerror)
                self._close()

    def _close(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            os.close(file)


_record = _Record()


def record_apdus(path: Path | None) -> None:
    """Append all further APDUs to a file of mode 0600; None stops recording.

    Raises:
        InvalidSettings: the file cannot be written, is a symbolic link or not a regular file, belongs to
            another user, or has several hard links.
    """
    _record.to(path)


def recording() -> bool:
    """Return whether APDUs are recorded."""
    return _record.open


def record(where: str, command: bytes, answer: bytes | None, *, seconds: float) -> None:
    """Append one exchange that has just ended, if APDUs are recorded.

    Args:
        command: the command passed to the link.
        answer: data and status word; None if no answer came.
        seconds: duration of the exchange.
    """
    if not _record.open:
        return
    fields = current_fields()
    entry = {
        "at": time.time() - seconds,
        "where": where,
        "command": command.hex().upper(),
        "answer": None if answer is None else answer.hex().upper(),
        "milliseconds": round(seconds * 1000, 3),
        "euicc": fields.get("EUICC"),
        "change_id": fields.get("CHANGE_ID"),
    }
    _record.write(json.dumps(entry).encode() + b"\n")


def _opened(path: Path) -> int:
    """Open the file, which must belong to lpad's user and have a single hard link; return its descriptor.

    The file receives all of a card's answers, so no other user may have created it.
    """
    attempted = f"cannot record APDUs in {path}"
    try:
        descriptor = open_regular(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW)
    except OSError as error:
        raise InvalidSettings(f"{attempted}: {error.strerror}; name another file in 'log.apdus'") from error
    found = os.fstat(descriptor)
    if found.st_uid != os.geteuid():
        why = f"the file belongs to user {found.st_uid}, not to lpad's user {os.geteuid()}"
    elif found.st_nlink != 1:
        why = f"the file has {found.st_nlink} links"
    else:
        os.fchmod(descriptor, 0o600)
        return descriptor
    os.close(descriptor)
    raise InvalidSettings(f"{attempted}: {why}; remove it, or name another file in 'log.apdus'")
