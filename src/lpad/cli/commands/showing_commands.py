"""lpactl's read-only commands."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

import click
import msgspec

from lpad.cli.commands.status_text_lines import outbox_line, registration_lines, running_lines, wish_line
from lpad.cli.session.command_session import NO_CARD, command, paged
from lpad.cli.session.followed_change import describe, follow, waiting_lines
from lpad.cli.session.lpactl_command_group import cli
from lpad.cli.session.profile_choice import address_of, all_of, is_odd, unreadable_line
from lpad.cli.session.switch_state_lines import (
    failover_line,
    layer_lines,
    leftovers_line,
    modem_line,
    on_trial,
    rescue_line,
)
from lpad.cli.terminal.output import Output, duration, joined, safe, size
from lpad.client import ApiError, DaemonUnreachable, Profile

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.cli.session.command_session import Session
    from lpad.client import Change, Client, Euicc, Listener, ProfileList, UnreadableProfile, Webhook
    from lpad.client.views import CertificateIssuer, JournalRepair

_T = TypeVar("_T")
_CARD = "/v1/euiccs/{}"
_DOCTOR = "; 'lpactl doctor' examines it"
_DROPPED = ("CLASS", "PROVIDER", "LINE", "NICKNAME")
"""Columns of the list of profiles that are omitted on a narrow terminal, in this order."""


@command(cli, "status")
def status(session: Session) -> None:
    """Show the daemon and its cards."""
    client = session.client
    if session.output.as_json:
        cards = [msgspec.Raw(client.request("GET", _CARD, each.name)) for each in client.euiccs()]
        session.output.json({"system": msgspec.Raw(client.request("GET", "/v1/system")), "euiccs": cards})
        return
    # The list of cards contains only the state of each card.
    system, euiccs = client.system(), [client.euicc(each.name) for each in client.euiccs()]
    session.output.line(f"lpad {system.version}, up for {duration(system.uptime_seconds)}")
    lists = [None if each.eid is None else client.profile_list(each.name) for each in euiccs]
    rows = [
        (e.name, e.state, e.eid, _enabled(found), e.transport) for e, found in zip(euiccs, lists, strict=True)
    ]
    session.output.table(
        ("CARD", "STATE", "EID", "ENABLED PROFILE", "WAY"), rows, empty=NO_CARD, droppable=("WAY",)
    )
    unreadable = [unreadable_line(each.name, each.unreadable) for each in euiccs]
    about = (rescue_line, modem_line, leftovers_line, failover_line, _provisioning, wish_line)
    policies = [line(euicc) for line in about for euicc in euiccs]
    policies += [_unserved(e.name, found) for e, found in zip(euiccs, lists, strict=True)]
    changes: list[Change] = _readable(client.changes) or []
    outbox = [_outbox_line(client, each.name) for each in euiccs]
    webhooks = [webhook_line(each) for each in _readable(client.webhooks.all) or []]
    webhooks += [listener_line(each) for each in client.listeners.all()]
    running = running_lines(changes, verbose=session.output.verbose)
    switches = (
        *running,
        *registration_lines(euiccs, lists, changes),
        *on_trial(changes),
        *layer_lines(changes),
    )
    ports = map(_port_line, euiccs) if session.output.verbose else ()
    notes = (*unreadable, *ports, *switches, *policies, *waiting_lines(changes), *outbox, *webhooks)
    for line in filter(None, notes):
        session.output.note(safe(line))
    if not system.health.clock_set:
        session.output.note(
            "the clock is not set: lpad contacts no server until it is; 'timedatectl' shows whether a time"
            " service runs"
        )
    journal = system.health.journal
    if journal.error is not None:
        session.output.note(
            safe(f"journal: {journal.state}: {journal.error.sentence} ({journal.error.kind}){_DOCTOR}")
        )
    for path in journal.set_aside:
        session.output.note(safe(f"journal: the damaged file was set aside as {path}"))
    for repair in journal.repairs[-1:]:
        session.output.note(safe(repair_line(repair)))
    for euicc in euiccs:
        if euicc.error is not None:
            session.output.note(safe(f"{euicc.name}: {euicc.error.sentence} ({euicc.error.kind}){_DOCTOR}"))


def _readable(read: Callable[[], _T]) -> _T | None:
    """Return data from the journal; None if it cannot be read, which the status reports separately."""
    try:
        return read()
    except ApiError as error:
        if error.kind != "journal-unavailable":
            raise
        return None


def _port_line(euicc: Euicc) -> str | None:
    """Return a line about the modem's port in use; None for a reader or an unreachable card."""
    return None if euicc.port_in_use is None else f"{euicc.name}: uses the port {euicc.port_in_use}"


