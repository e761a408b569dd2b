"""The link through a modem's AT+CSIM alone, without the search for the best one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.card.at.at_modem import AtModem
from lpad.card.at.csim import csim_link
from lpad.card.modem.at_port import AtPort
from lpad.card.port.serial_line import SerialLine

if TYPE_CHECKING:
    from lpad.card.link.link import Link
    from lpad.card.quirks.quirks import AtTimeouts


def open_csim_link(
    port: str,
    *,
    baud: int = 115200,
    patience: AtTimeouts | None = None,
    terminal_capability: bytes | None = None,
    unredacted: bool = False,
) -> Link:
    """Open the link to the card in a modem, through +CSIM; return the link.

    Args:
        port: the modem's AT port, locked until the link is closed.
        baud: bits per second; USB modems accept any.
        patience: how long to wait for the modem's answers.
        terminal_capability: value for cards that need TERMINAL CAPABILITY first, see `RawLink`.
        unredacted: whether the APDU trace shows payloads.

    Raises:
        CardUnreachable: no such port, or no permission.
        CardBusy: another program holds the port.
    """
    modem = AtModem(AtPort(SerialLine(port, baud=baud), patience=patience))
    return csim_link(modem, name=port, terminal_capability=terminal_capability, unredacted=unredacted)
