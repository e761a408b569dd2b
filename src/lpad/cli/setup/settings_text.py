"""The text of a settings file with more cards; its comments and other settings stay as they are."""

from __future__ import annotations

import grp
import json
import os
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from lpad.base.errors import InvalidSettings
from lpad.base.frozen import Frozen
from lpad.settings import SettingsFile

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NEW_FILE = (
    "# Settings of lpad. lpad.yaml(5) describes every key; 'lpad check-config' finds mistakes.\n\neuiccs:\n"
)
_PLAIN = re.compile(r"/[A-Za-z0-9/_.:+@-]*[A-Za-z0-9/_.+@-]")
_EMPTY = re.compile(r"euiccs:\s*(?:\{\s*\}|null|~)?\s*(#.*)?")
_PORT = re.compile(r"(\s+)port:(?:\s.*)?")
_FALLBACKS = re.compile(r"(\s+)fallback_ports:\s*\[[^\]]*\](\s*(?:#.*)?)")
_FALLBACKS_BELOW = re.compile(r"(\s+)fallback_ports:\s*(?:#.*)?")
_ITEM = re.compile(r"""(\s+)-\s+(?:/[^\s#:]+|"[^"]*"|'[^']*')\s*(?:\s#.*)?""")
_NOTHING = re.compile(r"\s*(?:#.*)?")
_INDENT = "  "
_MODE = 0o640
_GROUP = "lpad"


class NewCard(Frozen, kw_only=True):
    """A card to add to the settings."""

    name: str
    key: str
    """The key in the settings: `port` or `reader`."""
    place: str
    fallbacks: tuple[str, ...] = ()
    """Other ports of the same modem that reach the card."""
    aid: str | None = None
    """The AID of the ISD-R, in hex, if the card has several eUICCs."""


def with_cards(path: Path, cards: Sequence[NewCard], ports: Mapping[str, Sequence[str]] | None = None) -> str:
    """Return the text of a settings file with cards added, and with more ports of its cards.

    Args:
        path: the file, which need not exist.
        cards: the cards to add, with names that the file does not have.
        ports: the additional `fallback_ports` of cards that are already in the file.

    Raises:
        InvalidSettings: the file has mistakes, or its cards are written in a form to which nothing can be
            added; the error's sentence contains the lines to add.
    """
    text = _with_ports(path, ports) if ports else None
    return _with_cards(path, cards, text) if cards or text is None else text


def _with_ports(path: Path, ports: Mapping[str, Sequence[str]]) -> str:
    file = SettingsFile.read(path)
    lines = path.read_text(encoding="utf-8").splitlines()
    edits: dict[int, list[str]] = {}
    for name, more in ports.items():
        known = file.settings.euiccs[name].fallback_ports
        told = f"fallback_ports: {json.dumps([*known, *more])}"
        number = file.lines.get(("euiccs", name, "fallback_ports"))
        if number is not None:
            edit = _longer_list(lines, number, told, more)
        else:
            # Known fallback ports without a line here are set in another file
            port = None if known else file.lines.get(("euiccs", name, "port"))
            edit = _new_list(lines, port, told)
        if edit is None:
            place = "among its keys" if number is None and not known else "in place of its fallback_ports"
            raise InvalidSettings(
                f"{path}: cannot add a port to the card '{name}', because its ports are written in a form"
                f" that lpad does not change; write this line yourself, {place}:\n{_INDENT * 2}{told}"
            )
        edits.update(edit)
    edited = [each for number, line in enumerate(lines, 1) for each in edits.get(number, [line])]
    return "\n".join(edited) + "\n"


def _longer_list(
    lines: Sequence[str], number: int, told: str, more: Sequence[str]
) -> dict[int, list[str]] | None:
    """Return the lines that replace a line of a list of ports, by its number; None: the form is unknown."""
    line = lines[number - 1]
    found = _FALLBACKS.fullmatch(line)
    if found is not None:
        return {number: [f"{found[1]}{told}{found[2]}"]}
    key = _FALLBACKS_BELOW.fullmatch(line)
    last, indent = 0, ""
    for below, each in enumerate(lines[number:] if key is not None else (), number + 1):
        item = _ITEM.fullmatch(each)
        if item is not None:
            last, indent = below, item[1]
        elif _NOTHING.fullmatch(each) is None:
            if key is not None and each.startswith((f"{key[1]} ", f"{key[1]}-")):
                return None  # this item has a form that cannot be extended
            break
    return {last: [lines[last - 1], *(f"{indent}- {_scalar(port)}" for port in more)]} if last else None


