"""AT+CSIM: a raw card behind a modem's AT port (3GPP TS 27.007, 8.17)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.card.at_modem import AtModem, AtPatience
from lpad.card.logical_channel import RawLink
from lpad.card.serial_line import SerialLine
from lpad.card.trace import TracedCard
from lpad.errors import CardMalformed, blamed_on
from lpad.protocol import at_commands

if TYPE_CHECKING:
    from lpad.card.link import Link
    from lpad.deadline import Deadline

_STORE_DATA = 0xE2
# First bytes of ES10 commands after which a card works long: Enable, Disable, Delete, MemoryReset; the
# segments of a bound profile package, which begin with BF36, A0, A1, A2, A3, 86 or 88 (SGP.22 v2.5, 2.5.5).
_LONG_WORK = (
    b"\xbf\x31",
    b"\xbf\x32",
    b"\xbf\x33",
    b"\xbf\x34",
    b"\xbf\x36",
    b"\xa0",
    b"\xa1",
    b"\xa2",
    b"\xa3",
    b"\x86",
    b"\x88",
)


class AtCsim:
    """A card that a modem passes APDUs on to."""

    def __init__(self, modem: AtModem) -> None:
        """Use a modem's +CSIM.

        Args:
            modem: shared with nobody while this is used.
        """
        self._modem = modem
        self._long_work = False

    def transmit(self, apdu: bytes, *, deadline: Deadline) -> bytes:
        """Pass an APDU to the card, as `RawCard` says."""
        command = at_commands.csim(apdu)
        answer = self._modem.ask(command, patience=self._patience(apdu), deadline=deadline)
        with blamed_on(CardMalformed, "AT+CSIM"):
            return at_commands.csim_response(answer)

    def _patience(self, apdu: bytes) -> float:
        """Return the seconds that the card may take, which its first block tells for a whole chain."""
        if apdu[1] != _STORE_DATA:
            self._long_work = False
        elif apdu[3] == 0:
            self._long_work = apdu[5:].startswith(_LONG_WORK)
        patience = self._modem.patience
        return patience.change if self._long_work else patience.apdu


def open_csim_link(
    port: str,
    *,
    baud: int = 115200,
    patience: AtPatience | None = None,
    terminal_capability: bytes | None = None,
    unredacted: bool = False,
) -> Link:
    """Open the link to the card in a modem, through +CSIM.

    Args:
        port: the modem's AT port, locked until the link is closed.
        baud: bits per second; USB modems take any.
        patience: how long to wait for the modem's answers.
        terminal_capability: value for cards that want TERMINAL CAPABILITY first, see `RawLink`.
        unredacted: whether the APDU trace shows payloads.

    Raises:
        CardUnreachable: no such port, or no permission.
        CardBusy: another program holds the port.
    """
    modem = AtModem(SerialLine(port, baud=baud), patience=patience)
    card = TracedCard(AtCsim(modem), name=port, unredacted=unredacted)
    return RawLink(card, device=modem, terminal_capability=terminal_capability)
