"""A modem on a control port (MBIM, QMI), whose answers are data and not AT lines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import Imei
    from lpad.card.modem.common_modem_answers import ModemIccid, Power, RejectCause
    from lpad.card.quirks.modem_identity import ModemIdentity
    from lpad.card.quirks.quirks import AtTimeouts
    from lpad.protocol.data_session_types import SessionReport, SessionWish
    from lpad.protocol.registration_answer import Registration


class ControlModem(Protocol):
    """The queries and actions of a modem on a control port; on an AT port, AT commands serve these purposes.

    Every method raises CardUnreachable if the port is gone or does not answer.
    """

    protocol: str
    """The name of the protocol in errors and log entries."""
    reattaching: tuple[tuple[str, str], ...]
    """Actions for `take` that detach and attach, gentlest first."""

    patience: AtTimeouts
    """The time to wait for answers."""

    def close(self) -> None:
        """Release the port; never raises, and a second call does nothing."""
        ...

    def identity(self, *, deadline: Deadline) -> ModemIdentity:
        """Return model and firmware, as far as the modem reports them."""
        ...

    def imei(self, *, deadline: Deadline) -> Imei | None:
        """Return the modem's IMEI, or None if it reports no valid one."""
        ...

    def iccid(self, *, deadline: Deadline) -> ModemIccid:
        """Return the modem's report on the ICCID that it reads."""
        ...

    def registrations(self, *, deadline: Deadline) -> tuple[Registration, ...]:
        """Return the registration; empty if the modem reports none."""
        ...

    def lock(self, *, deadline: Deadline) -> str | None:
        """Return the lock that the modem reports, under its name in AT+CPIN?; None if it reports none."""
        ...

    def reject_cause(self, *, deadline: Deadline) -> RejectCause:
        """Return the causes of the last refused attach and data session, as far as they are known."""
        ...

    def take(self, action: str, *, deadline: Deadline) -> bool:
        """Carry out an action by its name, as in a refresh ladder; return whether the modem accepted it."""
        ...

    def power(self, *, deadline: Deadline) -> Power:
        """Return whether the radio is on, if the modem reports this."""
        ...

    def session(self, *, deadline: Deadline) -> SessionReport:
        """Return the state of the data session."""
        ...

    def open_session(self, wish: SessionWish, *, deadline: Deadline) -> SessionReport:
        """Open the data session with the settings in `wish`, in place of an open one; return its state."""
        ...

    def forget_unsolicited(self) -> None:
        """Forget the indications so far; `wait_for` considers only later ones."""
        ...

    def wait_for(self, beginnings: Sequence[str], *, deadline: Deadline) -> str | None:
        """Wait for an indication about SIM or registration; return its name, or None if none came."""
        ...


@runtime_checkable
class StoresInitialBearer(Protocol):
    """A modem that may store the settings of its initial bearer, and report them."""

    def attach_settings(self, *, deadline: Deadline) -> tuple[SessionWish, ...]:
        """Return the settings with which the modem attaches; empty: the modem does not report them."""
        ...

    def store_attach_settings(self, wish: SessionWish, *, deadline: Deadline) -> bool:
        """Store settings for the next attach; return whether the modem accepts them."""
        ...
