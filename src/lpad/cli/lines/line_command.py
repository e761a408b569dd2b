"""lpactl line: the lines of installed profiles, at their platforms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lpad.cli.session.command_session import accepting, command, no_wait
from lpad.cli.session.completion_from_daemon import complete_profile
from lpad.cli.session.lpactl_command_group import cli
from lpad.cli.terminal.output import safe

if TYPE_CHECKING:
    from lpad.cli.session.command_session import Session
    from lpad.client import Change


@cli.group("line")
def line() -> None:
    """Show, activate, suspend or retire the line of a profile at its operator's platform."""


@command(line, "show")
@click.argument("profile", shell_complete=complete_profile)
@no_wait
def show(session: Session, profile: str) -> None:
    """Ask the platforms of the settings for the line of PROFILE; nothing is changed there."""
    iccid = session.iccid(profile)
    change = session.finish(session.client.line(session.euicc(), iccid, "show"))
    if session.output.as_json or change.result is None:
        return
    told = change.result
    session.output.facts(
        [
            ("profile", told["iccid"]),
            ("platform", told["platform"]),
            ("line", _state(change)),
            ("seen in IMEI", told.get("imei")),
        ]
    )


@command(line, "activate")
@click.argument("profile", shell_complete=complete_profile)
@no_wait
def activate(session: Session, profile: str) -> None:
    """Activate the line of PROFILE, so that the network serves it. The operator may charge for it."""
    _say(session, session.client.line(session.euicc(), session.iccid(profile), "activate"))


@command(line, "suspend")
@click.argument("profile", shell_complete=complete_profile)
@accepting
@no_wait
def suspend(session: Session, profile: str, accept_offline: bool) -> None:
    """Suspend the line of PROFILE until it is activated again."""
    _say(session, _unserved(session, session.iccid(profile), "suspend", accept_offline=accept_offline))


@command(line, "retire")
@click.argument("profile", shell_complete=complete_profile)
@click.option("--yes", is_flag=True, help="Retire without asking.")
@accepting
@no_wait
def retire(session: Session, profile: str, yes: bool, accept_offline: bool) -> None:
    """Retire the line of PROFILE. This cannot be undone: the network never serves the profile again."""
    iccid = session.iccid(profile)
    session.confirm(f"Retire the line of profile {iccid}? This cannot be undone.", yes=yes)
    _say(session, _unserved(session, iccid, "retire", accept_offline=accept_offline))


def _unserved(session: Session, iccid: str, action: str, *, accept_offline: bool) -> Change:
    return session.accepted(
        lambda accepted: session.client.line(session.euicc(), iccid, action, accept_offline=accepted),
        accept_offline=accept_offline,
    )


def _say(session: Session, change: Change) -> None:
    change = session.finish(change)
    if change.result is not None and not session.output.as_json:
        before = ", as before" if change.result.get("already") else ""
        sentence = f"the line of {change.result['iccid']} is {_state(change)}{before}"
        session.output.line(safe(f"{sentence} ({change.result['platform']})"))


def _state(change: Change) -> str:
    assert change.result is not None, "it has succeeded"
    state, word = change.result["line"], change.result.get("word")
    return f"{state} ('{word}')" if word not in (None, state) else str(state)
