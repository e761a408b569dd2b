"""How a simulated modem behaves, as data: each field is something that real modems differ in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ModemPersonality:
    """A modem's habits; the defaults are a well-mannered modem fresh from power-on."""

    manufacturer: str = "lpad"
    model: str = "PtyModem"
    firmware: str = "1.0"
    imei: str = "490154203237518"
    """15 digits, as AT+CGSN tells them."""

    echo: bool = True
    """Whether the echo is on at power-on."""
    echo_can_be_switched_off: bool = True
    error_level: int = 0
    """+CMEE at power-on: 0 plain ERROR, 1 numbers, 2 words."""
    line_limit: int | None = None
    """Characters of a command line, without its end, above which the modem says ERROR."""

    quoted: bool = True
    """Whether hex in answers stands in quotes."""
    lower_case: bool = False
    """Whether hex in answers is in lower case."""
    blank_after_colon: bool = True
    bare_answers: bool = False
    """Whether +CSIM answers lack their prefix."""
    bare_imei: bool = True
    """Whether AT+CGSN answers the digits alone, or as +CGSN: "…"."""
    line_end: str = "\r\n"
    urcs_before_answer: tuple[str, ...] = ()
    """Lines that come between each command and its answer."""
    piece: int | None = None
    """Largest number of characters handed to the port at once: half lines arrive."""

    answer_delay: float = 0.0
    """Seconds from a command's last character to the first of its answer."""
    fetches_response: bool = False
    """Whether the modem turns 61xx into GET RESPONSE itself and answers data at once."""
    fetches_proactive: bool = True
    """Whether the modem turns 91xx into FETCH and TERMINAL RESPONSE, and REFRESH into a card reset."""
    refresh_urc: str | None = "+QUSIM: 1"
    """What the modem says once the card is up again after REFRESH."""
    away_after_refresh: float | None = None
    """Seconds for which the port is gone after REFRESH; None: it stays."""
