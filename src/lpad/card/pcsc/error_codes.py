"""The error codes of PC/SC as errors with a remedy."""

from __future__ import annotations

from msgspec import Struct

from lpad.base.errors import CardBusy, CardError, CardUnreachable
from lpad.base.untrusted_number import hexadecimal_number
from lpad.card.pcsc.other_programs import programs_using_pcsc
from lpad.card.port.link_refused import LinkRefused

SUCCESS = 0
INVALID_HANDLE = 0x80100003
INVALID_PARAMETER = 0x80100004
INSUFFICIENT_BUFFER = 0x80100008
UNKNOWN_READER = 0x80100009
TIMEOUT = 0x8010000A
SHARING_VIOLATION = 0x8010000B
NO_SMARTCARD = 0x8010000C
PROTO_MISMATCH = 0x8010000F
CANCELLED = 0x80100002
CONNECTION_BROKEN = 0x80100013
NOT_TRANSACTED = 0x80100016
NO_READERS = 0x8010002E
RESET_CARD = 0x80100068
REMOVED_CARD = 0x80100069
REFUSED = 0x8010006A


class _Failure(Struct, frozen=True):
    words: str
    remedy: str
    error: type[CardError] = CardUnreachable
    retryable: bool | None = None


_NO_PCSCD = _Failure(
    "pcscd is not running",
    "install the Debian package pcscd, or start it with 'systemctl start pcscd.socket'",
)
_READER_GONE = _Failure(
    "the reader has disappeared", "plug the reader in again; if pcscd still does not find it, restart pcscd"
)
_TOO_LONG = _Failure(
    "the reader's driver refuses the command",
    "the APDU may be too long for the driver; try a smaller block",
    LinkRefused,
)
_MUTE = _Failure(
    "the card does not answer its reset",
    "check that the card sits firmly in the reader and clean the contacts, or try another reader",
)

# pcsc-lite's winscard; Windows uses the same numbers.
_FAILURES = {
    0x80100001: _Failure("pcscd reports an internal error", "restart pcscd"),
    CANCELLED: _Failure("the call was cancelled", "try again"),
    INVALID_HANDLE: _Failure("pcscd was restarted", "try again"),
    INVALID_PARAMETER: _TOO_LONG,
    0x80100006: _Failure("no memory is left", "free some memory, or restart pcscd"),
    INSUFFICIENT_BUFFER: _TOO_LONG,
    UNKNOWN_READER: _READER_GONE,
    TIMEOUT: _Failure("no answer came in time", "try again"),
    SHARING_VIOLATION: _Failure(
        "another program uses the reader",
        "stop that program; if all programs share the reader, the setting 'shared' lets lpad take turns",
        CardBusy,
    ),
    NO_SMARTCARD: _Failure(
        "no card is in the reader", "put a card in; many readers need the contacts facing down"
    ),
    PROTO_MISMATCH: _Failure(
        "reader and card have no protocol in common", "use another reader", CardUnreachable, retryable=False
    ),
    0x80100010: _Failure("the reader is not ready", "try again"),
    CONNECTION_BROKEN: _Failure(
        "the connection to pcscd broke", "check whether pcscd runs, and why it was stopped"
    ),
    0x80100014: _Failure("pcscd reports an unknown error", "take the card out and put it in again"),
    0x80100015: _MUTE,
    NOT_TRANSACTED: _Failure(
        "the card did not answer", "take the card out and put it in again; the card may have been removed"
    ),
    0x80100017: _READER_GONE,
    0x8010001D: _NO_PCSCD,
    0x8010001E: _NO_PCSCD,
    NO_READERS: _Failure(
        "there is no reader",
        "plug a reader in; if one is plugged in, pcscd lacks its driver (Debian package libccid), or another"
        " program, such as GnuPG's scdaemon, has claimed the USB device",
    ),
    0x80100065: _MUTE,
    0x80100066: _MUTE,
    0x80100067: _Failure("the card has no power", "take the card out and put it in again"),
    RESET_CARD: _Failure("another program has reset the card", "try again, or stop that program", CardBusy),
    REMOVED_CARD: _Failure("the card was taken out", "put the card in again"),
    REFUSED: _Failure(
        "pcscd refuses this user",
        "add a polkit rule that allows lpad's user the actions 'org.debian.pcsc-lite.access_pcsc' and"
        " 'access_card'",
        CardUnreachable,
        retryable=False,
    ),
}
_RESETS = (f"{RESET_CARD:08X}", f"{PROTO_MISMATCH:08X}")
_HARMLESS = (SHARING_VIOLATION, CANCELLED, TIMEOUT, INVALID_PARAMETER, INSUFFICIENT_BUFFER)
"""The codes of errors after which the connection still works."""


def failure(code: int, attempted: str) -> CardError:
    """Return the error for a PC/SC code; the details contain the code as eight hexadecimal digits.

    Args:
        code: unsigned, other than 0.
        attempted: begins the sentence, such as "cannot connect to pcscd"; with the reader's name if
            there is one.
    """
    known = _FAILURES.get(code) or _Failure("PC/SC refused", "look up the code in pcsc-lite's pcsclite.h")
    words = known.words
    if code == SHARING_VIOLATION:
        # PC/SC does not report which program uses the reader, so all programs that use PC/SC are named.
        programs = programs_using_pcsc()
        words += f" ({', '.join(programs)})" if programs else ""
    return known.error(
        f"{attempted}: {words}; {known.remedy} (PC/SC {code:08X})",
        retryable=known.retryable,
        pcsc=f"{code:08X}",
    )


def protocol_lost(attempted: str) -> CardError:
    """Return the error for a connected card that no longer has a protocol.

    pcscd resets the card when another program dies, even if that program's turn is over, and after the
    card's contacts were lost for a moment.
    """
    return CardBusy(
        f"{attempted}: the card was reset meanwhile, because another program ended or the contact was lost"
        f" for a moment; try again (PC/SC {PROTO_MISMATCH:08X})",
        pcsc=f"{PROTO_MISMATCH:08X}",
    )


def was_reset(error: CardError) -> bool:
    """Return whether an error of this module means that the connected card was reset, but not by lpad."""
    return error.retryable and error.details.get("pcsc") in _RESETS


def is_lost(error: CardError) -> bool:
    """Return whether a connection is unusable after an error of `failure`."""
    code = error.details.get("pcsc")
    return isinstance(code, str) and hexadecimal_number(code) not in _HARMLESS
