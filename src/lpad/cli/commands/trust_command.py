"""lpactl trust: which anchor confirms a server."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import click

from lpad.cli.session.command_session import command
from lpad.cli.session.followed_change import follow
from lpad.cli.session.lpactl_command_group import cli
from lpad.cli.terminal import exit_codes
from lpad.cli.terminal.output import Output, joined

if TYPE_CHECKING:
    from lpad.cli.session.command_session import Session

_ANCHORS = {
    "card": "a CI that the card names",
    "operator": "the operator's own CA certificates",
    "system": "the system's CA certificates",
}


@cli.group("trust")
def trust() -> None:
    """Find out which anchor confirms a server."""


@command(trust, "check")
@click.argument("address")
def check(session: Session, address: str) -> None:
    """Make a TLS handshake with the SM-DP+ or SM-DS at ADDRESS, and show its chain and the matching anchor.

    lpad sends only the handshake. If no anchor confirms the server, the output states which certificate is
    missing and where to put it, and the exit code is 6.
    """
    client = session.client
    change = client.check_trust(session.euicc(), address)
    if session.output.as_json:
        report = session.finish(change).result or {}
    else:
        report = follow(client, Output(as_json=True), change).check().result or {}
        _print(session.output, report)
    if not report.get("trusted"):
        sys.exit(exit_codes.SERVER)


def _print(output: Output, report: dict[str, Any]) -> None:
    output.facts(
        [
            ("server", report["server"]),
            ("trusted", "yes" if report["trusted"] else f"no ({report['cause']})"),
            ("by", _ANCHORS.get(report["anchor"] or "")),
            ("why" if report["trusted"] else "why not", report["why"]),
            ("to do", report["advice"]),
            (
                "TLS",
                f"{report['tls'] or ''}{', brainpool offered' if report['brainpool'] else ''}".strip(", "),
            ),
            ("handshakes", report["handshakes"]),
        ]
    )
    for number, each in enumerate(report["chain"]):
        output.line("")
        output.facts(
            [
                (
                    f"certificate {number + 1}",
                    each["subject"] + ("" if each["on_path"] else " (leads nowhere)"),
                ),
                ("  issuer", each["issuer"]),
                ("  valid", f"{each['not_before']} to {each['not_after']} UTC"),
                ("  key", f"{each['key']}, {each['key_id']}"),
                ("  signed by", " or ".join(each["signed_by"])),
                ("  roles", joined(each["roles"])),
            ]
        )
    output.line("")
    rows = [
        (
            each["key_id"],
            each["name"] or "unknown name",
            "for tests" if each["test"] else "",
            "" if each["counts"] else "forbidden",
        )
        for each in report["card"]
    ]
    output.table(("THE CARD NAMES", "", "", ""), rows, empty="lpad does not know which CIs the card names")
