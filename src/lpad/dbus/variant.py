"""A value that is sent together with its type, like most properties on the bus."""

from __future__ import annotations

from typing import Any

from msgspec import Struct


class Variant(Struct, frozen=True):
    """A value and its D-Bus signature, such as `s`, `u` or `a{sv}`."""

    signature: str
    value: Any


def plain(value: object) -> Any:
    """Return a value without its D-Bus types, at any depth."""
    if isinstance(value, Variant):
        return plain(value.value)
    if isinstance(value, dict):
        return {plain(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return value
