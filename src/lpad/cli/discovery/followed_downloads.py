"""The downloads that follow a discovery, on the command line: each is followed, and its result shown."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING

from lpad.cli.session.followed_change import follow
from lpad.cli.terminal import exit_codes
from lpad.cli.terminal.output import safe

if TYPE_CHECKING:
    from lpad.cli.session.command_session import Session
    from lpad.client import Change

_WANTED = ("wanted", "downloading")
_BEGINS = 60.0
"""Seconds that lpactl waits for the next download to begin."""
_LOOK_EVERY = 0.3
_RECENT = 100
"""The number of the newest changes among which lpactl searches for a download."""


def follow_downloads(session: Session, discovery: Change) -> None:
    """Follow the download of each wanted event, one after another, even if a download fails.

    If no profile was installed although one was wanted, the program ends with the first failure's exit code.
    """
    assert discovery.result is not None, "it is done"
    if not session.wait:
        return
    ended = []
    for event in discovery.result["events"]:
        if event["state"] not in _WANTED:
            continue
        change = _download(session, discovery, event["server"], event["event_id"])
        if change is None:
            session.output.note(
                "lpad has not begun the next download yet; 'lpactl changes' shows when it does"
            )
            return
        try:
            change = follow(session.client, session.output, change)
        except KeyboardInterrupt:
            session.output.note(f"change {change.id} continues; 'lpactl cancel {change.id}' cancels it")
            raise
        _tell(session, change)
        ended.append(change)
    failures = [each.error for each in ended if each.error is not None]
    if failures and len(failures) == len(ended):
        sys.exit(exit_codes.exit_code(failures[0].kind))


def _download(session: Session, discovery: Change, server: str, event_id: str) -> Change | None:
    """Return the download of an event that a discovery wants; None: the download does not begin in time."""
    wanted = {"server": server, "event_id": event_id}
    deadline = time.monotonic() + _BEGINS
    while time.monotonic() < deadline:
        for change in session.client.changes(euicc=discovery.euicc, limit=_RECENT):
            if change.id > discovery.id and change.params.get("event") == wanted:
                return change
        time.sleep(_LOOK_EVERY)
    return None


def _tell(session: Session, change: Change) -> None:
    event = change.params["event"]
    if change.result is not None:
        state = "installed and enabled" if change.result.get("enabled") else "installed"
        name = (change.result.get("profile") or {}).get("name", "")
        session.output.line(safe(f"{change.result['iccid']}  {name}  {state}"))
    elif change.error is not None:
        session.output.note(safe(f"{event['server']}  {event['event_id']}: {change.error.sentence}"))
    else:
        session.output.line(f"change {change.id}: {change.state}")
