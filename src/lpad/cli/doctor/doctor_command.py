"""lpactl doctor: one page for a bug report, with a verdict per line."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lpad.cli.session.command_session import NO_CARD, command
from lpad.cli.session.lpactl_command_group import cli
from lpad.cli.terminal import exit_codes
from lpad.cli.terminal.output import safe
from lpad.client import ApiError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.cli.doctor.finding import Finding
    from lpad.cli.session.command_session import Session
    from lpad.client import System


@command(cli, "doctor")
@click.option(
    "--config",
    type=click.Path(path_type=Path),
    default=Path("/etc/lpad/lpad.yaml"),
    show_default=True,
    help="Settings file of the daemon.",
)
def doctor(session: Session, config: Path) -> None:
    """Examine lpad and this device, and print one page for a bug report.

    Each line begins with a verdict: ok, note, wrong or unknown. Each card is probed, and a TLS handshake is
    made with its default SM-DP+; nothing on a card is changed. Identifiers, codes and other secrets are not
    shown. The exit code is 0 if nothing is wrong, 3 if something is, and 7 if the daemon cannot be reached.
    """
    from lpad.base.redaction import mask, redacted  # noqa: PLC0415 - only this command needs it

    wrong, unreachable = False, False
    lines = []
    for each in _findings(session, config):
        text = mask(redacted(each.text))
        wrong = wrong or each.verdict == "wrong"
        unreachable = unreachable or each.kind == "daemon-unreachable"
        lines.append({"verdict": str(each.verdict), "about": each.about, "text": text, "kind": each.kind})
        if not session.output.as_json:
            kind = f" ({each.kind})" if each.kind is not None else ""
            session.output.line(safe(f"{each.verdict:<8}{each.about}: {text}{kind}"))
    if session.output.as_json:
        session.output.json({"lines": lines})
    if unreachable:
        sys.exit(exit_codes.DAEMON)
    if wrong:
        sys.exit(exit_codes.STATE)


def _findings(session: Session, config: Path) -> Iterator[Finding]:
    from lpad.cli.doctor import daemon_reported_findings, installation_findings  # noqa: PLC0415 - only this command needs them
    from lpad.cli.doctor.finding import Finding, Verdict  # noqa: PLC0415 - only this command needs it

    client = session.client
    system: System | None = None
    try:
        system = client.system()
    except ApiError as error:
        yield Finding(about="daemon", verdict=Verdict.WRONG, text=error.sentence, kind=error.kind)
    yield from installation_findings.versions(system)
    found, settings = installation_findings.settings_file(config, system)
    yield from found
    if system is None:
        return
    yield daemon_reported_findings.daemon(system)
    yield daemon_reported_findings.clock(system)
    yield from daemon_reported_findings.journal(system)
    try:
        yield from installation_findings.ports(client.ports(), settings)
    except ApiError as error:
        yield daemon_reported_findings.guarded("ports", error)
    cards = client.euiccs()
    if not cards:
        yield Finding(about="card", verdict=Verdict.WRONG, text=NO_CARD)
    for each in cards:
        try:
            yield from daemon_reported_findings.card(client, client.euicc(each.name))
        except ApiError as error:
            yield daemon_reported_findings.guarded(f"card {each.name}", error)
    try:
        yield from daemon_reported_findings.failures(daemon_reported_findings.recent(client))
    except ApiError as error:
        yield daemon_reported_findings.guarded("failures", error)
