"""Properties of an object on the bus; a missing property, or one of an unexpected type, is None.

Daemons rename properties, change their types or omit them in new versions. One unexpected property must not
hide the others, so nothing here raises an error.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.base.untrusted_number import LARGEST
from lpad.dbus.variant import plain

if TYPE_CHECKING:
    from collections.abc import Iterator

NO_OBJECT = "/"
"""The path that means that there is no object."""


class Properties:
    """The names and values of properties, with the types in which the values arrived."""

    def __init__(self, value: object = None) -> None:
        """Store a dictionary of variants; any other value counts as an empty dictionary."""
        self._values: dict[object, object] = value if isinstance(value, dict) else {}

    def __iter__(self) -> Iterator[str]:
        return (name for name in self._values if isinstance(name, str))

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def text(self, name: str) -> str | None:
        """Return a text; None if it is missing, empty or of another type."""
        value = plain(self._values.get(name))
        return value if isinstance(value, str) and value else None

    def path(self, name: str) -> str | None:
        """Return the path of another object; None if there is none."""
        value = self.text(name)
        return value if value is not None and value.startswith("/") and value != NO_OBJECT else None

    def number(self, name: str, *, least: int = 0, most: int = LARGEST) -> int | None:
        """Return a whole number from `least` to `most`; None for anything else."""
        value = plain(self._values.get(name))
        fits = isinstance(value, int) and not isinstance(value, bool) and least <= value <= most
        return value if fits else None

    def flag(self, name: str) -> bool | None:
        """Return a truth value; None if it is missing or of another type."""
        value = plain(self._values.get(name))
        return value if isinstance(value, bool) else None

    def texts(self, name: str) -> tuple[str, ...]:
        """Return the texts of a list; entries of other types are omitted."""
        return tuple(each for each in self._list(name) if isinstance(each, str) and each)

    def paths(self, name: str) -> tuple[str, ...]:
        """Return the paths of a list of objects."""
        return tuple(each for each in self.texts(name) if each.startswith("/") and each != NO_OBJECT)

    def record(self, name: str) -> tuple[object, ...]:
        """Return a record as a tuple of plain values; empty if it is missing."""
        return tuple(self._list(name))

    def records(self, name: str) -> tuple[tuple[object, ...], ...]:
        """Return the records of a list, such as a modem's ports: each a tuple of plain values."""
        return tuple(tuple(each) for each in self._list(name) if isinstance(each, list))

    def tables(self, name: str) -> tuple[Properties, ...]:
        """Return the dictionaries of a list, such as addresses."""
        return tuple(Properties(each) for each in self._list(name) if isinstance(each, dict))

    def table(self, name: str) -> Properties:
        """Return a dictionary, such as a section of settings; without entries if it is missing."""
        return Properties(plain(self._values.get(name)))

    def _list(self, name: str) -> list[object]:
        value = plain(self._values.get(name))
        return value if isinstance(value, list) else []


def of_objects(answer: object) -> dict[str, dict[str, Properties]]:
    """Read the answer to org.freedesktop.DBus.ObjectManager.GetManagedObjects.

    Args:
        answer: a dictionary of paths, each with a dictionary of interfaces; other values are omitted.

    Returns:
        The properties of each object by its path and interface.
    """
    objects = answer if isinstance(answer, dict) else {}
    return {path: of_interfaces(interfaces) for path, interfaces in objects.items() if isinstance(path, str)}


def of_interfaces(answer: object) -> dict[str, Properties]:
    """Return the properties of an object by interface, as in the signal InterfacesAdded."""
    interfaces = answer if isinstance(answer, dict) else {}
    return {name: Properties(values) for name, values in interfaces.items() if isinstance(name, str)}
