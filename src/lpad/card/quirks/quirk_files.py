"""The files of quirks: found by a modem's identification, and read when needed, one family at a time."""

from __future__ import annotations

import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from lpad.base.frozen import Frozen
from lpad.card.quirks.quirks import Quirks

if TYPE_CHECKING:
    from lpad.card.quirks.modem_identity import ModemIdentity

_log = logging.getLogger(__name__)

FOLDER = Path(__file__).parent
INDEX = "families.yaml"
GENERIC = "generic.yaml"


class Matched(Frozen):
    """The quirks for one modem, and the names of their entries."""

    quirks: Quirks
    entries: tuple[str, ...]


def find_quirks(identity: ModemIdentity) -> Matched:
    """Return the quirks of a modem: the generic ones, overridden by its family's and its model's.

    Only the index, the generic file and the family's file are read.
    """
    quirks, entries = Quirks(), []
    for file in (GENERIC, family_file(identity)):
        for entry in [] if file is None else read(file):
            if _matches(entry, identity):
                quirks = quirks.merged(entry.get("quirks") or {})
                entries.append(str(entry["name"]))
    return Matched(quirks, tuple(entries))


def family_file(identity: ModemIdentity) -> str | None:
    """Return the name of the file that describes a modem's family; None for an unknown family."""
    for pattern, file in _load(INDEX).items():
        if re.search(pattern, f"{identity.manufacturer} {identity.model}", re.IGNORECASE):
            return str(file)
    return None


def read(file: str) -> list[dict[str, Any]]:
    """Return a family's entries, from the most general to the most specific."""
    entries: list[dict[str, Any]] = _load(file)
    return entries


def _matches(entry: dict[str, Any], identity: ModemIdentity) -> bool:
    return all(
        re.search(entry.get(key, ""), value, re.IGNORECASE)
        for key, value in (("model", identity.model), ("firmware", identity.firmware))
    )


def _load(file: str) -> Any:
    return yaml.load((FOLDER / file).read_text(encoding="utf-8"), Loader=_LOADER)  # noqa: S506 - safe loader


# libyaml's parser, if PyYAML was built with it, is ten times as fast.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
