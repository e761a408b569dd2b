"""The platforms' reports on the lines of installed profiles; changes in these reports become events."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from lpad.base.errors import LpadError
from lpad.engine.lines.platform_line_report import LineRecord
from lpad.provisioning.platform_interface import Line

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.change.event_subscriptions import Hub
    from lpad.engine.change.steady_clock import Moment
    from lpad.engine.journal.named_values import NamedValues
    from lpad.provisioning.platform_interface import Reservation

log = logging.getLogger(__name__)

_PREFIX = "line:"
_UNSERVED = (Line.IDLE, Line.ENDED)
"""The states in which the network does not serve a line."""
_IMEI_WITHOUT_CHECK = 14
"""The number of digits of an IMEI before its check digit, which platforms omit, or replace by a software
version."""


class KnownLines:
    """The last report on each profile's line, by ICCID; thread-safe, and kept in memory once read."""

    def __init__(self, memos: NamedValues, hub: Hub, *, now: Callable[[], Moment]) -> None:
        """Create the store; records are read from the journal when they are needed.

        Args:
            memos: keeps the records.
            hub: gets the events.
            now: returns the present moment.
        """
        self._memos = memos
        self._hub = hub
        self._now = now
        self._lock = threading.Lock()
        self._known: dict[str, LineRecord | None] = {}

    def get(self, iccid: str) -> LineRecord | None:
        """Return the last report on the line of a profile; None: there is no readable report."""
        with self._lock:
            if iccid not in self._known:
                try:
                    self._known[iccid] = self._memos.get(_PREFIX + iccid, LineRecord)
                except LpadError as error:  # not remembered, so that the record is read again
                    log.debug("cannot read the line of a profile: %s (%s)", error, error.kind)
                    return None
            return self._known[iccid]

    def put(self, iccid: str, record: LineRecord) -> None:
        """Store a record; if the journal cannot be written, lpad keeps it in memory until lpad ends."""
        with self._lock:
            self._known[iccid] = record
            try:
                self._memos.put(_PREFIX + iccid, record)
            except LpadError as error:
                log.warning("cannot store a report on a line: %s (%s)", error, error.kind)

    def forget(self, iccid: str) -> None:
        """Forget the line of a deleted profile."""
        with self._lock:
            self._known.pop(iccid, None)
            try:
                self._memos.drop(_PREFIX + iccid)
            except LpadError as error:
                log.warning("cannot delete a report on a line: %s (%s)", error, error.kind)

    def learned(
        self, iccid: str, seen: Reservation, *, euicc: str, own_imei: str | None, due_in: float
    ) -> LineRecord:
        """Store a platform's report, and publish it.

        Args:
            iccid: the profile's ICCID, as the card has it.
            seen: the report.
            euicc: the card's name in the settings.
            own_imei: this device's IMEI, 15 digits; None: unknown.
            due_in: seconds until lpad asks again.

        Returns:
            The record.
        """
        before = self.get(iccid) or LineRecord()
        present = self._now().steady
        elsewhere = seen.imei is not None and own_imei is not None and not _same_imei(seen.imei, own_imei)
        record = LineRecord(
            platform=seen.platform,
            line=seen.line.value,
            word=seen.line_word,
            line_id=seen.line_id,
            imei=seen.imei,
            told_imei=seen.imei if elsewhere else None,
            seen_at=present,
            due_at=present + due_in,
            asked=(seen.platform,),
        )
        self.put(iccid, record)
        self._hub.publish(
            "line",
            {
                "euicc": euicc,
                "iccid": iccid,
                "platform": record.platform,
                "line": record.line,
                "word": record.word,
                "before": before.line if before.platform else None,
            },
            euicc=euicc,
        )
        if elsewhere and before.told_imei != seen.imei:
            log.warning(
                "%s: the platform '%s' reports the line of a profile in a device whose IMEI differs from this"
                " device's: ask the operator whether the SIM's data was copied or the modem was exchanged",
                euicc,
                record.platform,
            )
            self._hub.publish(
                "imei",
                {
                    "euicc": euicc,
                    "iccid": iccid,
                    "platform": record.platform,
                    "imei": seen.imei,
                    "previous": own_imei,
                    "cause": "seen-by-platform",
                },
                euicc=euicc,
            )
        return record

    def cause(self, iccid: str | None) -> str:
        """Return why the network may not serve a profile, in words; empty: its line gives no reason."""
        record = self.get(iccid) if iccid is not None else None
        if record is None or record.state not in _UNSERVED:
            return ""
        remedy = (
            "a line that has ended cannot be used again, so use another profile"
            if record.state is Line.ENDED
            else "'lpactl line activate' makes the line live"
        )
        return (
            f"the likely cause is its line, which is {record.told} at the platform '{record.platform}':"
            f" {remedy}"
        )


def _same_imei(one: str, other: str) -> bool:
    digits = ["".join(filter(str.isdigit, each))[:_IMEI_WITHOUT_CHECK] for each in (one, other)]
    return digits[0] == digits[1]
