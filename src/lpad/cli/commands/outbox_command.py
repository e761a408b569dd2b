"""lpactl's command for the outbox."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lpad.cli.commands.status_text_lines import unread_lines
from lpad.cli.session.command_session import command, no_wait, paged
from lpad.cli.session.lpactl_command_group import cli
from lpad.cli.terminal.output import duration, until

if TYPE_CHECKING:
    from lpad.cli.session.command_session import Session

LONGEST_SHOWN = 64
"""The maximum number of characters of an address in the table; a card may return any text as an address."""


# A notification's number may be negative, and must not be parsed as an option.
@command(cli, "notifications", ignore_unknown_options=True)
@click.argument("action", type=click.Choice(["list", "deliver", "retry", "drop"]), default="list")
@click.argument("number", type=int, required=False)
@click.option("--yes", is_flag=True, help="Drop without asking.")
@paged
@no_wait
def notifications(
    session: Session, action: str, number: int | None, yes: bool, limit: int | None, after: str | None
) -> None:
    """Show the notifications that no server has accepted yet, or act on them.

    'list' shows all notifications of the outbox. 'deliver' tries to deliver all waiting notifications now.
    'retry NUMBER' tries one notification now, even one that was refused and set aside. 'drop NUMBER' removes
    one notification from lpad and from the card; its server never receives it.

    An 'uncopied' notification is on the card only, because lpad could not read it. Such a notification does
    not block a switch. 'retry' reads an uncopied notification again, and 'drop' removes it from the card.
    """
    if (number is not None) is not (action in ("retry", "drop")):
        raise click.UsageError(
            "'retry' and 'drop' need the number of a notification; the other actions accept none"
        )
    name = session.euicc()
    if action == "list":
        _list(session, name, limit, after)
    elif action == "deliver":
        change = session.finish(session.client.deliver_notifications(name))
        if change.result is not None and not session.output.as_json:
            session.output.line(f"{change.result['delivered']} delivered")
    elif action == "retry":
        assert number is not None
        change = session.finish(session.client.retry_notification(name, number))
        if change.result is not None and not session.output.as_json:
            session.output.line(f"notification {number} is delivered")
    else:
        assert number is not None
        session.confirm(f"Drop notification {number}? Its server will never receive it.", yes=yes)
        change = session.finish(session.client.drop_notification(name, number))
        if change.result is not None and not session.output.as_json:
            session.output.line(f"notification {number} is dropped")


def _list(session: Session, name: str, limit: int | None, after: str | None) -> None:
    if session.output.as_json:
        query = {"limit": limit, "after": after}
        session.show_answer("GET", "/v1/euiccs/{}/notifications", name, query=query)
        return
    outbox = session.client.outbox(name, limit=limit, after=after)
    found = outbox.notifications
    session.output.table(
        ("NUMBER", "EVENT", "FOR", "ICCID", "STATE", "AGE", "TRIES", "NEXT TRY", "LAST ERROR"),
        [
            (
                n.seq,
                n.event,
                n.address if len(n.address) <= LONGEST_SHOWN else f"{n.address[:LONGEST_SHOWN]}…",
                n.iccid,
                n.state,
                duration(n.age_seconds),
                n.attempts,
                until(n.next_attempt_at),
                n.last_error,
            )
            for n in found
        ],
        droppable=("NEXT TRY", "TRIES", "AGE", "ICCID", "EVENT"),
        empty="no notification is pending" if outbox.list_error is None else "lpad has no notification",
    )
    for line in unread_lines(outbox):
        session.output.note(line)
    if outbox.copying:
        session.output.note(
            "lpad has not copied the latest notifications from the card yet; repeat the command soon"
        )
    session.note_next(outbox.next)
