"""The page of known modems, docs/modems.md: `python -m lpad.card.quirks.document > docs/modems.md`."""

from __future__ import annotations

import sys
from typing import Any

from lpad.card.quirks.library import FOLDER, GENERIC, INDEX, read
from lpad.card.quirks.quirks import Quirks, RefreshStep

_HEAD = """# Modems

What is known of modems, from the files in `src/lpad/card/quirks/`. This page is made by
`python -m lpad.card.quirks.document`. Nothing here is a promise: lpad finds out by itself which link
works with a modem, and remembers it. A modem that is not listed is treated as the generic one.

Reports are cited as repository#number. What lpad found on a modem of yours is worth an issue.
"""


def modems_page() -> str:
    """Return the page as Markdown."""
    files = [
        GENERIC,
        *sorted(path.name for path in FOLDER.glob("*.yaml") if path.name not in (GENERIC, INDEX)),
    ]
    parts = [_HEAD]
    for file in files:
        parts += [_entry(entry, file) for entry in read(file)]
    return "\n".join(parts)


def _entry(entry: dict[str, Any], file: str) -> str:
    lines = [f"## {entry['name']}", ""]
    matched = [f"{key} `{entry[key]}`" for key in ("model", "firmware") if key in entry]
    lines += [f"`{file}`" + (f", {', '.join(matched)}" if matched else "") + "", ""]
    lines += [f"- {seen}" for seen in entry["seen"]]
    lines += [
        f"- not confirmed in public for all of them, so never relied on alone: `{command}`"
        for command in entry.get("unconfirmed", ())
    ]
    changes = entry.get("quirks") or {}
    quirks = Quirks().merged(changes)
    told = {
        "links": "tried in this order: " + ", ".join(quirks.links),
        "block_size": f"blocks of {quirks.block_size} bytes",
        "refresh_flag": "switches without REFRESH" if not quirks.refresh_flag else "switches with REFRESH",
        "refresh_ladder": "after a switch: " + ", ".join(map(_rung, quirks.refresh_ladder)),
        "after_switch": "then " + ", ".join(f"`{command}`" for command in quirks.after_switch),
        "iccid_commands": "ICCID: " + ", ".join(f"`{command}`" for command in quirks.iccid_commands),
        "announcements": "a new SIM is announced by "
        + ", ".join(f"`{each}`" for each in quirks.announcements),
    }
    treated = [sentence for name, sentence in told.items() if name in changes]
    if treated:
        lines += ["", "lpad: " + "; ".join(treated) + "."]
    return "\n".join([*lines, ""])


def _rung(rung: RefreshStep) -> str:
    commands = [f"`{command}`" for command in (*rung.down, *rung.up)]
    told = f"{rung.step} ({', '.join(commands)})" if commands else str(rung.step)
    return told[:-1] + f", or `{rung.instead[0]}`)" if rung.instead else told


if __name__ == "__main__":
    sys.stdout.write(modems_page())
