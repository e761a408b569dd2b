"""The behaviour of a simulated modem, as data: each field is a difference between real modems."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from lpad.simulator.modem.pdp_contexts import Subscription

NOT_REGISTERED, HOME, SEARCHING, DENIED, ROAMING = 0, 1, 2, 3, 5
"""States of the registration (3GPP TS 27.007, 10.1.22)."""


class Csim(StrEnum):
    """The abilities of +CSIM."""

    WORKS = "works"
    ABSENT = "absent"
    NO_MANAGE_CHANNEL = "no-manage-channel"
    """Channels cannot be opened; the modem answers 'operation not allowed'."""
    BASIC_CHANNEL_ONLY = "basic-channel-only"
    """Channels can be opened and closed, but all commands on them are refused."""


class Handles(StrEnum):
    """The forms of a channel's name in +CCHO."""

    NUMBER = "number"
    """+CCHO: and the modem's own number of the channel, whatever the channel's number on the card."""
    BARE = "bare"
    """Only the number, without a prefix."""
    HEX64 = "hex64"
    """+CCHO: and 16 hexadecimal digits."""
    CHANNEL = "channel"
    """+CCHO: and the channel's number on the card."""


class LongLines(StrEnum):
    """The effect of a command line that is longer than `line_limit`."""

    REFUSED = "refused"
    """The modem answers ERROR."""
    LOST = "lost"
    """The modem neither carries out a command line that is too long nor answers."""
    CUT = "cut"
    """An APDU silently loses its end, and the modem corrects the length within the APDU."""
    HANGS = "hangs"
    """The modem does not answer for some seconds."""


