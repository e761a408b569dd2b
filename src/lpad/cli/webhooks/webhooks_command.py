"""lpactl's command for webhooks."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from lpad.cli.session.command_session import command
from lpad.cli.session.lpactl_group import cli
from lpad.cli.terminal import exit_codes
from lpad.cli.terminal.output import duration, safe

if TYPE_CHECKING:
    from lpad.cli.session.command_session import Session
    from lpad.client import Webhook

_ACTIONS = ("list", "test", "pause", "resume", "redeliver")


@command(cli, "webhooks")
@click.argument("action", type=click.Choice(_ACTIONS), default="list")
@click.argument("name", required=False)
@click.argument("number", type=click.IntRange(min=1), required=False)
def webhooks(session: Session, action: str, name: str | None, number: int | None) -> None:
    r"""Show the endpoints to which events are sent, or act upon one.

    \b
    list                     show them
    test NAME                send a test event now, and show the answer
    pause NAME               send nothing until 'resume'; events wait
    resume NAME              continue, even with an endpoint that answered HTTP 410
    redeliver NAME [NUMBER]  send an event again, or every set-aside event
    """
    if (name is None) is not (action == "list") or (number is not None and action != "redeliver"):
        raise click.UsageError(
            "all actions except 'list' need the name of an endpoint; only 'redeliver' accepts a number"
        )
    client = session.client.webhooks
    if name is None:
        _list(session, client.all())
    elif action == "test":
        _test(session, name)
    elif action == "redeliver":
        count = client.redeliver(name, number)
        if session.output.as_json:
            session.output.json({"events": count})
        else:
            session.output.line(
                "1 event is sent once more" if count == 1 else f"{count} events are sent once more"
            )
    else:
        changed = client.pause(name) if action == "pause" else client.resume(name)
        if session.output.as_json:
            session.output.json(changed)
        else:
            session.output.line(f"webhook {name} is {changed.state}")


def _test(session: Session, name: str) -> None:
    found = session.client.webhooks.test(name)
    if session.output.as_json:
        session.output.json(found)
    else:
        said = "accepts events" if found.accepted else "does not accept events"
        session.output.line(safe(f"webhook {name} {said}: {found.told} after {found.seconds:.1f} s"))
    if not found.accepted:
        sys.exit(exit_codes.SERVER)


def _list(session: Session, found: list[Webhook]) -> None:
    if session.output.as_json:
        session.output.json(found)
        return
    session.output.table(
        ("NAME", "SERVER", "STATE", "WAITING", "TRIES", "NEXT TRY", "SET ASIDE", "LAST ANSWER"),
        [
            (
                each.name,
                each.server,
                each.state,
                each.pending,
                each.attempts,
                _until(each.next_attempt_at),
                len(each.set_aside),
                each.last,
            )
            for each in found
        ],
        empty="the settings name no webhook",
    )
    for each in found:
        for key in each.public_keys:
            session.output.note(f"{each.name}: receivers verify with {key}")


def _until(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    seconds = (moment - datetime.now(UTC)).total_seconds()
    return f"in {duration(seconds)}" if seconds > 0 else "now"
