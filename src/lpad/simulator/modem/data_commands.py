"""A simulated modem's commands for the packet data connection (3GPP TS 27.007, 10, and vendors' own)."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, ClassVar

from lpad.base.untrusted_number import whole_number
from lpad.simulator.modem.pdp_contexts import split
from lpad.simulator.modem.reply import INCORRECT, Reply

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.simulator.modem.pdp_contexts import ModemContexts
    from lpad.simulator.modem.personality import ModemPersonality
    from lpad.simulator.modem.registration import ModemRegistration
    from lpad.simulator.modem.reply import Replies

_KINDS = {"1": "IP", "2": "IPV6", "3": "IPV4V6"}
"""+QICSGP's numbers for PDP types."""


class DataCommands:
    """The commands, and the contexts that they change."""

    def __init__(
        self,
        contexts: ModemContexts,
        registration: ModemRegistration,
        replies: Replies,
        personality: ModemPersonality,
    ) -> None:
        self._contexts = contexts
        self._registration = registration
        self._replies = replies
        self._personality = personality

    def answer(self, body: str) -> Reply | None:
        """Execute a command and return its reply; None: the command is not for data connections."""
        for pattern, handler in self._COMMANDS:
            if (match := pattern.fullmatch(body)) is not None:
                return handler(self, match)
        return None

    def _lacks(self, name: str) -> bool:
        return name not in self._personality.context_commands

    def _define_context(self, match: re.Match[str]) -> Reply:
        if self._lacks("+CGDCONT"):
            return self._replies.error(None)
        return Reply() if self._contexts.define(match[1]) else self._replies.error(INCORRECT)

    def _tell_contexts(self, _: re.Match[str]) -> Reply:
        if self._lacks("+CGDCONT"):
            return self._replies.error(None)
        self._registration.status()
        return Reply(tuple(self._replies.prefixed("+CGDCONT", line) for line in self._contexts.lines()))

    def _attach(self, match: re.Match[str]) -> Reply:
        if self._lacks("+CGATT"):
            return self._replies.error(None)
        self._contexts.attached = match[1] == "1"
        self._contexts.attaches += self._contexts.attached
        self._registration.status()
        return Reply()

    def _tell_attach(self, _: re.Match[str]) -> Reply:
        if self._lacks("+CGATT"):
            return self._replies.error(None)
        return Reply((self._replies.prefixed("+CGATT", str(int(self._contexts.attached))),))

    def _tell_active(self, _: re.Match[str]) -> Reply:
        if self._lacks("+CGACT"):
            return self._replies.error(None)
        self._registration.status()
        active = self._contexts.bearer is not None
        return Reply(
            tuple(
                self._replies.prefixed("+CGACT", f"{cid},{int(cid == 1 and active)}")
                for cid in self._contexts.contexts
            )
        )

    def _tell_address(self, match: re.Match[str]) -> Reply:
        if self._lacks("+CGPADDR"):
            return self._replies.error(None)
        self._registration.status()
        addresses = self._contexts.addresses if match[1] in (None, "1") else ()
        told = ",".join(["1", *(f'"{each}"' for each in addresses)])
        return Reply((self._replies.prefixed("+CGPADDR", told),))

    def _tell_error(self, _: re.Match[str]) -> Reply:
        if self._lacks("+CEER"):
            return self._replies.error(None)
        self._registration.status()
        cause = self._contexts.esm_cause
        told = "No cause" if cause is None else self._personality.error_report.format(code=cause)
        return Reply((self._replies.prefixed("+CEER", told),))

    def _authenticate(self, match: re.Match[str]) -> Reply:
        """Carry out +CGAUTH, +QICSGP or #PDPAUTH."""
        name, values = match[1].upper(), split(match[2])
        cid = whole_number(values[0], least=1, most=8)
        if self._lacks(name) or cid is None:
            return self._replies.error(None)
        if name == "+QICSGP":
            if len(values) < 6 or not self._contexts.define(
                f'{cid},{_KINDS.get(values[1], "x")},"{values[2]}"'
            ):
                return self._replies.error(INCORRECT)
            _, _, _, username, password, kind = values[:6]
        else:
            kind, username, password = (*values[1:], "", "", "")[:3]
            if name == "+CGAUTH" and self._personality.swaps_credentials:
                username, password = password, username
        number = whole_number(kind, most=3)
        if number is None:
            return self._replies.error(INCORRECT)
        self._contexts.authenticate(cid, number, username, password)
        return Reply()

    def _tell_autoselection(self, _: re.Match[str]) -> Reply:
        if self._lacks("+QMBNCFG"):
            return self._replies.error(None)
        return Reply(
            (self._replies.prefixed("+QMBNCFG", f'"AutoSel",{int(bool(self._personality.autoselected))}'),)
        )

    _COMMANDS: ClassVar[
        tuple[tuple[re.Pattern[str], Callable[[DataCommands, re.Match[str]], Reply]], ...]
    ] = tuple(
        (re.compile(pattern, re.IGNORECASE), handler)
        for pattern, handler in (
            (r"\+CGDCONT=([^?]*)", _define_context),
            (r"\+CGDCONT\?", _tell_contexts),
            (r"\+CGATT=([01])", _attach),
            (r"\+CGATT\?", _tell_attach),
            (r"\+CGACT\?", _tell_active),
            (r"\+CGPADDR(?:=([0-9]+))?", _tell_address),
            (r"\+CEER", _tell_error),
            (r"(\+CGAUTH|\+QICSGP|#PDPAUTH)=(.*)", _authenticate),
            (r'\+QMBNCFG="AutoSel"', _tell_autoselection),
        )
    )
