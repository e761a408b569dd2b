"""lpactl's command for webhooks."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click
import msgspec

from lpad.cli.session.command_session import command, paged
from lpad.cli.session.lpactl_command_group import cli
from lpad.cli.terminal import exit_codes
from lpad.cli.terminal.output import safe, until
from lpad.client import WebhookTest

if TYPE_CHECKING:
    from lpad.cli.session.command_session import Session

_WEBHOOK = "/v1/webhooks/{}"
_ACTIONS = ("list", "test", "pause", "resume", "redeliver")


@command(cli, "webhooks")
@click.argument("action", type=click.Choice(_ACTIONS), default="list")
@click.argument("name", required=False)
@click.argument("number", type=click.IntRange(min=1), required=False)
@paged
def webhooks(
    session: Session,
    action: str,
    name: str | None,
    number: int | None,
    limit: int | None,
    after: str | None,
) -> None:
    r"""Show the endpoints to which events are sent, or act on one.

    \b
    list                     show the endpoints
    test NAME                send a test event now, and show the answer
    pause NAME               send nothing until 'resume'; events wait
    resume NAME              send again, even to an endpoint that answered HTTP 410
    redeliver NAME [NUMBER]  send an event again, or every set-aside event
    """
    if (name is None) is not (action == "list") or (number is not None and action != "redeliver"):
        raise click.UsageError(
            "all actions except 'list' need the name of an endpoint; only 'redeliver' accepts a number"
        )
    if name is None:
        _list(session, limit, after)
    elif action == "test":
        _test(session, name)
    elif session.output.as_json:
        body = {} if number is None else {"sequence": number}
        session.show_answer("POST", f"{_WEBHOOK}/{action}", name, body=body)
    elif action == "redeliver":
        count = session.client.webhooks.redeliver(name, number)
        session.output.line(
            "1 event is sent once more" if count == 1 else f"{count} events are sent once more"
        )
    else:
        client = session.client.webhooks
        changed = client.pause(name) if action == "pause" else client.resume(name)
        session.output.line(safe(f"webhook {name} is {changed.state}"))


def _test(session: Session, name: str) -> None:
    answer = session.client.request("POST", f"{_WEBHOOK}/test", name)
    found = msgspec.json.decode(answer, type=WebhookTest)
    if session.output.as_json:
        session.output.answer(answer)
    else:
        said = "accepts events" if found.accepted else "does not accept events"
        session.output.line(safe(f"webhook {name} {said}: {found.told} after {found.seconds:.1f} s"))
    if not found.accepted:
        sys.exit(exit_codes.SERVER)


def _list(session: Session, limit: int | None, after: str | None) -> None:
    if session.output.as_json:
        session.show_answer("GET", "/v1/webhooks", query={"limit": limit, "after": after})
        return
    found = session.client.webhooks.all(limit=limit, after=after)
    session.output.table(
        ("NAME", "SERVER", "STATE", "WAITING", "TRIES", "NEXT TRY", "SET ASIDE", "LAST ANSWER"),
        [
            (
                each.name,
                each.server,
                each.state,
                each.pending,
                each.attempts,
                until(each.next_attempt_at),
                len(each.set_aside),
                each.last,
            )
            for each in found
        ],
        empty="the settings name no webhook",
    )
    for each in found:
        for key in each.public_keys:
            session.output.note(safe(f"{each.name}: receivers verify the signatures with {key}"))
    session.note_next(found.next)
