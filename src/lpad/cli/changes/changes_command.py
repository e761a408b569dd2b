"""lpactl changes: the history of the cards, and one change with its steps."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click
import msgspec

from lpad.cli.session.command_session import command
from lpad.cli.session.completion_from_daemon import complete_change
from lpad.cli.session.followed_change import waits
from lpad.cli.session.lpactl_command_group import cli
from lpad.cli.session.switch_state_lines import guard_rows
from lpad.cli.terminal.step_words import step_words
from lpad.client import Change
from lpad.client.decoding import decoded

if TYPE_CHECKING:
    from lpad.cli.session.command_session import Session

PAGE = 100
"""The maximum number of changes that one request returns."""
STATES = ("queued", "running", "waiting", "done", "failed", "cancelled")
_DATES = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%SZ")


@command(cli, "changes")
@click.argument("change_id", type=int, required=False, shell_complete=complete_change)
@click.option("--limit", type=click.IntRange(min=1), help="Maximum number of changes to show.")
@click.option(
    "--before",
    type=click.IntRange(min=1),
    help="Show only changes with numbers below this one, such as the 'next' of an earlier list.",
)
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
    before: int | None,
    since: datetime | None,
    states: tuple[str, ...],
) -> None:
    """List the changes that the daemon keeps, newest first, or show one change with its steps."""
    if change_id is not None:
        _show(session, change_id)
        return
    wanted = _Wanted(limit=limit, since=since and since.replace(tzinfo=UTC), states=frozenset(states))
    found, following = _matching(session, wanted, before)
    if session.output.as_json:
        session.output.json({"changes": [record for record, _ in found], "next": following})
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
            for _, change in found
        ],
        empty="there are no such changes" if states or since else "there are no changes yet",
        droppable=("BY", "AT", "CARD"),
    )
    if following is not None:
        session.output.note(f"there are more changes: add --before {following}")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Wanted:
    """The maximum number of changes to list, and the conditions that they meet."""

    limit: int | None
    since: datetime | None
    states: frozenset[str]

    def admits(self, change: Change) -> bool:
        # Changes are ordered by request; if the clock was set meanwhile, their times are not in this order.
        recent = self.since is None or change.created_at >= self.since
        return recent and (not self.states or change.state in self.states)


class _Page(msgspec.Struct):
    changes: list[msgspec.Raw]
    next: int | None = None


def _matching(
    session: Session, wanted: _Wanted, before: int | None
) -> tuple[list[tuple[msgspec.Raw, Change]], int | None]:
    """Return the wanted changes, each with the API's own record of it, and the next page's `before`, if any.

    After the page that reaches the limit, no further page is requested.
    """
    found: list[tuple[msgspec.Raw, Change]] = []
    while True:
        query = {"euicc": session.euicc_name, "limit": PAGE, "before": before}
        page = decoded(session.client.request("GET", "/v1/changes", query=query), _Page)
        for number, record in enumerate(page.changes, start=1):
            change = decoded(bytes(record), Change)
            if not wanted.admits(change):
                continue
            found.append((record, change))
            if len(found) == wanted.limit:
                return found, change.id if number < len(page.changes) else page.next
        before = page.next
        if before is None:
            return found, None


def _profile(change: Change) -> str | None:
    """Return the ICCID of the profile that a change names or has downloaded; None if it is unknown."""
    named = change.params.get("iccid") or (change.result or {}).get("iccid")
    return None if named is None else str(named)


def _requester(change: Change) -> str:
    if change.origin == "caller":
        return "a user" if change.asked_by is None else f"user {change.asked_by}"
    return change.origin


def _show(session: Session, change_id: int) -> None:
    if session.output.as_json:
        session.show_answer("GET", "/v1/changes/{}", change_id)
        return
    change = session.client.change(change_id)
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