class Notices(IntEnum):
    """The weakest action after which the modem reads a new ICCID."""

    AT_ONCE = 0
    """No action is needed: the modem reads the card each time."""
    REFRESH = 1
    SIM_POWER_CYCLE = 2
    """AT#SIMDET=0 and =2, as in Telit's modems."""
    RADIO_CYCLE = 3
    """AT+CFUN=0 or =4, and =1."""
    RESET = 4
    """AT+CFUN=1,1."""
    NEVER = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class ModemPersonality:
    """A modem's behaviour; the defaults are a standard modem after power-on."""

    manufacturer: str = "lpad"
    model: str = "PtyModem"
    firmware: str = "1.0"
    imei: str = "490154203237518"
    """15 digits, as in the answer to AT+CGSN."""

    echo: bool = True
    """Whether the echo is on at power-on."""
    echo_can_be_switched_off: bool = True
    error_level: int = 0
    """+CMEE at power-on: 0 plain ERROR, 1 numbers, 2 words."""
    line_limit: int | None = None
    """The maximum number of characters in a command line, without its end; None: no limit."""
    long_lines: LongLines = LongLines.REFUSED
    """The effect of command lines that are longer than `line_limit`."""

    line_rates: tuple[int, ...] = ()
    """The speeds in bits per second that +IPR accepts, 0 for the automatic one; characters at another speed
    are noise. Empty: the modem accepts any speed, and has no +IPR."""
    answers_at_new_rate: bool = False
    """Whether the OK to +IPR is sent at the new speed instead of the previous speed."""
    silent_rates: tuple[int, ...] = ()
    """Speeds that +IPR accepts, but at which all received characters are unreadable."""
    loses_above: int | None = None
    """The speed above which only the first characters of a line arrive; None: all arrive at any speed."""
    buffer: int = 64
    """The number of characters of a line that arrive at a speed above `loses_above`."""
    keeps_line_rate: bool = False
    """Whether a speed that +IPR has set survives a loss of power and a reset."""

    strict: bool = False
    """Whether hex in commands must be upper-case and in quotes."""
    busy: int = 0
    """The number of initial commands for the card that are answered with 'SIM busy'."""
    csim: Csim = Csim.WORKS
    handles: Handles | None = None
    """How +CCHO names a channel; None: the modem lacks +CCHO, +CGLA and +CCHC."""
    csim_least: int = 0
    """The number of hex digits of an APDU below which +CSIM and +CGLA answer `csim_refusal`."""
    csim_most: int | None = None
    """The number of hex digits of an APDU above which the answer is `csim_refusal`; None: no limit."""
    csim_refusal: int | None = 3
    """The error code for an APDU that is too short or too long; None: plain ERROR."""
    test_forms: bool = True
    """Whether test commands such as +CCHO=? are answered with OK if the command itself works."""
    not_found: int | None = 22
    """The error code for +CCHO if the card lacks the application; None: plain ERROR."""
    closes_channels: bool = True
    """Whether +CCHC exists."""
    tells_closing: bool = False
    """Whether +CCHC answers with a separate line before OK."""
    passes_manage_channel: bool = True
    """Whether +CGLA accepts MANAGE CHANNEL."""
    patches_class: bool = True
    """Whether +CGLA puts the channel's number into class bytes; otherwise it passes APDUs on unchanged."""
    cgla_breaks_at: int | None = None
    """The STORE DATA after +CCHO, counted from 1, from which on +CGLA answers ERROR; None: never."""

    quoted: bool = True
    """Whether hex in answers is in quotes."""
    lower_case: bool = False
    """Whether hex in answers is in lower case."""
    blank_after_colon: bool = True
    bare_answers: bool = False
    """Whether +CSIM answers lack their prefix."""
    bare_imei: bool = True
    """Whether AT+CGSN answers with only the digits; otherwise with +CGSN: "…"."""
    line_end: str = "\r\n"
    glued: bool = False
    """Whether lines are separated by one line end, without blank lines."""
    urcs_before_answer: tuple[str, ...] = ()
    """Lines sent between each command and its answer."""
    urcs_before_ok: tuple[str, ...] = ()
    """Lines sent between an answer and its OK."""
    urcs_after_answer: tuple[str, ...] = ()
    piece: int | None = None
    """The maximum number of characters passed to the port in one write, so that half lines arrive."""

    iccid_commands: tuple[str, ...] = ("+CCID", "+CRSM")
    """The commands that report the ICCID: +CRSM, and any other commands by name."""
    iccid_padded: bool = False
    """Whether 19 digits of an ICCID are followed by F."""
    iccid_answer: tuple[str, ...] = ("{name}: {iccid}",)
    """The lines that report the ICCID: {name} of the command, {iccid}, {padded} and {swapped} as in the file,
    {groups} of four, {eid}; +CRSM has a separate form."""
    channel_hides_iccid: bool = False
    """Whether the modem refuses to report the ICCID while a channel of +CCHO is open."""
    pin_locked: tuple[str, ...] = ()
    """ICCIDs of profiles whose SIM PIN has not been entered, so that they never register."""
    pin_hides_iccid: bool = True
    """Whether the modem hides the ICCID of a profile whose PIN has not been entered."""
    hot_swap_hangs: bool = False
    """Whether every command for the card is answered with 'phone failure' after a swap of the card, until
    the radio is switched off and on."""
    notices: Notices = Notices.AT_ONCE
    channels_after_refresh: int = 0
    """The number of own channels that the modem opens after it has reset the card for a REFRESH."""
    away_after_reset: float | None = None
    """Seconds for which the port is gone after AT+CFUN=1,1; None: the port remains."""
    comes_up_by_itself: bool = True
    """Whether a reset also switches on a radio that was off."""

    registration_commands: tuple[str, ...] = ("+CEREG", "+CGREG")
    """The commands among +CEREG, +C5GREG and +CGREG that the modem has."""
    registers_after: float = 0.0
    """Seconds from reading a profile until the search for a network ends."""
    registration: dict[str, int] = field(default_factory=dict)
    """The result of the search, by ICCID: 1 at home (default), 5 roaming, 2 still searching, 3 denied."""
    tells_registration: bool = True
    """Whether the modem sends unsolicited reports of changes once they are switched on."""

    subscriptions: dict[str, Subscription] = field(default_factory=dict)
    """The subscriptions by ICCID."""
    unlisted_subscription: Subscription = field(default_factory=Subscription)
    """The subscription of profiles that `subscriptions` does not list; the default allows everything."""
    autoselected: dict[str, str] = field(default_factory=dict)
    """APNs by ICCID that the operator's configuration (MBN) writes into context 1 at each attach."""
    stored_apn: str = ""
    """The APN of context 1 at power-on."""
    context_commands: tuple[str, ...] = (
        "+CGDCONT",
        "+CGATT",
        "+CGACT",
        "+CGPADDR",
        "+CEER",
        "+CGAUTH",
        "+QICSGP",
        "#PDPAUTH",
        "+QMBNCFG",
    )
    """The modem's commands for contexts and for their authentication."""
    swaps_credentials: bool = False
    """Whether +CGAUTH expects the password before the user name, as some firmware does."""
    tells_reject_cause: bool = True
    """Whether +CEREG at level 3 reports the cause of a rejected attach."""
    error_report: str = "ESM cause {code}"
    """The answer of +CEER after a rejected bearer; {code} is the cause."""

    answer_delay: float = 0.0
    """Seconds from a command's last character to the first of its answer."""
    fetches_response: bool = False
    """Whether the modem itself answers 61xx with GET RESPONSE and returns the data immediately."""
    fetches_proactive: bool = True
    """Whether the modem answers 91xx with FETCH and TERMINAL RESPONSE, and REFRESH with a card reset."""
    refresh_urc: str | None = "+QUSIM: 1"
    """The modem's unsolicited line once the card is up again after REFRESH; None: no line."""
    away_after_refresh: float | None = None
    """Seconds for which the port is gone after REFRESH; None if the port stays."""
    comes_back_elsewhere: bool = False
    """Whether the port has a different name after REFRESH; its symbolic link, like udev's, follows."""
