"""lpactl probe: a report on a card and the link to it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click
import msgspec

from lpad.base.redaction import mask
from lpad.cli.session.command_session import command
from lpad.cli.session.followed_change import follow
from lpad.cli.session.lpactl_command_group import cli
from lpad.cli.terminal.output import Output, safe
from lpad.cli.terminal.probe_report import print_report

if TYPE_CHECKING:
    from lpad.cli.session.command_session import Session


@command(cli, "probe")
@click.argument("which", metavar="[NAME|PORT|READER]", required=False)
@click.option("--unredacted", is_flag=True, help="Show EID, IMEI and serial numbers in full.")
def probe(session: Session, which: str | None, unredacted: bool) -> None:
    """Test a card and the link to it, and print the result for a bug report.

    Nothing on the card is changed. 'lpad probe' makes the same test without the daemon.
    """
    if which is not None:
        session.euicc_name = _named(session, which)
    client = session.client
    change = client.probe(session.euicc(), unredacted=unredacted)
    change = follow(client, Output(as_json=True), change).check()
    ports = msgspec.to_builtins(client.ports())
    if not unredacted:
        for kind in ("serial", "readers"):
            ports[kind] = [mask(name) for name in ports[kind]]
    print_report(session.output, change.result or {}, ports)


def _named(session: Session, which: str) -> str:
    """Return the name of the card with a given name, port or reader."""
    cards = session.client.euiccs()
    for card in cards:
        if which == card.name or card.transport.endswith(f" {which}") or which == card.transport:
            return card.name
    known = ", ".join(f"{card.name} ({card.transport})" for card in cards) or "none"
    raise click.UsageError(
        f"the daemon has no card '{safe(which)}'; it has: {safe(known)}. To try another port or reader, use"
        " 'lpad probe --port' or 'lpad probe --reader'"
    )
