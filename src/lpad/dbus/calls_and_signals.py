"""Messages on the bus: calls, and the signals that a connection has subscribed to."""

from __future__ import annotations

from typing import Any, ClassVar

from lpad.base.frozen import Frozen

DBUS = "org.freedesktop.DBus"
OBJECT_MANAGER = "org.freedesktop.DBus.ObjectManager"
PROPERTIES = "org.freedesktop.DBus.Properties"
OWNER_CHANGED = "NameOwnerChanged"


class Call(Frozen, kw_only=True):
    """A method of an object on the bus, with its arguments."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"body"})
    to: str
    """The name of the program, such as org.freedesktop.ModemManager1."""
    path: str
    interface: str
    member: str
    signature: str = ""
    body: tuple[Any, ...] = ()
    """Arguments; a value that is sent together with its type is a `Variant`. Arguments may contain secrets,
    so they are never printed."""


class Signal(Frozen):
    """A signal of an object to its subscribers."""

    HIDDEN: ClassVar[frozenset[str]] = frozenset({"body"})
    path: str
    interface: str
    member: str
    body: tuple[Any, ...]


class Rule(Frozen, kw_only=True):
    """The signals that a listener wants; a field that is None matches any value."""

    sender: str
    """The name of the program. Similar signals of other programs do not arrive, unless another rule of the
    same connection requests them."""
    interface: str | None = None
    member: str | None = None
    path: str | None = None
    arg0: str | None = None
    """The signal's first argument, a text."""

    def __str__(self) -> str:
        parts = {
            "sender": self.sender,
            "interface": self.interface,
            "member": self.member,
            "path": self.path,
            "arg0": self.arg0,
        }
        return "type='signal'," + ",".join(f"{key}='{value}'" for key, value in parts.items() if value)

    def takes(self, signal: Signal) -> bool:
        """Return whether a signal matches this rule; the sender is not checked."""
        return (
            self.interface in (None, signal.interface)
            and self.member in (None, signal.member)
            and self.path in (None, signal.path)
            and (self.arg0 is None or signal.body[:1] == (self.arg0,))
        )


def owner_changed(name: str) -> Rule:
    """Return the rule for the signal that a program has started or ended.

    Args:
        name: the program's name on the bus.
    """
    return Rule(sender=DBUS, interface=DBUS, member=OWNER_CHANGED, arg0=name)
