"""lpactl discover: ask the SM-DSs whether a profile waits for a card."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from lpad.cli.discovery.followed_downloads import follow_downloads
from lpad.cli.session.command_session import command, no_wait
from lpad.cli.session.lpactl_command_group import cli
from lpad.cli.terminal.output import safe
from lpad.client import ApiError

if TYPE_CHECKING:
    from lpad.cli.session.command_session import Session

_SETTLED = ("installed", "failed")
"""States of the events whose downloads have ended; only --all shows these events."""


@command(cli, "discover")
@click.option("--install", is_flag=True, help="Download the profiles, and enable the first installed one.")
@click.option("--confirm", is_flag=True, help="Ask before each profile is installed; needs --install.")
@click.option("--all", "everything", is_flag=True, help="Also show events that lpad has already handled.")
@click.option(
    "--server",
    "servers",
    metavar="ADDRESS",
    multiple=True,
    help="SM-DS to ask instead of those of the card and the settings. Repeatable.",
)
@no_wait
def discover(
    session: Session, install: bool, confirm: bool, everything: bool, servers: tuple[str, ...]
) -> None:
    """Ask the discovery servers (SM-DS) whether a profile waits for the card.

    An operator can register a profile at an SM-DS for an EID. With --install, lpad downloads one profile
    after another, and the command shows each result. With --json the command ends after the discovery, with
    --no-wait before it, and 'lpactl changes' shows the downloads. 'lpactl download --smdp HOST --event ID'
    repeats one download.
    """
    if confirm and not install:
        raise click.UsageError("--confirm applies only together with --install; add --install")
    change = session.finish(
        session.client.discover(session.euicc(), install=install, confirm=confirm, servers=servers)
    )
    if change.result is None or session.output.as_json:
        return
    for each in change.result["servers"]:
        if each.get("error"):
            session.output.note(safe(f"{each['address']}: {each['error']}"))
    shown = [each for each in change.result["events"] if everything or each["state"] not in _SETTLED]
    for each in shown:
        session.output.line(safe(_line(each)))
    if not shown:
        handled = "" if everything or not change.result["events"] else "; --all shows handled events"
        session.output.line(f"no profile waits for this card{handled}")
        if not servers:
            _name_default_smdp(session, change.euicc)
    if change.result["left_off"]:
        session.output.note(f"{change.result['left_off']} more events are not listed")
    if install:
        follow_downloads(session, change)


def _name_default_smdp(session: Session, euicc: str) -> None:
    """Print a note about the default SM-DP+, which may have a profile for the EID, but was not asked."""
    with suppress(ApiError):
        addresses = session.client.euicc(euicc).addresses
        if addresses is not None and addresses.default_smdp:
            session.output.note(
                safe(
                    f"the default SM-DP+ {addresses.default_smdp} may have a profile, but is not asked,"
                    " because a query counts as an attempt there; 'lpactl download --default' asks it"
                )
            )


def _line(event: dict[str, Any]) -> str:
    parts = [event["server"], event["event_id"], event["state"]]
    if event.get("iccid"):
        parts.append(event["iccid"])
    if event.get("why"):
        parts.append(f"({event['why']})")
    return "  ".join(parts)
