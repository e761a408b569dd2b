"""The interface to the program, or the modem, that makes the data connection with a profile's settings.

One switch calls an applier in this order:

    prepare    before the card is asked to enable the profile
    apply      once card and modem agree on the profile, while lpad still holds the modem's port
    connect    once the modem was returned to its user
    look       whenever lpad queries the state of registration, bearer and address

If the switch is rolled back, `undo` follows, and then `apply` and `connect` with the previous profile's
settings. `undo` also follows if the switch ends before the card is asked. If the profile is already enabled,
`verify` shows whether lpad must call `apply` and `connect`. `look` and `verify` change nothing. Every call is
idempotent: it may be interrupted at any point and repeated. No call raises an error for an outside failure: a
failure is an `Outcome`, whose sentence contains no secret and no complete ICCID. No call exceeds its deadline
by more than a second.
"""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING, Protocol

from msgspec import field

from lpad.base.frozen import Frozen

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from lpad.base.deadline import Deadline
    from lpad.dbus.calls_and_signals import Rule
    from lpad.network.connection_layer_names import Culprit
    from lpad.network.network_settings import NetworkSettings
    from lpad.network.reject_cause import Cause
    from lpad.protocol.at_dialogue import AtAnswer, AtCommand
    from lpad.protocol.data_session_types import SessionReport, SessionWish
    from lpad.protocol.pdp_context_commands import AuthenticationCommand
    from lpad.protocol.registration_answer import Registration

MOST_MEMORY = 4096
"""The maximum number of characters that an applier stores in the journal for `undo`, names and values
together."""


class Applied(Frozen, kw_only=True):
    """The work is done, or there was nothing to do."""

    told: str
    """The result in words, without secrets."""
    memory: Mapping[str, str] = field(default_factory=dict)
    """The earlier state for `undo`: `prepare` returns it, and the journal stores it.

    The state has at most 4096 characters, and contains no secret."""
    interface: str | None = None
    """The network interface that the connection uses, such as wwan0; None: unknown."""


class Failed(Frozen, kw_only=True):
    """The step failed, and a repetition would fail, too."""

    layer: Culprit
    """The failed part: a layer, or the owner's program."""
    told: str
    """The error's sentence: the attempt, the result and the remedy, without secrets."""
    cause: Cause | None = None
    """The network's own reason, if it gave one."""


class TryAgain(Frozen, kw_only=True):
    """The step failed for now, for instance because a service restarts or the modem is still missing."""

    told: str
    layer: Culprit
    """The layer that is not up yet, or the owner's program that is not ready."""
    after: float = 1.0
    """Seconds after which lpad should try again."""


Outcome = Applied | Failed | TryAgain


class State(enum.StrEnum):
    """Whether a layer works, as far as an applier can observe."""

    UP = "up"
    DOWN = "down"
    UNKNOWN = "unknown"
    """The layer was not checked, which counts neither as working nor as failed."""


class Sight(Frozen, kw_only=True):
    """An observation of one layer."""

    state: State = State.UNKNOWN
    told: str = ""
    cause: Cause | None = None


UNSEEN = Sight()


class Connection(Frozen, kw_only=True):
    """The observed data connection of a profile."""

    registered: Sight = UNSEEN
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
        """The AT command with which the modem's family stores user name and password."""
        ...

    @property
    def operator_configuration(self) -> Mapping[str, str]:
        """AT queries on whether the card selects an operator configuration, each with the answer for yes."""
        ...

    def ask(self, command: AtCommand, *, deadline: Deadline) -> AtAnswer:
        """Send a command once; any final result is an answer, even a refusal.

        Raises:
            CardUnreachable: the modem does not answer in time, or its port has disappeared.
        """
        ...

    def attach_anew(self, *, deadline: Deadline) -> bool:
        """Make the modem detach and attach; return whether it accepted the commands.

        Raises:
            CardUnreachable: the modem does not answer in time, or its port has disappeared.
        """
        ...


