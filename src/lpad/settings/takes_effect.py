"""When changed settings take effect, immediately or after a restart: a table by key."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.settings.settings import Settings


class When(StrEnum):
    """The times at which a changed setting takes effect."""

    RELOAD = "reload"
    RESTART = "restart"


WHEN: dict[str, When] = {
    "euiccs": When.RELOAD,
    "socket": When.RESTART,
    "state_folder": When.RESTART,
    "log": When.RELOAD,
    "answer_within": When.RELOAD,
    "policy": When.RELOAD,
    "trust": When.RELOAD,
    "remote": When.RELOAD,
    "access": When.RELOAD,
    "history": When.RELOAD,
    "deadlines": When.RELOAD,
    "downloads": When.RELOAD,
    "provision": When.RELOAD,
    "provisioning": When.RELOAD,
    "platforms": When.RELOAD,
    "discovery": When.RELOAD,
    "modem_manager": When.RELOAD,
    "network": When.RELOAD,
    "events": When.RELOAD,
    "webhooks": When.RELOAD,
}
"""Every top-level key of the file; the keys below it take effect at the same time."""


def restart_needed(running: Settings, wanted: Settings) -> tuple[str, ...]:
    """Return the dotted keys that differ and take effect only after a restart."""
    return tuple(key for key in changed(running, wanted) if WHEN.get(key.split(".")[0]) is not When.RELOAD)


def changed(before: Settings, after: Settings) -> tuple[str, ...]:
    """Return the dotted keys that differ between two settings."""
    return tuple(_differences(msgspec.to_builtins(before), msgspec.to_builtins(after), ""))


def _differences(before: object, after: object, path: str) -> Iterator[str]:
    if isinstance(before, dict) and isinstance(after, dict):
        for key in {**before, **after}:
            yield from _differences(before.get(key), after.get(key), f"{path}.{key}" if path else key)
    elif before != after:
        yield path
