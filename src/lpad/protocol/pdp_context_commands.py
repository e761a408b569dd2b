"""The AT commands for a modem's PDP contexts: their texts and their answers (3GPP TS 27.007, 10.1).

LTE and 5G modems attach with context 1: its APN is that of the initial bearer.
"""

from __future__ import annotations

import enum
import re
from ipaddress import ip_address
from typing import TYPE_CHECKING

from msgspec import Struct

from lpad.base.errors import InvalidValue
from lpad.base.lazy_pattern import LazyPattern
from lpad.base.untrusted_number import matched_number, whole_number
from lpad.protocol.at_dialogue import AtCommand

if TYPE_CHECKING:
    from lpad.protocol.at_dialogue import AtAnswer

ATTACH_CONTEXT = 1
MOST_CONTEXT = 16

_CONTEXT = LazyPattern(
    r'(?P<cid>[0-9]{1,3}),\s*"?(?P<kind>[A-Za-z0-9]*)"?(?:,\s*"?(?P<apn>[^",]*)"?)?(?:,.*)?'
)
_ACTIVE = LazyPattern(r"(?P<cid>[0-9]{1,3}),\s*(?P<state>[01])")
_DOTTED = LazyPattern(r"(?:[0-9]{1,3}\.){15}[0-9]{1,3}")
_CAUSE = LazyPattern(r"(?:ESM|SM|cause|#)[^0-9]{0,12}(?P<code>[0-9]{1,3})", re.IGNORECASE)
_REJECT = LazyPattern(
    r"[0-9],\s*[0-9]{1,2},[^,]*,[^,]*,[^,]*,\s*(?P<kind>[01]),\s*(?P<cause>[0-9]{1,3})(?:,.*)?"
)
_UNSAFE = LazyPattern(r'["\\\r\n;]')


class AuthenticationCommand(enum.StrEnum):
    """The commands for a context's user name and password."""

    CGAUTH = "cgauth"
    """AT+CGAUTH=cid,kind,user,password, as in TS 27.007, 10.1.31."""
    CGAUTH_SWAPPED = "cgauth-swapped"
    """AT+CGAUTH with the password before the user name, as in some firmware."""
    QICSGP = "qicsgp"
    """AT+QICSGP=cid,type,apn,user,password,kind, of Quectel."""
    PDPAUTH = "pdpauth"
    """AT#PDPAUTH=cid,kind,user,password, of Telit."""


class PdpContext(Struct, frozen=True):
    """A context as stored in the modem."""

    cid: int
    kind: str
    """The type, such as IP, IPV6 or IPV4V6."""
    apn: str

    @property
    def command(self) -> AtCommand:
        """The command that stores the context."""
        return AtCommand(f'AT+CGDCONT={self.cid},"{self.kind}","{self.apn}"')


CONTEXTS = AtCommand("AT+CGDCONT?", prefix="+CGDCONT")
ATTACHED = AtCommand("AT+CGATT?", prefix="+CGATT")
ACTIVE = AtCommand("AT+CGACT?", prefix="+CGACT")
ERROR_REPORT = AtCommand("AT+CEER", prefix="+CEER")


def addresses_of(cid: int) -> AtCommand:
    """Return the command that asks for a context's addresses."""
    return AtCommand(f"AT+CGPADDR={cid}", prefix="+CGPADDR")


def authentication(
    command: AuthenticationCommand, context: PdpContext, *, kind: int, username: str, password: str
) -> AtCommand:
    """Return the command that stores a context's authentication.

    Args:
        command: the command that the modem's family understands.
        context: the context to which the credentials belong.
        kind: 0 none, 1 PAP, 2 CHAP.
        username: printable ASCII.
        password: printable ASCII.

    Raises:
        InvalidValue: the user name or the password contains a character that would end the command.
    """
    if _UNSAFE.search(username + password):
        raise InvalidValue(
            "the user name or the password contains a quote, a backslash or a semicolon, which AT commands"
            " cannot carry"
        )
    cid, first, second = context.cid, username, password
    if command is AuthenticationCommand.QICSGP:
        number = {"IP": 1, "IPV6": 2}.get(context.kind, 3)
        return AtCommand(f'AT+QICSGP={cid},{number},"{context.apn}","{first}","{second}",{kind}')
    name = "#PDPAUTH" if command is AuthenticationCommand.PDPAUTH else "+CGAUTH"
    if kind == 0:
        return AtCommand(f"AT{name}={cid},0")
    if command is AuthenticationCommand.CGAUTH_SWAPPED:
        first, second = second, first
    return AtCommand(f'AT{name}={cid},{kind},"{first}","{second}"')


def contexts_told(answer: AtAnswer) -> dict[int, PdpContext]:
    """Return the contexts in an answer to +CGDCONT?, by number; other lines are ignored."""
    found = {}
    for line in answer.lines:
        match = _CONTEXT.fullmatch(line.strip())
        if match is not None and 1 <= (cid := matched_number(match["cid"])) <= MOST_CONTEXT:
            found[cid] = PdpContext(cid, match["kind"].upper(), match["apn"] or "")
    return found


def is_active(answer: AtAnswer, cid: int) -> bool | None:
    """Return whether an answer to +CGACT? shows a context as active; None: the answer lacks the context."""
    for line in answer.lines:
        match = _ACTIVE.fullmatch(line.strip())
        if match is not None and matched_number(match["cid"]) == cid:
            return match["state"] == "1"
    return None


def is_attached(answer: AtAnswer) -> bool | None:
    """Return whether an answer to +CGATT? shows the modem as attached; None: the answer is unclear."""
    told = whole_number(answer.lines[-1].strip(), most=1) if answer.lines else None
    return None if told is None else told == 1


def addresses_told(answer: AtAnswer) -> tuple[str, ...]:
    """Return the IP addresses in an answer to +CGPADDR; unset or malformed addresses are omitted.

    IPv6 addresses are written with colons, or as 16 decimal numbers with dots (TS 27.007, 10.1.14).
    """
    found = []
    for line in answer.lines:
        for field in line.split(",")[1:]:
            address = _address(field.strip().strip('"'))
            if address is not None:
                found.append(address)
    return tuple(found)


def _address(text: str) -> str | None:
    if _DOTTED.fullmatch(text):
        octets = [whole_number(each, most=255) for each in text.split(".")]
        if None in octets:
            return None
        text = ":".join(
            f"{(octets[at] or 0) << 8 | (octets[at + 1] or 0):x}" for at in range(0, len(octets), 2)
        )
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return None if address.is_unspecified else str(address)


def esm_cause_told(answer: AtAnswer) -> int | None:
    """Return the ESM cause in an answer to +CEER, whose wording depends on the modem; None: no cause."""
    for line in answer.lines:
        match = _CAUSE.search(line)
        if match is not None:
            return whole_number(match["code"], least=1, most=255)
    return None


def reject_cause_told(answer: AtAnswer) -> int | None:
    """Return the 3GPP cause with which the network rejected the attach; None: the answer names none.

    +CEREG? reports the cause at level 3, after area, cell and technology (TS 27.007, 10.1.22).
    """
    for line in answer.lines:
        match = _REJECT.fullmatch(line.strip())
        if match is not None and match["kind"] == "0":
            return whole_number(match["cause"], least=1, most=255)
    return None