def _outbox_line(client: Client, euicc: str) -> str | None:
    outbox = _readable(partial(client.outbox, euicc))
    return None if outbox is None else outbox_line(euicc, outbox)


def webhook_line(webhook: Webhook) -> str | None:
    """Return a line about an endpoint that is stopped, fails or has set-aside events; None for any other."""
    waiting = f", {webhook.pending} events wait" if webhook.pending else ""
    if webhook.state != "active":
        return f"webhook {webhook.name}: {webhook.state}{waiting} ('lpactl webhooks resume {webhook.name}')"
    if webhook.attempts:
        tried = f"{webhook.last}; {webhook.attempts} attempts{waiting}"
        return f"webhook {webhook.name}: {tried} ('lpactl webhooks')"
    if webhook.set_aside:
        aside = f"{len(webhook.set_aside)} events were set aside"
        return f"webhook {webhook.name}: {aside} ('lpactl webhooks redeliver {webhook.name}')"
    return None


def listener_line(listener: Listener) -> str | None:
    """Return a line about a listener that is absent while events wait for it; None for any other listener."""
    if listener.connected or not listener.pending:
        return None
    absent = duration(listener.absent_seconds)
    return (
        f"listener {listener.name}: absent for {absent}, {listener.pending} events wait"
        f" ('lpactl listeners forget {listener.name}' if it is no longer used)"
    )


def repair_line(repair: JournalRepair) -> str:
    """Return a line about the repair of a damaged journal."""
    lost = ", ".join(f"{number} {table}" for table, number in repair.lost.items()) or (
        "nothing that lpad detected"
    )
    numbers = f" (changes {', '.join(map(str, repair.lost_changes))})" if repair.lost_changes else ""
    return (
        f"journal: it was damaged, and repaired at {repair.at:%Y-%m-%d %H:%M:%S} UTC; lost: {lost}{numbers}"
    )


@command(cli, "info")
@click.option("--refresh", is_flag=True, help="Read the card again first.")
def info(session: Session, refresh: bool) -> None:
    """Show a card's memory, addresses, versions and CI keys."""
    name = session.euicc()
    if refresh:
        client_change = session.client.refresh(name)
        follow(session.client, Output(as_json=True), client_change).check()
    if session.output.as_json:
        session.show_answer("GET", _CARD, name)
        return
    euicc = session.client.euicc(name)
    rows: list[tuple[str, object]] = [
        ("name", euicc.name),
        ("state", euicc.state),
        ("way", euicc.transport),
        ("port in use", euicc.port_in_use),
        ("EID", euicc.eid),
        ("IMEI", euicc.imei),
        ("read at", f"{euicc.read_at:%Y-%m-%d %H:%M:%S} UTC" if euicc.read_at else None),
    ]
    if euicc.addresses is not None:
        rows += [
            ("default SM-DP+", euicc.addresses.default_smdp),
            ("root SM-DS", euicc.addresses.root_smds),
        ]
    if euicc.provisioning is not None:
        rows.append(("requests for a first profile", f"{euicc.provisioning.attempts} times"))
        if euicc.provisioning.next_at is not None:
            rows.append(("next request at", f"{euicc.provisioning.next_at:%Y-%m-%d %H:%M:%S} UTC"))
    if euicc.info is not None:
        about = euicc.info
        rows += [
            ("free memory", size(about.memory.free_non_volatile)),
            ("free volatile memory", size(about.memory.free_volatile)),
            ("SGP.22 version", about.svn),
            ("profile version", about.profile_version),
            ("firmware", about.firmware),
            ("category", about.category),
            ("SAS accreditation", about.sas_accreditation_number),
            *(
                ("CI" if number == 0 else "", _issuer(each))
                for number, each in enumerate(about.certificate_issuers)
            ),
            ("UICC capability", joined(about.uicc_capability)),
            ("RSP capability", joined(about.rsp_capability)),
            ("forbidden rules", joined(about.forbidden_policy_rules)),
        ]
    session.output.facts(rows)
    for each in euicc.known_risks:
        now = ", and it is enabled" if each.enabled else ""
        session.output.note(
            safe(
                f"profile {each.iccid} is {each.sentence}{now};"
                f" unless this card is for tests, delete it: lpactl delete {each.iccid}"
            )
        )
    if euicc.error is not None:
        session.output.note(safe(f"{euicc.error.sentence} ({euicc.error.kind})"))


