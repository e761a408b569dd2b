"""lpad platform lines: the lines with a tag at a platform, on the machine that holds the account's key."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from lpad.base.deadline import Deadline
from lpad.base.errors import Conflict, LpadError, PlatformBusy, ServerUnreachable
from lpad.cli.platforms.platform_choice import CONFIG, named
from lpad.cli.terminal import exit_codes
from lpad.cli.terminal.output import Output, safe
from lpad.provisioning.platform_interface import Line, LineAction

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.provisioning.declared.declared_platform import DeclaredPlatform
    from lpad.provisioning.platform_interface import Reservation

_LISTING = 600.0
"""Seconds to list the lines, page by page."""
_CHANGING = 60.0
"""Seconds to change one line."""
_DONE = {
    LineAction.ACTIVATE: "is activated",
    LineAction.SUSPEND: "is suspended",
    LineAction.RETIRE: "is retired",
}
_ACTIONS = tuple(each.value for each in LineAction)


@click.command()
@click.argument("name")
@click.argument("action", type=click.Choice(_ACTIONS), default=LineAction.SHOW.value)
@click.option("--tag", required=True, help="Tag that the owner gave the lines in the operator's portal.")
@click.option("--yes", is_flag=True, help="Change the lines without asking.")
@CONFIG
def lines(name: str, action: str, tag: str, yes: bool, config: Path) -> None:
    """Show, activate, suspend or retire all lines with a tag at the platform NAME of the settings.

    This command is for the machine that holds the account's key, not for gateways: it needs to read that key,
    and changes lines of other devices. The command lists the lines, asks whether to change them, and changes
    one line after another; a refusal for one line does not stop the command. A retired line is never served
    again.
    """
    platform = named(config, name)
    wanted = LineAction(action)
    if wanted is not LineAction.SHOW and wanted not in platform.can.lines:
        raise Conflict(f"the platform '{name}' cannot {action} lines; see 'lpad platform list'")
    with platform.opened() as opened:
        found = opened.lines_of_tag(tag, deadline=Deadline.after(_LISTING))
        rows = [(each.iccid or "", str(each.line), each.line_word or "", each.imei or "") for each in found]
        Output().table(("ICCID", "LINE", "STATE", "SEEN IN IMEI"), rows, empty=f"no line has the tag '{tag}'")
        if wanted is LineAction.SHOW or not found:
            return
        _confirm(wanted, len(found), tag, yes=yes)
        left = len(found) - _changed(opened, found, wanted)
    if left:
        told = f"{left} of {len(found)} lines were not changed; see above, then enter the command again"
        click.echo(told, err=True)
        sys.exit(exit_codes.SERVER)


def _confirm(action: LineAction, number: int, tag: str, *, yes: bool) -> None:
    if yes:
        return
    if not Output().may_ask:
        raise click.UsageError("add --yes, because lpad cannot ask here")
    last = " This cannot be undone." if action is LineAction.RETIRE else ""
    question = f"{action.value.capitalize()} the {number} lines with the tag '{tag}'?{last}"
    if not click.confirm(safe(question), err=True):
        sys.exit(exit_codes.NEEDS_PEOPLE)


def _changed(platform: DeclaredPlatform, found: tuple[Reservation, ...], action: LineAction) -> int:
    """Change the lines one after the other; return the number of lines that are in the requested state now.

    A refusal for one line does not stop the command; a platform that is busy or unreachable stops it.
    """
    number = 0
    for line in found:
        try:
            _change(platform, line, action)
        except LpadError as error:
            click.echo(safe(f"{line.iccid}: {error.sentence}"), err=True)
            if isinstance(error, (PlatformBusy, ServerUnreachable)):
                break
        else:
            number += 1
            Output().line(safe(f"{line.iccid}  {_DONE[action]}"))
    return number


def _change(platform: DeclaredPlatform, line: Reservation, action: LineAction) -> None:
    if line.line is Line.ENDED:
        if action is LineAction.RETIRE:
            return
        raise Conflict("the line was retired, which cannot be undone")
    act = {
        LineAction.ACTIVATE: platform.activate_line,
        LineAction.SUSPEND: platform.suspend,
        LineAction.RETIRE: platform.retire,
    }[action]
    act(line, deadline=Deadline.after(_CHANGING))
