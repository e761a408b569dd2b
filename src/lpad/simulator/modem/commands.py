"""The commands of a simulated modem: one line in, the lines of its answer out (3GPP TS 27.007)."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Protocol

from lpad.base.errors import CardUnreachable, MalformedError
from lpad.base.untrusted_number import matched_number
from lpad.codec.asn1 import tlv
from lpad.protocol.apdu import channel_of
from lpad.simulator.modem.channel_commands import NOT_ALLOWED, ChannelRefusedError, ModemChannels
from lpad.simulator.modem.data_commands import DataCommands
from lpad.simulator.modem.pdp_contexts import ModemContexts
from lpad.simulator.modem.personality import Csim, Handles, LongLines, Notices
from lpad.simulator.modem.radio_power_and_iccid import RadioAndSim
from lpad.simulator.modem.registration import ModemRegistration
from lpad.simulator.modem.reply import INCORRECT, Replies, Reply
from lpad.simulator.modem.serial_rate import LineRate

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.identifiers import Iccid
    from lpad.simulator.modem.personality import ModemPersonality

__all__ = ["Card", "CommandSet", "Reply"]

_PHONE_FAILURE = 0
_SIM_BUSY = 14
_SIM_FAILURE = 13
_NOT_INSERTED = 10
_PIN_REQUIRED = 11
_EID = "89049032123451234512345678901235"
"""The EID that some modems report with the ICCID."""
_MANAGE_CHANNEL = 0x70
_REFRESH = 0x01
_RESETTING = frozenset({0x04, 0x09})
"""Qualifiers of REFRESH after which the terminal resets the card: UICC reset, eUICC profile state change."""
_MOST_PROACTIVE = 16
_HANGS_FOR = 6.0
"""Seconds without an answer after an overlong command line, in a modem that hangs after one."""


class Card(Protocol):
    """The card in the modem: any object with these two methods."""

    def transmit(self, apdu: bytes) -> bytes:
        """Process a command APDU; return data and two status bytes.

        Raises:
            CardUnreachable: the card does not answer; the modem reports SIM failure.
        """
        ...

    def reset(self) -> bytes:
        """Switch the supply off and on; return the ATR."""
        ...


class CommandSet:
    """The state that commands change, and the commands."""

    def __init__(
        self, card: Card, personality: ModemPersonality, *, line_rate: LineRate | None = None
    ) -> None:
        """Create the commands of a modem that contains a card.

        Args:
            card: the card behind +CSIM.
            personality: the modem's personality.
            line_rate: the speed of the modem's serial line; None: the modem has no serial line.
        """
        self._line_rate = line_rate or LineRate(personality, baud=None)
        self._card = card
        self._personality = personality
        self.echo = personality.echo
        self._replies = Replies(personality)
        self._busy = personality.busy
        self._waiting: int | None = None
        self._hangs = False
        self._mute_until = 0.0
        self.pin_locked = set(personality.pin_locked)
        self.channels = ModemChannels(self._transmit, personality)
        self.radio = RadioAndSim(self._transmit, self._reset_card, personality)
        self.contexts = ModemContexts(
            dict(personality.subscriptions),
            personality.autoselected,
            unlisted=personality.unlisted_subscription,
        )
        self.contexts.contexts[1].apn = personality.stored_apn
        self.registration = ModemRegistration(
            self.radio, personality, contexts=self.contexts, locked=self.pin_locked
        )
        self._data = DataCommands(self.contexts, self.registration, self._replies, personality)

    def swap_card(self, card: Card) -> None:
        """Insert another card."""
        self._card = card
        self.channels.forget()
        self.radio.happened(Notices.RESET)
        self._hangs = self._personality.hot_swap_hangs

    def answer(self, line: str) -> Reply | None:
        """Execute one command line, without its end.

        Returns:
            The answer; None if the modem sends no answer, as for a line that is not a command.
        """
        if line[:2].upper() != "AT":
            return None
        if time.monotonic() < self._mute_until:
            return None
        if self._excess(line):
            if self._personality.long_lines is LongLines.HANGS:
                self._mute_until = time.monotonic() + _HANGS_FOR
            if self._personality.long_lines in (LongLines.HANGS, LongLines.LOST):
                return None
            if self._personality.long_lines is LongLines.REFUSED:
                return self.error(None)
        body = line[2:].strip()
        if '"' in body:
            return self._answer(body)
        return self._answer_together(body.split(";"))

    def _answer_together(self, bodies: list[str]) -> Reply:
        """Carry out the commands of one line until one fails (ITU-T V.250, 5.2.1 and 5.7.1)."""
        reply, lines = Reply(), list[str]()
        for body in bodies:
            reply = self._answer(body)
            lines.extend(reply.lines)
            if reply.final != "OK":
                break
        return replace(reply, lines=tuple(lines))

    def _answer(self, body: str) -> Reply:
        for pattern, handler in self._COMMANDS:
            match = pattern.fullmatch(body)
            if match is not None:
                return handler(self, match)
        return self._data.answer(body) or self.error(None)

    def _excess(self, line: str) -> int:
        """Return the number of characters by which a command line is too long."""
        limit = self._personality.line_limit
        return 0 if limit is None else max(0, len(line) - limit)

    def error(self, code: int | None) -> Reply:
        """Return a refusal in the form that +CMEE selects; without a code, plain ERROR."""
        return self._replies.error(code)

    def serve_proactive(self, length: int) -> bool:
        """Fetch the pending command and answer it, like a modem's own toolkit.

        Returns:
            Whether the card was reset, which REFRESH requires (ETSI TS 102 223, 6.4.7).
        """
        try:
            return self._serve_proactive(length)
        except CardUnreachable:
            return False

    def _reset_card(self) -> bytes:
        return self._card.reset()

    def _serve_proactive(self, length: int) -> bool:
        for _ in range(_MOST_PROACTIVE):
            fetched = self._card.transmit(bytes([0x80, 0x12, 0, 0, length]))
            details = _command_details(fetched[:-2])
            if details is None:
                return False
            # Performed successfully, from the terminal (82) to the card (81).
            result = b"\x81\x03" + details + b"\x02\x02\x82\x81\x03\x01\x00"
            done = self._card.transmit(bytes([0x80, 0x14, 0, 0, len(result)]) + result)
            if details[1] == _REFRESH and details[2] in _RESETTING:
                self._card.reset()
                self.channels.forget()
                self.channels.open_own(self._personality.channels_after_refresh)
                self.radio.happened(Notices.REFRESH)
                return True
            if done[-2] != 0x91:
                return False
            length = done[-1]
        return False

    def _ok(self, _: re.Match[str]) -> Reply:
        return Reply()

    def _basic(self, match: re.Match[str]) -> Reply:
        for letter, digit in re.findall(r"([EQV])([01]?)", match[0].upper()):
            if letter == "E":
                if digit != "1" and not self._personality.echo_can_be_switched_off:
                    return self.error(None)
                self.echo = digit == "1"
        return Reply()

    def _identity(self, _: re.Match[str]) -> Reply:
        personality = self._personality
        return Reply((personality.manufacturer, personality.model, f"Revision: {personality.firmware}"))

    def _manufacturer(self, _: re.Match[str]) -> Reply:
        return Reply((self._personality.manufacturer,))

    def _model(self, _: re.Match[str]) -> Reply:
        return Reply((self._personality.model,))

    def _firmware(self, _: re.Match[str]) -> Reply:
        return Reply((self._personality.firmware,))

    def _imei(self, _: re.Match[str]) -> Reply:
        if self._personality.bare_imei:
            return Reply((self._personality.imei,))
        return Reply((self._replies.prefixed("+CGSN", f'"{self._personality.imei}"'),))

    def _set_error_level(self, match: re.Match[str]) -> Reply:
        self._replies.error_level = matched_number(match[1])
        return Reply()

    def _tell_error_level(self, _: re.Match[str]) -> Reply:
        return Reply((self._replies.prefixed("+CMEE", str(self._replies.error_level)),))

    def _csim(self, match: re.Match[str]) -> Reply:
        if self._personality.csim is Csim.ABSENT:
            return self.error(None)
        return self._apdu("+CSIM", match, self._through_csim)

    def _through_csim(self, apdu: bytes) -> bytes:
        if self._personality.csim is Csim.NO_MANAGE_CHANNEL and apdu[1] == _MANAGE_CHANNEL:
            raise ChannelRefusedError(NOT_ALLOWED)
        if self._personality.csim is Csim.BASIC_CHANNEL_ONLY and channel_of(apdu[0]):
            raise ChannelRefusedError(_PHONE_FAILURE)
        return self._transmit(apdu)

    def _ccho(self, match: re.Match[str]) -> Reply:
        digits = match[1]
        if self._personality.handles is None:
            return self.error(None)
        if len(digits) % 2 or not 10 <= len(digits) <= 32:
            return self.error(INCORRECT)

        def open_channel() -> Reply:
            handle = self.channels.open_channel(bytes.fromhex(digits))
            bare = self._personality.handles is Handles.BARE
            return Reply((handle if bare else self._replies.prefixed("+CCHO", handle),))

        return self._at_card(open_channel)

    def _cgla(self, match: re.Match[str]) -> Reply:
        if self._personality.handles is None:
            return self.error(None)
        return self._apdu("+CGLA", match, lambda apdu: self.channels.transmit(match["handle"], apdu))

    def _cchc(self, match: re.Match[str]) -> Reply:
        if self._personality.handles is None:
            return self.error(None)

        def close_channel() -> Reply:
            self.channels.close_channel(match[1])
            return Reply(("+CCHC",) if self._personality.tells_closing else ())

        return self._at_card(close_channel)

    def _test_form(self, match: re.Match[str]) -> Reply:
        modem_owned = match[1].upper() != "SIM"
        has = (
            self._personality.handles is not None
            if modem_owned
            else self._personality.csim is not Csim.ABSENT
        )
        return Reply() if has and self._personality.test_forms else self.error(None)

    def _apdu(self, prefix: str, match: re.Match[str], through: Callable[[bytes], bytes]) -> Reply:
        """Carry an APDU through +CSIM or +CGLA."""
        length, text = match["length"], match["hex"]
        digits = text.strip('"')
        if matched_number(length) != len(digits) or len(digits) < 8 or len(digits) % 2:
            return self.error(INCORRECT)
        most = self._personality.csim_most
        if len(digits) < self._personality.csim_least or (most is not None and len(digits) > most):
            return self.error(self._personality.csim_refusal)
        if self._personality.strict and text != f'"{digits.upper()}"':
            return self.error(INCORRECT)

        lost = self._excess(f"AT{match.string}")
        apdu = bytes.fromhex(digits)
        if lost:
            apdu = apdu[: -((lost + 1) // 2)]
            apdu = apdu[:4] + bytes([len(apdu) - 5]) + apdu[5:]

        def pass_on() -> Reply:
            answer = through(apdu)
            told = answer.hex() if self._personality.lower_case else answer.hex().upper()
            payload = f'{len(told)},"{told}"' if self._personality.quoted else f"{len(told)},{told}"
            line = payload if self._personality.bare_answers else self._replies.prefixed(prefix, payload)
            return Reply((line,))

        return self._at_card(pass_on)

    def _iccid(self, match: re.Match[str]) -> Reply:
        name = match[1].upper()
        if name not in self._personality.iccid_commands:
            return self.error(None)

        def tell() -> Reply:
            iccid = self._told_iccid()
            if iccid is None:
                raise ChannelRefusedError(_SIM_FAILURE)
            padded = str(iccid).ljust(20, "F")
            told = {
                "name": name,
                "iccid": padded if self._personality.iccid_padded else str(iccid),
                "padded": padded,
                "swapped": bytes(iccid).hex().upper(),
                "groups": " ".join(padded[at : at + 4] for at in range(0, 20, 4)),
                "eid": _EID,
            }
            lines = tuple(line.format(**told) for line in self._personality.iccid_answer)
            blank = self._personality.blank_after_colon
            return Reply(lines if blank else tuple(line.replace(": ", ":") for line in lines))

        return self._at_card(tell)

    def _told_iccid(self) -> Iccid | None:
        """Return the ICCID; None if there is none. Refuse if a PIN or an open channel hides the ICCID."""
        if self._personality.channel_hides_iccid and self.channels.open:
            raise ChannelRefusedError(NOT_ALLOWED)
        iccid = self.radio.iccid()
        if self._personality.pin_hides_iccid and str(iccid) in self.pin_locked:
            raise ChannelRefusedError(_PIN_REQUIRED)
        return iccid

    def _lock(self, _: re.Match[str]) -> Reply:
        def tell() -> Reply:
            locked = str(self.radio.iccid()) in self.pin_locked
            return Reply((self._replies.prefixed("+CPIN", "SIM PIN" if locked else "READY"),))

        return self._at_card(tell)

    def _restricted_access(self, _: re.Match[str]) -> Reply:
        if "+CRSM" not in self._personality.iccid_commands:
            return self.error(None)

        def tell() -> Reply:
            iccid = self._told_iccid()
            if iccid is None:
                return Reply((self._replies.prefixed("+CRSM", "106,130"),))
            return Reply((self._replies.prefixed("+CRSM", f'144,0,"{bytes(iccid).hex().upper()}"'),))

        return self._at_card(tell)

    def _function(self, match: re.Match[str]) -> Reply:
        if match[2] is not None:
            self._hangs = False
            self.radio.reset()
            self._line_rate.power_cut()
            self.registration.forget_levels()
            self.channels.forget()
            return Reply(away=self._personality.away_after_reset)
        self.radio.set_function(matched_number(match[1]))
        self._hangs = self._hangs and not self.radio.on
        if not self.radio.on:
            self.channels.forget()
        return Reply(after=("+CPIN: READY",) if self.radio.on else ())

    def _set_line_rate(self, match: re.Match[str]) -> Reply:
        rate = matched_number(match[1])
        return Reply(line_rate=rate) if rate in self._line_rate.offered else self.error(None)

    def _tell_line_rate(self, match: re.Match[str]) -> Reply:
        offered = self._line_rate.offered
        if not offered:
            return self.error(None)
        told = str(self._line_rate.rate) if match[1] == "?" else f"(),({','.join(map(str, offered))})"
        return Reply((self._replies.prefixed("+IPR", told),))

    def _tell_function(self, _: re.Match[str]) -> Reply:
        return Reply((self._replies.prefixed("+CFUN", str(self.radio.function)),))

    def _sim_power(self, match: re.Match[str]) -> Reply:
        self.radio.set_sim_power(on=match[1] != "0")
        self.channels.forget()
        return Reply()

    def _tell_registration(self, match: re.Match[str]) -> Reply:
        name = match[1].upper()
        if not self.registration.knows(name):
            return self.error(None)
        return Reply((self._replies.prefixed(name, self.registration.answer(name)),))

    def _set_registration(self, match: re.Match[str]) -> Reply:
        name = match[1].upper()
        if not self.registration.knows(name):
            return self.error(None)
        level = matched_number(match[2])
        if level == 3 and not self._personality.tells_reject_cause:
            return self.error(INCORRECT)
        self.registration.set_level(name, level)
        return Reply()

    def _at_card(self, what: Callable[[], Reply]) -> Reply:
        """Call a function that needs the card; return its reply, or the modem's refusal."""
        if not self.radio.on:
            return self.error(_NOT_INSERTED)
        if self._hangs:
            return self.error(_PHONE_FAILURE)
        if self._busy > 0:
            self._busy -= 1
            return replace(self.error(_SIM_BUSY), after=() if self._busy else ("+CPIN: READY",))
        self._waiting = None
        try:
            reply = what()
        except ChannelRefusedError as refusal:
            reply = self.error(refusal.code)
        except CardUnreachable:
            return self.error(_SIM_FAILURE)
        return replace(reply, proactive=self._waiting)

    def _transmit(self, apdu: bytes) -> bytes:
        answer = self._card.transmit(apdu)
        # A proactive command may wait, announced by an answer to the modem's own command or to a host's APDU.
        if answer[-2] == 0x91:
            self._waiting = answer[-1]
        if self._personality.fetches_response and answer[-2] == 0x61:
            # The modem sends GET RESPONSE once; a longer answer reaches the host as data with 61xx.
            answer = answer[:-2] + self._card.transmit(bytes([apdu[0] & 0x4F, 0xC0, 0, 0, answer[-1]]))
        return answer

    _COMMANDS: ClassVar[tuple[tuple[re.Pattern[str], Callable[[CommandSet, re.Match[str]], Reply]], ...]] = (
        tuple(
            (re.compile(pattern, re.IGNORECASE), handler)
            for pattern, handler in (
                (r"", _ok),
                (r"(?:[EQV][01]?)+", _basic),
                (r"I0?", _identity),
                (r"\+CGMI", _manufacturer),
                (r"\+CGMM", _model),
                (r"\+CGMR", _firmware),
                (r"\+CGSN(?:=1)?", _imei),
                (r"\+CMEE=([0-2])", _set_error_level),
                (r"\+CMEE\?", _tell_error_level),
                (r"\+C(SIM|CHO|GLA|CHC)=\?", _test_form),
                (r'\+CSIM=(?P<length>[0-9]{1,5}),(?P<hex>"?[0-9A-Fa-f]*"?)', _csim),
                (r'\+CCHO="?([0-9A-Fa-f]+)"?', _ccho),
                (
                    r'\+CGLA=(?P<handle>[0-9A-Fa-f]+),(?P<length>[0-9]{1,5}),(?P<hex>"?[0-9A-Fa-f]*"?)',
                    _cgla,
                ),
                (r"\+CCHC=([0-9A-Fa-f]+)", _cchc),
                (r"([+^#][A-Z]*CCID|\^ICCID)\??", _iccid),
                (r"\+CRSM=176,12258,0,0,10", _restricted_access),
                (r"\+CPIN\?", _lock),
                (r"\+CFUN=([014])(,1)?", _function),
                (r"\+CFUN\?", _tell_function),
                (r"\+IPR=([0-9]{1,8})", _set_line_rate),
                (r"\+IPR(\?|=\?)", _tell_line_rate),
                (r"(\+C(?:E|5G|G)REG)\?", _tell_registration),
                (r"(\+C(?:E|5G|G)REG)=([0-5])", _set_registration),
                (r"#SIMDET=([012])", _sim_power),
            )
        )
    )


def _command_details(data: bytes) -> bytes | None:
    """Return number, type and qualifier of a proactive command (ETSI TS 102 223, 8.6); None: missing."""
    try:
        for element in tlv.parse(data).children():
            # The top bit of these tags only means that the other side must understand them.
            if element.tag & 0x7F == 0x01 and len(element.value) == 3:
                return element.value
    except MalformedError:
        pass
    return None
