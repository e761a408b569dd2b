"""The document of known modems, docs/modems.md, which `python -m lpad.card.quirks.modems_document` prints."""

from __future__ import annotations

import sys
from typing import Any

from lpad.card.quirks.quirk_files import FOLDER, GENERIC, INDEX, read
from lpad.card.quirks.quirks import Quirks, RefreshStep

_HEAD = """# Modems

This page lists the known quirks of modems. `python -m lpad.card.quirks.modems_document` generates it from the
files in `src/lpad/card/quirks/`. The page is not a promise: lpad detects which link works with a modem, and
remembers that link. lpad treats an unlisted modem as the generic one.

On an AT port lpad uses all values of an entry, on an MBIM port those marked MBIM, and on a QMI port none of
them, because QMI needs none. On each kind of port, `lpad probe` names the entries that describe the modem.

A serial line (UART) usually carries 115,200 baud. With `fast_baud` in the settings of a card, lpad uses a
faster speed while it has the port open, if the modem offers that speed (AT+IPR) and long lines pass at that
speed. lpad then restores the previous speed. A modem's USB port ignores the speed, so lpad sets none there.

Reports are cited as repository#number. Please report lpad's findings on your modem in an issue.

## Which port to use

Many modems have several kinds of port. Users of other programs have reported which of them reach the eUICC.
For an unlisted model, see its family; `lpad setup` tries every port that it finds.

| modem | port | source |
|---|---|---|
"""
_OTHERS = "other modems"


def modems_document() -> str:
    """Return the page as Markdown."""
    files = [
        GENERIC,
        *sorted(path.name for path in FOLDER.glob("*.yaml") if path.name not in (GENERIC, INDEX)),
    ]
    entries = [(entry, file) for file in files for entry in read(file)]
    known = [entry for entry, _ in entries if "port" in entry]
    table = "".join(map(_row, (*known[1:], {**known[0], "name": _OTHERS})))
    return "\n".join([_HEAD + table, *(_entry(entry, file) for entry, file in entries)])


def _row(entry: dict[str, Any]) -> str:
    """Return an entry's row in the table of ports."""
    return f"| {entry['name']} | {entry['port']} | {entry['port_seen']} |\n"


def _entry(entry: dict[str, Any], file: str) -> str:
    lines = [f"## {entry['name']}", ""]
    matched = [f"{key} `{entry[key]}`" for key in ("model", "firmware") if key in entry]
    lines += [f"`{file}`" + (f", {', '.join(matched)}" if matched else "") + "", ""]
    lines += [f"- {seen}" for seen in entry["seen"]]
    lines += [
        f"- no public source confirms this command for all these modems, so lpad never relies on it alone: "
        f"`{command}`"
        for command in entry.get("unconfirmed", ())
    ]
    changes = entry.get("quirks") or {}
    quirks = Quirks().merged(changes)
    used = {
        "block_size": f"blocks of {quirks.block_size} bytes",
        "refresh_flag": "switches without REFRESH" if not quirks.refresh_flag else "switches with REFRESH",
        "refresh_ladder": "steps after a switch: " + ", ".join(map(_rung, quirks.refresh_ladder)),
        "after_switch": "commands after each switch: "
        + ", ".join(f"`{command}`" for command in quirks.after_switch),
        "iccid_commands": "commands for the ICCID: "
        + ", ".join(f"`{command}`" for command in quirks.iccid_commands),
        "announcements": "announcements of a new SIM: "
        + ", ".join(f"`{each}`" for each in quirks.announcements),
        "authentication_command": f"authentication of a context by: {quirks.authentication_command.value}",
        "operator_configuration": "command that queries the operator configuration: "
        + ", ".join(f"`{each}`" for each in quirks.operator_configuration),
        "select_p2": "MBIM: P2 of SELECT in this order: " + ", ".join(f"{p2:02X}" for p2 in quirks.select_p2),
        "class_byte_type": f"MBIM: class byte type {quirks.class_byte_type} for ES10",
        "channel_in_class": "MBIM: the class byte "
        + ("contains the channel number" if quirks.channel_in_class else "contains no channel number"),
    }
    changed = [text for name, text in used.items() if name in changes]
    sentences = []
    if "links" in changes:
        sentences.append(f"lpad tries these links in this order: {', '.join(quirks.links)}.")
    if changed:
        sentences.append(f"Used by lpad: {'; '.join(changed)}.")
    if sentences:
        lines += ["", " ".join(sentences)]
    return "\n".join([*lines, ""])


def _rung(rung: RefreshStep) -> str:
    commands = [f"`{command}`" for command in (*rung.down, *rung.up)]
    text = f"{rung.step} ({', '.join(commands)})" if commands else str(rung.step)
    return text[:-1] + f", or `{rung.instead[0]}`)" if rung.instead else text


if __name__ == "__main__":
    sys.stdout.write(modems_document())
