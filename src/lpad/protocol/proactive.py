"""Proactive commands of a card, and the answers of a terminal that is only an LPA.

A status word 91xx means that a command of xx bytes waits; FETCH gets the command, TERMINAL RESPONSE answers
it (ETSI TS 102 223, 6). No I/O.
"""

from __future__ import annotations

from enum import IntEnum

from msgspec import Struct

from lpad.base.errors import MalformedError
from lpad.codec.asn1 import tlv
from lpad.protocol.apdu import Command

REFRESH_ONLY = bytes([0x01, 0x00, 0x80])
"""A TERMINAL PROFILE that offers a card REFRESH and nothing else (ETSI TS 102 223, 5.2: byte 3, bit 8)."""

_PROPRIETARY = 0x80
_TERMINAL_PROFILE, _FETCH, _TERMINAL_RESPONSE = 0x10, 0x12, 0x14
_PROACTIVE_COMMAND = 0xD0
_COMMAND_DETAILS, _DEVICES, _RESULT, _DURATION = 0x01, 0x02, 0x03, 0x04
_COMPREHENSION = 0x80
_FROM_TERMINAL_TO_CARD = bytes([0x82, 0x81])


class Kind(IntEnum):
    """The types of command that an LPA distinguishes (ETSI TS 102 223, 9.4)."""

    REFRESH = 0x01
    MORE_TIME = 0x02
    POLL_INTERVAL = 0x03
    POLLING_OFF = 0x04


class Result(IntEnum):
    """General results of TERMINAL RESPONSE (ETSI TS 102 223, 8.12)."""

    PERFORMED = 0x00
    BEYOND_CAPABILITIES = 0x30


class RefreshMode(IntEnum):
    """Qualifiers of REFRESH (ETSI TS 102 223, 8.6) after which the card must be restarted."""

    UICC_RESET = 0x04
    PROFILE_STATE_CHANGE = 0x09


_LAST_REFRESH_MODE = 0x0A


class ProactiveCommand(Struct, frozen=True):
    """A proactive command of the card."""

    number: int
    kind: int
    qualifier: int
    duration: bytes = b""
    """Value of the element Duration; empty if the command has none."""

    @classmethod
    def parse(cls, raw: bytes) -> ProactiveCommand:
        """Parse the bytes that FETCH returned.

        Raises:
            MalformedError: the bytes are not a proactive command, or lack the command's details.
        """
        whole = tlv.parse(raw)
        if whole.tag != _PROACTIVE_COMMAND:
            raise MalformedError(f"a proactive command must begin with D0, not {whole.tag:02X}")
        # The highest bit of a tag means that the terminal must understand the element; some cards omit it.
        elements = {element.tag & ~_COMPREHENSION: element.value for element in tlv.parse_all(whole.value)}
        details = elements.get(_COMMAND_DETAILS, b"")
        if len(details) != 3:
            raise MalformedError("a proactive command lacks its command details")
        number, kind, qualifier = details
        return cls(number, kind, qualifier, elements.get(_DURATION, b""))


class Reaction(Struct, frozen=True):
    """The terminal's reaction to a proactive command."""

    result: Result | None
    """The result for TERMINAL RESPONSE; None: no TERMINAL RESPONSE is sent."""
    reset: bool = False
    """Whether the card must then be reset."""


def reaction_to(command: ProactiveCommand) -> Reaction:
    """Return the reaction of a terminal that has no screen, radio or files."""
    if command.kind == Kind.REFRESH:
        if command.qualifier == RefreshMode.UICC_RESET:
            # Only this command gets no TERMINAL RESPONSE: the reset is the answer (TS 102 223, 6.4.7).
            return Reaction(None, reset=True)
        if command.qualifier == RefreshMode.PROFILE_STATE_CHANGE:
            return Reaction(Result.PERFORMED, reset=True)
        # Other modes of REFRESH make the terminal read files again, and an LPA keeps no files.
        known = command.qualifier <= _LAST_REFRESH_MODE
        return Reaction(Result.PERFORMED if known else Result.BEYOND_CAPABILITIES)
    known = command.kind in (Kind.MORE_TIME, Kind.POLL_INTERVAL, Kind.POLLING_OFF)
    return Reaction(Result.PERFORMED if known else Result.BEYOND_CAPABILITIES)


def terminal_profile(offered: bytes) -> Command:
    """Return the command that reports the terminal's capabilities to a card.

    Some cards send proactive commands only after this command.
    """
    return Command(_PROPRIETARY, _TERMINAL_PROFILE, data=offered)


def fetch(length: int) -> Command:
    """Return the command that gets the proactive command.

    Args:
        length: bytes of the pending command, 1 to 256, from the status word.
    """
    return Command(_PROPRIETARY, _FETCH, le=length)


def terminal_response(command: ProactiveCommand, result: Result) -> Command:
    """Return the command that reports the result of a proactive command to the card."""
    body = tlv.encode(
        _COMPREHENSION | _COMMAND_DETAILS, bytes([command.number, command.kind, command.qualifier])
    )
    body += tlv.encode(_COMPREHENSION | _DEVICES, _FROM_TERMINAL_TO_CARD)
    body += tlv.encode(_COMPREHENSION | _RESULT, bytes([result]))
    if command.kind == Kind.POLL_INTERVAL and command.duration:
        # The interval that the terminal will keep is part of its answer (TS 102 223, 6.8).
        body += tlv.encode(_COMPREHENSION | _DURATION, command.duration)
    return Command(_PROPRIETARY, _TERMINAL_RESPONSE, data=body)
