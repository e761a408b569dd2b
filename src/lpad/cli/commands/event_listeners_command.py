"""lpactl's command for the programs on this device that listen to events under a name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lpad.cli.session.command_session import command, paged
from lpad.cli.session.lpactl_command_group import cli
from lpad.cli.terminal.output import duration

if TYPE_CHECKING:
    from lpad.cli.session.command_session import Session

_ACTIONS = ("list", "forget")


@command(cli, "listeners")
@click.argument("action", type=click.Choice(_ACTIONS), default="list")
@click.argument("name", required=False)
@paged
def listeners(session: Session, action: str, name: str | None, limit: int | None, after: str | None) -> None:
    r"""Show the programs on this device that listen to events under a name, or forget one.

    \b
    list         show the listeners
    forget NAME  stop counting the listener's events as awaited
    """
    if (name is None) is not (action == "list"):
        raise click.UsageError("'forget' needs the name of a listener; 'list' accepts none")
    if name is None:
        _list(session, limit, after)
    elif session.output.as_json:
        session.show_answer("DELETE", "/v1/listeners/{}", name)
    else:
        session.output.line(f"listener {session.client.listeners.forget(name).name} is forgotten")


def _list(session: Session, limit: int | None, after: str | None) -> None:
    if session.output.as_json:
        session.show_answer("GET", "/v1/listeners", query={"limit": limit, "after": after})
        return
    found = session.client.listeners.all(limit=limit, after=after)
    session.output.table(
        ("NAME", "USER", "CONNECTED", "ACKNOWLEDGED", "WAITING", "ABSENT FOR"),
        [
            (
                each.name,
                each.user,
                "yes" if each.connected else "no",
                each.position,
                each.pending,
                None if each.connected else duration(each.absent_seconds),
            )
            for each in found
        ],
        empty="no program listens to events under a name",
    )
    session.note_next(found.next)