def _issuer(issuer: CertificateIssuer) -> str:
    uses = [
        name for name, used in (("verification", issuer.verification), ("signing", issuer.signing)) if used
    ]
    tests = "; for tests" if issuer.test else ""
    return f"{issuer.key_id}  {issuer.name or 'unknown name'} ({joined(uses)}{tests})"


@command(cli, "profiles")
@paged
def profiles(session: Session, limit: int | None, after: str | None) -> None:
    """List a card's profiles, with their lines if a platform knows them.

    The list shows AIDs if a profile is unreadable or shares its ICCID with another profile.
    """
    name = session.euicc()
    if session.output.as_json:
        session.show_answer("GET", f"{_CARD}/profiles", name, query={"limit": limit, "after": after})
        return
    found = session.client.profile_list(name, limit=limit, after=after)
    every = all_of(found)
    headings = ["ICCID", "STATE", "NAME", "PROVIDER", "NICKNAME", "CLASS"]
    rows = [[_number(p), p.state, p.name, p.provider, p.nickname, p.profile_class] for p in every]
    if any(each.line for each in found.profiles):
        headings.append("LINE")
        for row, profile in zip(rows, every, strict=True):
            row.append(_line(profile))
    if is_odd(found):
        headings.append("AID")
        for row, profile in zip(rows, every, strict=True):
            row.append(profile.isdp_aid)
    session.output.table(headings, rows, empty="no profile is installed", droppable=_DROPPED)
    if (line := unreadable_line(name, found.unreadable)) is not None:
        session.output.note(safe(line))
    session.note_next(found.next)


@command(cli, "events")
def events(session: Session) -> None:
    """Show events until Ctrl-C."""
    for event in session.client.events(euicc=session.euicc_name):
        if session.output.as_json:
            session.output.line(msgspec.json.encode(event).decode())
        else:
            session.output.line(describe(event))
    raise DaemonUnreachable(f"lpad at {session.client.socket} was stopped")


def _line(profile: Profile | UnreadableProfile) -> str | None:
    """Return the state of a profile's line, and the platform that reported it; None if it is unknown."""
    line = profile.line if isinstance(profile, Profile) else None
    return None if line is None else f"{line.line} ({line.platform})"


def _number(profile: Profile | UnreadableProfile) -> str | None:
    """Return a profile's ICCID, or else the invalid value that the card has in its place, if any."""
    return profile.iccid if isinstance(profile, Profile) else profile.iccid or profile.raw_iccid


def _provisioning(euicc: Euicc) -> str | None:
    """Return a line about requests for a first profile; None if there are none, or no more are planned."""
    status = euicc.provisioning
    if status is None or not status.attempts or status.next_at is None:
        return None
    return (
        f"{euicc.name}: lpad asked for a first profile {status.attempts} times;"
        f" next at {status.next_at:%Y-%m-%d %H:%M:%S} UTC; 'lpactl changes' shows why the card has none"
    )


def _unserved(euicc: str, listed: ProfileList | None) -> str | None:
    """Return a sentence about an enabled profile whose line may prevent registration; None otherwise."""
    found = () if listed is None else listed.profiles
    enabled = next((each for each in found if each.state == "enabled" and each.line is not None), None)
    if enabled is None or enabled.line is None or enabled.line.cause is None:
        return None
    at = f" (at {enabled.line.seen_at:%Y-%m-%d %H:%M:%S} UTC)" if enabled.line.seen_at else ""
    name = enabled.nickname or enabled.name or enabled.iccid
    return f"{euicc}: if the enabled profile '{name}' is not registered, {enabled.line.cause}{at}"


def _enabled(listed: ProfileList | None) -> str:
    if listed is None:
        return ""
    found = [each for each in all_of(listed) if each.state == "enabled"]
    unknown = listed.unreadable or any(each.state not in ("enabled", "disabled") for each in listed.profiles)
    names = [each.nickname or each.name or address_of(listed, each) or "unreadable" for each in found]
    return joined(names) or ("unknown" if unknown else "none")
