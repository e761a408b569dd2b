"""Simulated modems and cards by name: the table in personalities.yaml, read."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import yaml

from lpad.errors import InvalidValue
from lpad.simulator.euicc.behaviour import CardBehaviour
from lpad.simulator.modem_personality import ModemPersonality

_TABLE = Path(__file__).with_name("personalities.yaml")


@dataclass(frozen=True, slots=True)
class Personality:
    """A modem with a card in it, and what is peculiar about them, as a sentence."""

    name: str
    about: str
    modem: ModemPersonality
    card: CardBehaviour


def personality_names() -> tuple[str, ...]:
    """Return the names in the table's order."""
    return tuple(_table())


def find_personality(name: str) -> Personality:
    """Return a personality of the table.

    Raises:
        InvalidValue: there is none of this name.
    """
    table = _table()
    if name not in table:
        raise InvalidValue(f"there is no personality '{name}'; there are {', '.join(table)}")
    entry = table[name]
    return Personality(
        name,
        entry["about"],
        modem_personality(entry.get("modem", {})),
        CardBehaviour.from_dict(entry.get("card", {})),
    )


def modem_personality(settings: dict[str, Any]) -> ModemPersonality:
    """Make a modem's habits from what JSON or YAML holds.

    Raises:
        InvalidValue: an unknown name or a value of the wrong type or range.
    """
    unknown = settings.keys() - set(ModemPersonality.__dataclass_fields__)
    if unknown:
        raise InvalidValue(f"a simulated modem has no habit {', '.join(sorted(unknown))}")
    try:
        return msgspec.convert(settings, ModemPersonality)
    except msgspec.ValidationError as error:
        raise InvalidValue(f"the simulated modem's habits: {error}") from error


def _table() -> dict[str, Any]:
    table: dict[str, Any] = yaml.safe_load(_TABLE.read_text(encoding="utf-8"))
    return table
