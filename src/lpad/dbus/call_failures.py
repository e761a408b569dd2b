"""The ways in which a call on the bus can fail.

    BusError
    ├── BusUnreachable   there is no bus, or the connection to it is gone
    ├── BusUnanswered    no answer in time
    └── BusRefused       the called program, or the bus itself, answered with an error

Callers convert these into their own errors, because only the caller knows the purpose of the call.
"""

from __future__ import annotations

NOT_PERMITTED = frozenset(
    {
        "org.freedesktop.DBus.Error.AccessDenied",
        "org.freedesktop.DBus.Error.AuthFailed",
        "org.freedesktop.ModemManager1.Error.Core.Unauthorized",
        "org.freedesktop.NetworkManager.PermissionDenied",
        "org.freedesktop.NetworkManager.Settings.PermissionDenied",
        "org.freedesktop.NetworkManager.AgentManager.PermissionDenied",
    }
)
"""Names of errors that mean that lpad's user is not permitted to make the call."""
NOBODY = frozenset(
    {
        "org.freedesktop.DBus.Error.ServiceUnknown",
        "org.freedesktop.DBus.Error.NameHasNoOwner",
        "org.freedesktop.DBus.Error.NoReply",
        "org.freedesktop.DBus.Error.Disconnected",
        # the bus tried to start the program, and failed
        "org.freedesktop.DBus.Error.TimedOut",
        "org.freedesktop.DBus.Error.Spawn.ServiceNotFound",
        "org.freedesktop.DBus.Error.Spawn.ChildExited",
        "org.freedesktop.systemd1.NoSuchUnit",
    }
)
"""Names of errors that mean that the called program does not run, or ended before it answered."""
NO_SUCH_OBJECT = frozenset(
    {
        "org.freedesktop.DBus.Error.UnknownObject",
        "org.freedesktop.DBus.Error.UnknownMethod",
        "org.freedesktop.DBus.Error.UnknownInterface",
    }
)
"""Names of errors that mean that an object no longer exists, such as a modem that is being probed again."""

BUSY = frozenset(
    {
        "org.freedesktop.ModemManager1.Error.Core.InProgress",
        "org.freedesktop.ModemManager1.Error.Core.Retry",
    }
)
"""Names of errors that mean that the called program is only busy, for example while it ends a connection."""

_LONGEST = 500


class BusError(Exception):
    """The base class of all failures of a call on the bus."""


class BusUnreachable(BusError):
    """There is no bus, or the connection to it is gone."""

    def __init__(self, text: str, *, for_good: bool = False) -> None:
        """Create the error.

        Args:
            text: the sentence for people.
            for_good: whether the bus stays unreachable until something is installed.
        """
        super().__init__(text)
        self.for_good = for_good


class BusUnanswered(BusError):
    """There was no answer before the deadline."""


class BusRefused(BusError):
    """The answer is an error."""

    def __init__(self, name: str, text: str) -> None:
        """Create the error from the answer.

        Args:
            name: the error's name, such as org.freedesktop.DBus.Error.AccessDenied.
            text: the error's text for people; cut off after 500 characters.
        """
        self.name = name
        self.text = text[:_LONGEST]
        super().__init__(self.text or name)

    @property
    def not_permitted(self) -> bool:
        """Whether lpad's user is not permitted to make this call."""
        return self.name in NOT_PERMITTED

    @property
    def busy(self) -> bool:
        """Whether the called program is only busy for the moment, so that the same call may succeed soon."""
        return self.name in BUSY

    @property
    def nobody_there(self) -> bool:
        """Whether the called program does not run, or has ended."""
        return self.name in NOBODY

    @property
    def no_such_object(self) -> bool:
        """Whether the called object no longer exists."""
        return self.name in NO_SUCH_OBJECT
