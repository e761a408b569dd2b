"""lpactl changes: the history of the cards, and one change with its steps."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from lpad.cli.session.command_session import command
from lpad.cli.session.completion import complete_change
from lpad.cli.session.followed_change import waits
from lpad.cli.session.guard_options import guard_rows
from lpad.cli.session.lpactl_group import cli
from lpad.cli.session.step_words import step_words

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.cli.session.command_session import Session
    from lpad.client import Change

PAGE = 100
"""The number of changes that are requested at a time."""
STATES = ("queued", "running", "waiting", "done", "failed", "cancelled")
_DATES = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ")


@command(cli, "changes")
@click.argument("change_id", type=int, required=False, shell_complete=complete_change)
@click.option("--limit", type=click.IntRange(min=1), help="Show at most this many.")
@click.option(
    "--since", type=click.DateTime(_DATES), help="Show only changes requested since this time, in UTC."
)
@click.option(
    "--state",
    "states",
    type=click.Choice(STATES),
    multiple=True,
    help="Show only changes in this state; may be repeated.",
)
def changes(
    session: Session,
    change_id: int | None,
    limit: int | None,
    since: datetime | None,
    states: tuple[str, ...],
) -> None:
    """List the changes that the daemon keeps, newest first, or show one with its steps."""
    if change_id is not None:
        _show(session, session.client.change(change_id))
        return
    found = list(_matching(session, limit, since and since.replace(tzinfo=UTC), frozenset(states)))
    if session.output.as_json:
        session.output.json(found)
        return
    session.output.table(
        ("ID", "CARD", "WHAT", "PROFILE", "STATE", "AT", "BY", "ERROR"),
        [
            (
                change.id,
                change.euicc,
                change.kind,
                _profile(change),
                change.state,
                f"{change.created_at:%Y-%m-%d %H:%M:%S}",
                _requester(change),
                change.error and change.error.kind,
            )
            for change in found
        ],
        empty="there are no such changes" if states or since else "there are no changes yet",
        droppable=("BY", "AT", "CARD"),
    )


def _matching(
    session: Session, limit: int | None, since: datetime | None, states: frozenset[str]
) -> Iterator[Change]:
    """Yield the changes that the options ask for, and read no further than necessary."""
    before: int | None = None
    left = limit
    while page := session.client.changes(euicc=session.euicc_name, limit=PAGE, before=before):
        for change in page:
            # Changes are in the order of their requests, but their times are not if the clock was set
            # meanwhile.
            if (since is not None and change.created_at < since) or (states and change.state not in states):
                continue
            yield change
            left = None if left is None else left - 1
            if left == 0:
                return
        before = page[-1].id


def _profile(change: Change) -> str | None:
    """Return the profile that a change is about: the one it names, or the one it has downloaded."""
    named = change.params.get("iccid") or (change.result or {}).get("iccid")
    return None if named is None else str(named)


def _requester(change: Change) -> str:
    if change.origin == "caller":
        return "a user" if change.asked_by is None else f"user {change.asked_by}"
    return change.origin


def _show(session: Session, change: Change) -> None:
    if session.output.as_json:
        session.output.json(change)
        return
    rows: list[tuple[str, object]] = [
        ("change", change.id),
        ("card", change.euicc),
        ("what", change.kind),
        ("state", change.state),
        ("requested by", _requester(change)),
        *((name, value) for name, value in change.params.items() if name != "guard"),
        *guard_rows(change),
        ("waits for", change.question and change.question.kind),
        ("paused", change.pause and waits(change.pause)),
        ("failed attempts", change.attempts or None),
        ("overtaken by a switch", f"{change.overtaken} times" if change.overtaken else None),
        ("error", change.error and f"{change.error.sentence} ({change.error.kind})"),
    ]
    rows += [
        (
            f"  {step_words(step.name, verbose=session.output.verbose)}",
            "…" if step.seconds is None else f"{step.seconds:.3f} s",
        )
        for step in change.steps
    ]
    session.output.facts(rows)