class DataSession(Protocol):
    """The data session of a modem on a control port (MBIM, QMI), while lpad holds the port."""

    def registration(self, *, deadline: Deadline) -> tuple[Registration, ...]:
        """Return the modem's registration; empty: the modem does not report it.

        Raises:
            CardUnreachable: the modem does not answer in time, or its port has disappeared.
        """
        ...

    def report(self, *, deadline: Deadline) -> SessionReport:
        """Return the state of the session.

        Raises:
            CardUnreachable: the modem does not answer in time, or its port has disappeared.
        """
        ...

    def attach_settings(self, *, deadline: Deadline) -> tuple[SessionWish, ...]:
        """Return the settings of the initial bearer; empty: the modem does not report them.

        If the modem stores different settings for other networks, all settings are returned.

        Raises:
            CardUnreachable: the modem does not answer in time, or its port has disappeared.
        """
        ...

    def attach_with(self, wish: SessionWish, *, deadline: Deadline) -> bool:
        """Store these settings for the initial bearer, and attach again.

        Returns:
            Whether the modem accepts the settings.

        Raises:
            CardUnreachable: the modem does not answer in time, or its port has disappeared.
        """
        ...

    def open(self, wish: SessionWish, *, deadline: Deadline) -> SessionReport:
        """Open the session with these settings, in place of an open one; return its state.

        Raises:
            CardUnreachable: the modem does not answer in time, or its port has disappeared.
        """
        ...


class Modem(Protocol):
    """The modem with the card, provided by the caller."""

    @property
    def imei(self) -> str | None:
        """The IMEI, 15 digits (ModemManager's EquipmentIdentifier); None if unknown."""
        ...

    @property
    def port(self) -> str | None:
        """The port through which lpad reaches the modem, such as /dev/ttyUSB2; None if unknown."""
        ...

    def dialogue(self, *, deadline: Deadline) -> AbstractContextManager[Dialogue | None]:
        """Borrow the modem's AT port; yield None if the modem has none, or if another program uses the modem.

        Raises:
            CardError: the port has disappeared, or another program uses it.
        """
        ...

    def session(self, *, deadline: Deadline) -> AbstractContextManager[DataSession | None]:
        """Use the control port, which lpad shares with other programs; yield None if the modem has none.

        Raises:
            CardError: the port has disappeared, or another program uses it.
        """
        ...


class Wanted(Frozen, kw_only=True):
    """One profile's settings, for one modem."""

    eid: str
    iccid: str
    """The ICCID of the profile with these settings, without padding F."""
    settings: NetworkSettings
    previous_iccid: str | None = None
    """The ICCID of the previous profile; None if it is unknown or no profile was enabled."""
    modem: Modem | None = None
    """None: the card is in a reader, so there is no modem."""


class Applier(Protocol):
    """Passes network settings to the program, or the modem, that makes the data connection."""

    @property
    def name(self) -> str:
        """The name in the settings file: none, networkmanager, modemmanager, at or command."""
        ...

    @property
    def reconnects(self) -> bool:
        """Whether `connect` must follow each loan of the modem, because no other program reconnects."""
        ...

    @property
    def signals(self) -> tuple[Rule, ...]:
        """The D-Bus signals after which `look` may return another state; empty: there are no such signals."""
        ...

    def prepare(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        """Prepare a switch to the profile: prevent the previous profile's connection from returning."""
        ...

    def apply(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        """Store the settings where they take effect.

        The modem has read the profile, and lpad still holds the modem's port.
        """
        ...

    def connect(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        """Make the connection with these settings; the modem was returned to its user, or soon will be.

        The modem may have a new object or device; `Modem.imei` identifies the modem.
        """
        ...

    def verify(self, wanted: Wanted, *, deadline: Deadline) -> Outcome:
        """Return `Applied` if these settings are in force for the profile; otherwise name the differences."""
        ...

    def undo(self, wanted: Wanted, memory: Mapping[str, str], *, deadline: Deadline) -> Outcome:
        """Undo the changes of `prepare`, `apply` and `connect` for the profile.

        Args:
            memory: the result of `prepare`; empty if `prepare` was interrupted or never ran.
        """
        ...

    def forget(self, iccid: str, *, deadline: Deadline) -> Outcome:
        """Remove the settings of a deleted profile; an unknown profile is not a failure."""
        ...

    def look(self, wanted: Wanted, *, deadline: Deadline) -> Connection:
        """Return the observed state of the connection; unobservable parts are unknown."""
        ...
