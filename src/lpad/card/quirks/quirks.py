"""Typed deviations of a modem family from 3GPP; the data is in the YAML files next to this module."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import field

from lpad.base.errors import InvalidValue
from lpad.base.frozen import Frozen
from lpad.protocol.pdp_context_commands import AuthenticationCommand

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.codec.es10_intents import Intent


class AtTimeouts(Frozen, kw_only=True):
    """The time to wait for a modem's answer, in seconds, by the kind of command.

    3GPP TS 27.007 sets no limit. The 300 ms of some modems' manuals are far too short for a card that
    computes signatures or erases a profile.
    """

    information: float = 5.0
    """The limit for a query of the modem's own data, and for the command that resynchronizes a dialogue."""
    apdu: float = 60.0
    change: float = 120.0
    """The limit for APDUs of functions that alter the card, such as enabling or deleting a profile."""

    def of(self, intent: Intent) -> float:
        """Return the time limit in seconds for the answer to an APDU with this intent."""
        return self.change if intent.alters else self.apdu


BlockSize = Annotated[int, msgspec.Meta(ge=1, le=255)]
SelectP2 = Annotated[int, msgspec.Meta(ge=0, le=255)]
ClassByteType = Annotated[int, msgspec.Meta(ge=0, le=1)]
SimSlot = Annotated[int, msgspec.Meta(ge=1, le=8)]


class LinkKind(StrEnum):
    """The kinds of link to a card over a modem's AT port."""

    CGLA = "cgla"
    """AT+CCHO, +CGLA and +CCHC; the modem puts the channel number into class bytes, as TS 27.007 requires."""
    CGLA_CHANNEL_IN_CLASS = "cgla-channel-in-class"
    """AT+CCHO, +CGLA and +CCHC; the modem passes class bytes on, and +CCHO returns the channel's number."""
    CSIM = "csim"
    """AT+CSIM, with channels opened by lpad."""


class Step(StrEnum):
    """The steps of the ladder that makes a modem notice another profile, gentlest first."""

    WAIT = "wait"
    SIM_POWER_CYCLE = "sim-power-cycle"
    RADIO_CYCLE = "radio-cycle"
    MODEM_RESET = "modem-reset"


class RefreshStep(Frozen, kw_only=True):
    """One step of the ladder: AT commands or actions of a control port. After `down`, `up` is always sent."""

    step: Step
    down: tuple[str, ...] = ()
    """Commands that power something down; empty for a step that only waits or is a single command."""
    up: tuple[str, ...] = ()
    """Commands that power everything up again, or that restart the modem."""
    instead: tuple[str, ...] = ()
    """Commands for a modem that refuses the first of `up`; only in a step that powers nothing down."""
    seconds: float = 20.0
    """Seconds that the modem may take to read the new profile after the step."""
    port_goes: bool = False
    """Whether the port disappears during the step."""


_PATIENCE = AtTimeouts()
_LADDER = (
    RefreshStep(step=Step.WAIT, seconds=15.0),
    RefreshStep(step=Step.RADIO_CYCLE, down=("AT+CFUN=0",), up=("AT+CFUN=1",), seconds=30.0),
    RefreshStep(step=Step.MODEM_RESET, up=("AT+CFUN=1,1",), seconds=90.0, port_goes=True),
)


class Quirks(Frozen, kw_only=True):
    """The quirks of one modem; the defaults are those of the generic modem."""

    links: tuple[LinkKind, ...] = (LinkKind.CGLA, LinkKind.CSIM, LinkKind.CGLA_CHANNEL_IN_CLASS)
    """The kinds of link to try, in this order."""
    block_size: BlockSize = 255
    """The initial size of a STORE DATA block, in bytes; lpad reduces it if the link refuses such blocks.
    If the size comes from the table of modems, lpad tries 255 bytes once, after a download, and keeps 255
    bytes if the link carries such blocks."""
    patience: AtTimeouts = _PATIENCE
    """The time to wait for answers."""
    refresh_flag: bool = True
    """Whether the card should ask for a REFRESH with each switch."""
    refresh_ladder: tuple[RefreshStep, ...] = _LADDER
    after_switch: tuple[str, ...] = ()
    """AT commands to send once the modem has read another profile, such as for the operator's settings."""
    announcements: tuple[str, ...] = ("+QUSIM", "+SIM", "+CPIN")
    """The beginnings of unsolicited lines which report that the modem has read the SIM again."""
    announce_commands: tuple[str, ...] = ()
    """AT commands that switch the announcements on."""
    iccid_commands: tuple[str, ...] = ("AT+CCID", "AT+CRSM=176,12258,0,0,10")
    """AT commands that ask the modem for the enabled profile's ICCID; lpad uses the first one that works."""

    authentication_command: AuthenticationCommand = AuthenticationCommand.CGAUTH
    """The command that sets a context's user name and password."""
    operator_configuration: dict[str, str] = field(default_factory=dict)
    """AT commands that ask whether the card selects an operator configuration, which would override the
    APN; each with the answer, without blanks, that means yes."""

    select_p2: tuple[SelectP2, ...] = (0x00, 0x0C, 0x04)
    """MBIM: values of P2 of SELECT to try, in this order: they request any answer, no answer, and the FCP."""
    class_byte_type: ClassByteType | None = None
    """MBIM: the type of the class byte of ES10 commands, 0 or 1 (extended); None: lpad finds out."""
    channel_in_class: bool = True
    """MBIM: whether class bytes contain the channel number at first."""
    sim_slot: SimSlot | None = None
    """MBIM and QMI: the physical slot that the modem is to use, from 1; None: the modem's current slot."""

    def merged(self, overrides: Mapping[str, Any]) -> Quirks:
        """Return these quirks with some replaced, as given in a settings file.

        Args:
            overrides: field name -> value as in YAML or JSON; 'patience' may contain only some of its
                fields.

        Raises:
            InvalidValue: an unknown name, or a value of the wrong type or range.
        """
        known = self.__struct_fields__
        unknown = sorted(set(map(str, overrides)) - set(known))
        if unknown:
            raise InvalidValue(f"there is no quirk '{unknown[0]}'; the known ones are {', '.join(known)}")
        plain: dict[str, Any] = msgspec.to_builtins(self)
        patience = overrides.get("patience")
        if isinstance(patience, dict):
            wrong = sorted(set(map(str, patience)) - plain["patience"].keys())
            if wrong:
                raise InvalidValue(
                    f"there is no quirk 'patience.{wrong[0]}'; the known ones are"
                    f" {', '.join(plain['patience'])}"
                )
            overrides = {**overrides, "patience": {**plain["patience"], **patience}}
        try:
            return msgspec.convert({**plain, **overrides}, Quirks)
        except msgspec.ValidationError as error:
            raise InvalidValue(f"cannot use the quirks: {error}") from error
