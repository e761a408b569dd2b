"""The port behind which whoever makes the device's data connection takes a profile's network settings.

One switch calls an applier in this order:

    prepare    before the card is asked to enable the profile
    apply      once card and modem agree on it, while lpad still holds the modem's port
    connect    once the modem was returned to its user
    verify     whether these settings are in force; changes nothing
    look       what can be seen of bearer and address; changes nothing

If the switch is taken back, `undo` follows, and then `apply` and `connect` with the previous profile's
settings. Everything may be cut off at any point and called again: each of these is idempotent. None of them
raises for what comes from outside: a failure is an `Outcome`, whose sentence holds no secret and no whole
ICCID. None of them outlasts its deadline by more than a second.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from lpad.base.deadline import Deadline
    from lpad.network.layer import Cause, Layer
    from lpad.network.settings import NetworkSettings
    from lpad.protocol.at_dialogue import AtAnswer, AtCommand
    from lpad.protocol.context_commands import AuthenticationCommand

MOST_MEMORY = 4096
"""Characters of what an applier has the journal remember for `undo`, names and values together."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """It is done, or there was nothing to do."""

    told: str
    """What was done, in words; free of secrets."""
    memory: Mapping[str, str] = field(default_factory=dict)
    """What `undo` needs to know of the state before: `prepare` returns it, and the journal keeps it.

    At most 4096 characters in all, and no secret among them."""
    interface: str | None = None
    """The network interface that the connection uses, such as wwan0; None: unknown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """It did not work, and the same again would not either."""

    layer: Layer
    told: str
    """What was attempted, what came of it, and what the reader can do; free of secrets."""
    cause: Cause | None = None
    """The network's own reason, if it gave one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TryAgain:
    """It did not work for now: the service restarts, the modem is still away, or the time was over."""

    told: str
    layer: Layer
    """The layer that is not there yet."""
    after: float = 1.0
    """Seconds until another attempt makes sense."""


Outcome = Applied | Failed | TryAgain


class State(enum.StrEnum):
    """Whether a layer is there, as far as an applier can see."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"
    """Nothing that could see it was asked; neither good nor bad follows from it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """One layer, as it was seen."""

    state: State = State.UNKNOWN
    told: str = ""
    cause: Cause | None = None


UNSEEN = Sight()


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """What can be seen of the data connection of a profile."""

    bearer: Sight = UNSEEN
    address: Sight = UNSEEN
    addresses: tuple[str, ...] = ()
    """IP addresses as text, without prefix length."""
    interface: str | None = None


UNKNOWN_CONNECTION = Connection()


class Dialogue(Protocol):
    """A modem's AT port while lpad holds it."""

    @property
    def authentication_command(self) -> AuthenticationCommand:
        """The command of the modem's family that takes user name and password."""
        ...

    @property
    def operator_configuration(self) -> Mapping[str, str]:
        """What asks whether the card selects an operator configuration, and the answer that says so."""
        ...

    def ask(self, command: AtCommand, *, deadline: Deadline) -> AtAnswer:
        """Send a command once; any final result is an answer, a refusal too.

        Raises:
            CardUnreachable: no answer in time, or the port is gone.
        """
        ...

    def attach_anew(self, *, deadline: Deadline) -> bool:
        """Have the modem detach and attach; return whether it took the commands.

        Raises:
            CardUnreachable: no answer in time, or the port is gone.
        """
        ...


class Modem(Protocol):
    """The modem that the card is in, handed in by who switches."""

    @property
    def imei(self) -> str | None:
        """15 digits, ModemManager's EquipmentIdentifier; None: unknown."""
        ...

    @property
    def port(self) -> str | None:
        """The device that lpad reaches it through, such as /dev/ttyUSB2; None: unknown."""
        ...

    def dialogue(self, *, deadline: Deadline) -> AbstractContextManager[Dialogue | None]:
        """Borrow the AT port; None if there is none, or if its user has the modem.

        Raises:
            CardError: the port is gone, or held by another program.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """One profile's settings, on one modem."""

    eid: str
    iccid: str
    """Of the profile whose settings these are, without padding F."""
    settings: NetworkSettings
    previous_iccid: str | None = None
    """Of the profile that is left; None: none was enabled, or it is unknown."""
    modem: Modem | None = None
    """None: the card is in a reader, and lpad sees no modem."""


class Applier(Protocol):
    """Takes network settings to whoever makes the data connection."""

    @property
    def name(self) -> str:
        """As the settings file names it: none, networkmanager, modemmanager, at or command."""
        ...

    def prepare(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        """Get ready for a switch to the profile: keep the previous profile's connection from coming back."""
        ...

    def apply(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        """Store the settings where they take effect; the modem reads the profile and is still lpad's."""
        ...

    def connect(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        """Have the connection made with these settings; the modem is its user's again, or soon will be.

        It may have a new object or device meanwhile, and is the same one by `Modem.imei`.
        """
        ...

    def verify(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        """Return `Applied` if these settings are in force for this profile, and else what differs."""
        ...

    def undo(self, wanted: Wanted, memory: Mapping[str, str], *, deadline: Deadline) -> Outcome:
        """Take back what `prepare`, `apply` and `connect` changed for the profile.

        Args:
            wanted: as it was given to these.
            memory: what `prepare` returned; empty if it was cut off, or never ran.
            deadline: when to give up.
        """
        ...

    def forget(self, iccid: str, *, deadline: Deadline) -> Outcome:
        """Remove what was made for a profile that is deleted; one that is unknown is no failure."""
        ...

    def look(self, wanted: Wanted, *, deadline: Deadline) -> Connection:
        """Return what can be seen of the connection; what cannot be seen is unknown."""
        ...