def _new_list(lines: Sequence[str], port: int | None, told: str) -> dict[int, list[str]] | None:
    """Return the lines that replace the line of the key `port`; None: the line has an unknown form."""
    line = lines[port - 1] if port is not None else ""
    found = _PORT.fullmatch(line)
    if found is None or port is None:
        return None
    listed = f"{found[1]}{told}"
    value = line[found.end(1) + len("port:") :]
    # a bare key has its value on the next line
    return {port: [listed, line] if _NOTHING.fullmatch(value) else [line, listed]}


def _with_cards(path: Path, cards: Sequence[NewCard], changed: str | None) -> str:
    """Return the file's text, or `changed` (which differs only below `euiccs`), with the cards added."""
    text = NEW_FILE
    below: Sequence[str] = ()
    indent, line = _INDENT, 3
    if path.exists():
        file = SettingsFile.read(path)
        text = changed or path.read_text(encoding="utf-8")
        below = [name for name in file.settings.euiccs if ("euiccs", name) in file.lines]
        if ("euiccs",) not in file.lines:
            text = f"{text.rstrip()}\n\neuiccs:\n".lstrip()
            line = text.count("\n")
        else:
            line = file.lines["euiccs",]
            if below:
                first = text.splitlines()[file.lines["euiccs", below[0]] - 1]
                indent = first[: len(first) - len(first.lstrip())]
    lines = text.splitlines()
    head = lines[line - 1] if line <= len(lines) else ""
    found = _EMPTY.fullmatch(head)
    if found is None or not indent:
        added = "\n".join(_block(cards, _INDENT))
        raise InvalidSettings(
            f"{path}: cannot add a card to the setting 'euiccs', because it is not written as a block; add"
            f" these lines below 'euiccs:' yourself:\n{added}"
        )
    lines[line - 1] = "euiccs:" + (f"  {found[1]}" if found[1] else "")
    return "\n".join([*lines[:line], *_block(cards, indent), *lines[line:]]) + "\n"


def write(path: Path, text: str) -> None:
    """Write a settings file; an existing file keeps owner and mode, and the group lpad can read a new file.

    Raises:
        InvalidSettings: the text has mistakes, or the file cannot be written.
    """
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise InvalidSettings(f"cannot write {path}: {error.strerror}") from error
    fresh = Path(name)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        SettingsFile.read(fresh)
        owner, group, mode = _rights(path)
        if os.geteuid() == 0:
            os.chown(fresh, owner, group)
        fresh.chmod(mode)
        fresh.replace(path)
    except OSError as error:
        raise InvalidSettings(f"cannot write {path}: {error.strerror}") from error
    finally:
        fresh.unlink(missing_ok=True)


def free_name(wanted: str, taken: Sequence[str]) -> str:
    """Return a name for a card: the wanted name, with a number from 2 if the settings already have it."""
    number = 2
    name = wanted
    while name in taken:
        name, number = f"{wanted}{number}", number + 1
    return name


def _block(cards: Sequence[NewCard], indent: str) -> list[str]:
    lines = []
    for card in cards:
        lines += [f"{indent}{card.name}:", f"{indent * 2}{card.key}: {_scalar(card.place)}"]
        if card.fallbacks:
            lines.append(f"{indent * 2}fallback_ports: {json.dumps(card.fallbacks)}")
        if card.aid is not None:
            lines.append(f'{indent * 2}aid: "{card.aid}"')
    return lines


def _scalar(text: str) -> str:
    """Return a text as YAML: a plain path unchanged, any other text as a JSON string."""
    return text if _PLAIN.fullmatch(text) else json.dumps(text)


def _rights(path: Path) -> tuple[int, int, int]:
    """Return user ID, group ID and mode for the settings file at `path`."""
    try:
        found = path.stat()
    except FileNotFoundError:
        try:
            group = grp.getgrnam(_GROUP).gr_gid
        except KeyError:
            group = os.getegid()
        return os.geteuid(), group, _MODE
    return found.st_uid, found.st_gid, found.st_mode & 0o7777
