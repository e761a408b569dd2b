"""The default LTE attach contexts of a simulated MBIM modem, one for each roaming condition."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.errors import MalformedError
from lpad.codec.mbim.data_connection import (
    LteAttachConfigurations,
    LteAttachContext,
    LteAttachOperation,
    RoamingControl,
    SetLteAttachConfiguration,
)
from lpad.codec.mbim.information_buffer import decode, encode
from lpad.codec.mbim.messages import Action
from lpad.simulator.modem.pdp_contexts import Context

if TYPE_CHECKING:
    from lpad.codec.mbim.messages import Command
    from lpad.simulator.modem.pdp_contexts import ModemContexts

_MODEM = 3
_ATTACH_CONTEXT = 1
_KINDS = {0: "IP", 1: "IP", 2: "IPV6", 3: "IPV4V6", 4: "IPV4V6"}
_FACTORY = tuple(LteAttachContext(ip_type=1, roaming=each, source=_MODEM) for each in (0, 1, 2))


class LteAttachContexts:
    """Stores the contexts; that of the home network becomes the modem's context 1 at the next attach."""

    def __init__(self, contexts: ModemContexts) -> None:
        """Start with the factory's contexts."""
        self._contexts = contexts
        self._stored = _FACTORY

    def carry_out(self, command: Command) -> LteAttachConfigurations:
        """Answer a query, or store contexts; passwords are not reported.

        Raises:
            MalformedError: a roaming condition has no context, or several.
        """
        if command.action == Action.SET:
            wish = decode(SetLteAttachConfiguration, command.info)
            self._stored = _FACTORY
            if wish.operation == LteAttachOperation.STORE:
                self._stored = tuple(decode(LteAttachContext, each) for each in wish.contexts)
            if sorted(each.roaming for each in self._stored) != sorted(RoamingControl):
                raise MalformedError("each roaming condition needs one context")
            self._use(next(each for each in self._stored if each.roaming == RoamingControl.HOME))
        told = tuple(encode(replace(each, password="")) for each in self._stored)
        return LteAttachConfigurations(contexts=told)

    def _use(self, home: LteAttachContext) -> None:
        context = self._contexts.contexts.setdefault(_ATTACH_CONTEXT, Context())
        context.kind, context.apn = _KINDS[home.ip_type], home.apn
        context.credentials = (home.user_name, home.password) if home.authentication else None
