"""Simulated modems and cards by name, from the table in personalities.yaml."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import yaml

from lpad.base.errors import InvalidValue
from lpad.simulator.euicc.chip.behaviour import CardBehaviour
from lpad.simulator.modem.personality import ModemPersonality

if TYPE_CHECKING:
    from collections.abc import Mapping

_TABLE = Path(__file__).with_name("personalities.yaml")


@dataclass(frozen=True, slots=True)
class Personality:
    """A modem with a card, and a sentence about their peculiarities."""

    name: str
    about: str
    modem: ModemPersonality
    card: CardBehaviour


def personality_names() -> tuple[str, ...]:
    """Return the names in the table's order."""
    return tuple(_table())


def find_personality(
    name: str, *, modem: Mapping[str, Any] | None = None, card: Mapping[str, Any] | None = None
) -> Personality:
    """Return a personality of the table.

    Args:
        name: the name in the table.
        modem: values that override the table's; see `ModemPersonality`.
        card: values that override the table's; see `CardBehaviour`.

    Raises:
        InvalidValue: there is no personality with this name, or a value is unknown or out of range.
    """
    table = _table()
    if name not in table:
        raise InvalidValue(f"there is no personality '{name}'; the known ones are {', '.join(table)}")
    entry = table[name]
    return Personality(
        name,
        entry["about"],
        _modem_personality({**entry.get("modem", {}), **(modem or {})}),
        CardBehaviour.from_dict({**entry.get("card", {}), **(card or {})}),
    )


def _modem_personality(settings: dict[str, Any]) -> ModemPersonality:
    unknown = settings.keys() - set(ModemPersonality.__dataclass_fields__)
    if unknown:
        raise InvalidValue(f"a simulated modem has no property {', '.join(sorted(unknown))}")
    try:
        return msgspec.convert(settings, ModemPersonality)
    except msgspec.ValidationError as error:
        raise InvalidValue(f"the simulated modem's properties: {error}") from error


@cache
def _table() -> dict[str, Any]:
    table: dict[str, Any] = yaml.safe_load(_TABLE.read_text(encoding="utf-8"))
    return table
