"""Every plain value that can be reached from an object, by its path."""

from __future__ import annotations

import enum
import re
import socket
from collections import deque
from functools import partial
from pathlib import Path
from types import FunctionType, MethodType
from typing import TYPE_CHECKING, Any

from starlette.datastructures import State

from lpad.daemon.card_ports import CardPorts
from lpad.settings import SettingsFile
from lpad.settings.parsing.section_base import Section

if TYPE_CHECKING:
    from collections.abc import Iterator

_PLAIN = (type(None), bool, int, float, str, bytes, enum.Enum, Path, type)
_INPUT = (Section, SettingsFile, CardPorts)
"""The settings themselves and the code that compares them: storing a setting is not an effect."""


def picture(**roots: object) -> dict[str, str]:
    """Return the values on all objects of lpad that are reached from the roots, closures included."""
    found: dict[str, str] = {}
    seen: set[int] = set()
    waiting = deque(roots.items())
    kept = []  # A temporary object that is dropped would give its id to another one.
    while waiting:
        path, thing = waiting.popleft()
        if isinstance(thing, _PLAIN):
            found[path] = repr(thing)
        elif isinstance(thing, socket.socket):
            found[path] = repr(thing.getsockname())
        elif isinstance(thing, re.Pattern):
            found[path] = repr(thing.pattern)
        elif isinstance(thing, set | frozenset):
            found[path] = repr(sorted(map(repr, thing)))
        elif id(thing) not in seen and not isinstance(thing, _INPUT):
            seen.add(id(thing))
            kept.append(thing)
            waiting.extend((f"{path}.{name}", value) for name, value in _parts(thing))
    return found


def _parts(thing: Any) -> Iterator[tuple[str, object]]:
    if isinstance(thing, dict | list | tuple | deque):
        yield from _items(thing)
    elif isinstance(thing, partial):
        yield from (("func", thing.func), ("args", thing.args), ("keywords", thing.keywords))
    elif isinstance(thing, MethodType):
        yield from (("of", thing.__self__), ("name", thing.__name__))
    elif isinstance(thing, FunctionType):
        yield "name", thing.__qualname__
        for name, cell in zip(thing.__code__.co_freevars, thing.__closure__ or (), strict=True):
            yield name, cell.cell_contents
        yield "defaults", (thing.__defaults__, thing.__kwdefaults__)
    elif type(thing).__module__.startswith("lpad.") or isinstance(thing, State):
        slots = (name for class_ in type(thing).__mro__ for name in class_.__dict__.get("__slots__", ()))
        yield from ((name, getattr(thing, name)) for name in slots if hasattr(thing, name))
        yield from getattr(thing, "__dict__", {}).items()


def _items(thing: dict[Any, Any] | list[Any] | tuple[Any, ...] | deque[Any]) -> Iterator[tuple[str, object]]:
    if isinstance(thing, dict):
        yield from ((f"[{key!r}]", value) for key, value in thing.items())
        yield "keys", repr(list(thing))
    else:
        yield from ((f"[{number}]", value) for number, value in enumerate(thing))
