"""The one proactive command that an eUICC's switch needs: REFRESH (ETSI TS 102 223, 6.4.7)."""

from __future__ import annotations

from lpad.base.errors import MalformedError
from lpad.codec.asn1 import tlv
from lpad.simulator.euicc.chip.status_word import Refusal, StatusWord

_REFRESH = 0x01
_PERFORMED = range(0x10)
"""General results that mean that the terminal carried out the command."""


class Proactive:
    """A proactive session: pending, fetched, answered."""

    def __init__(self, qualifier: int) -> None:
        """Create a session without a pending command.

        Args:
            qualifier: REFRESH's mode.
        """
        self._refresh = tlv.encode(
            0xD0,
            tlv.encode(0x81, bytes([1, _REFRESH, qualifier])),
            tlv.encode(0x82, bytes([0x81, 0x82])),  # from the UICC to the terminal
        )
        self.pending: bytes | None = None
        self._fetched = False

    @property
    def active(self) -> bool:
        """Whether the terminal must still fetch or answer REFRESH."""
        return self.pending is not None or self._fetched

    def refresh(self) -> None:
        """Make REFRESH pending for the terminal."""
        self.pending = self._refresh

    def fetch(self) -> bytes:
        """Return the pending command.

        Raises:
            Refusal: nothing is pending.
        """
        if self.pending is None:
            raise Refusal(StatusWord.CONDITIONS_NOT_SATISFIED, "no proactive command is pending")
        command, self.pending, self._fetched = self.pending, None, True
        return command

    def terminal_response(self, body: bytes) -> bool:
        """Process the terminal's answer; return whether the terminal carried out REFRESH.

        Raises:
            Refusal: nothing was fetched, or the answer is malformed.
        """
        if not self._fetched:
            raise Refusal(StatusWord.CONDITIONS_NOT_SATISFIED, "no proactive command was fetched")
        try:
            elements = {element.tag & 0x7F: element.value for element in tlv.parse_all(body)}
        except MalformedError as error:
            raise Refusal(StatusWord.BAD_DATA, error.sentence) from error
        result = elements.get(0x03)
        if not result or elements.get(0x01, b"")[1:2] != bytes([_REFRESH]):
            raise Refusal(StatusWord.BAD_DATA, "no result of REFRESH")
        self._fetched = False
        return result[0] in _PERFORMED
