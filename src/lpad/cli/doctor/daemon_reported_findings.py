"""Findings that the daemon reports: clock, journal, cards, modems, servers, and the last failures."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

from lpad.cli.doctor.finding import Finding, Verdict
from lpad.cli.terminal.output import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from lpad.client import ApiError, Change, Client, Euicc, System

FAILURES = 5
_LOOKED_THROUGH = 200
_PATIENCE = 120.0
"""Seconds for the probe of a card, and for a handshake with its server."""
_RESOLVING = 10.0


def daemon(system: System) -> Finding:
    """Return the finding that the daemon answers, with its version and uptime."""
    text = f"lpad {system.version}, up for {duration(system.uptime_seconds)}"
    return Finding(about="daemon", verdict=Verdict.OK, text=text)


def clock(system: System) -> Finding:
    """Return the finding about the clock; until it is set, lpad contacts no server."""
    if system.health.clock_set:
        return Finding(about="clock", verdict=Verdict.OK, text="it is set")
    text = "it is not set: lpad contacts no server until a time server has set it"
    return Finding(about="clock", verdict=Verdict.WRONG, text=text)


def journal(system: System) -> Iterator[Finding]:
    """Yield whether the journal can be written, where damaged files were set aside, and the last repair."""
    health = system.health.journal
    if health.error is None:
        yield Finding(about="journal", verdict=Verdict.OK, text=health.state)
    else:
        text = f"{health.state}: {health.error.sentence}"
        yield Finding(about="journal", verdict=Verdict.WRONG, text=text, kind=health.error.kind)
    for path in health.set_aside:
        yield Finding(about="journal", verdict=Verdict.NOTE, text=f"the damaged file was set aside as {path}")
    for repair in health.repairs[-1:]:
        lost = sum(repair.lost.values())
        text = f"it was repaired at {repair.at:%Y-%m-%d %H:%M:%S} UTC ({lost} records lost)"
        yield Finding(about="journal", verdict=Verdict.NOTE, text=text)


def card(client: Client, euicc: Euicc) -> Iterator[Finding]:
    """Yield a card's state, its modem, and whether its default SM-DP+ can be reached and trusted."""
    modem = _modem(client, euicc)
    if euicc.error is not None and modem.verdict is Verdict.OK:
        client.refresh(euicc.name, wait=_PATIENCE)  # the probe has reached a card that was absent before
        euicc = client.euicc(euicc.name)
    yield _card(euicc)
    yield modem
    yield from _server(client, euicc)


def _card(euicc: Euicc) -> Finding:
    about = f"card {euicc.name}"
    if euicc.error is not None:
        text = f"{euicc.state}: {euicc.error.sentence}"
        return Finding(about=about, verdict=Verdict.WRONG, text=text, kind=euicc.error.kind)
    eid = f", EID {euicc.eid[:8]}…{euicc.eid[-2:]}" if euicc.eid is not None else ""
    verdict = Verdict.OK if euicc.state == "ready" else Verdict.UNKNOWN
    way = euicc.transport
    if euicc.port_in_use is not None and not way.endswith(f" {euicc.port_in_use}"):
        way += f", reached over the fallback port {euicc.port_in_use}"
    return Finding(about=about, verdict=verdict, text=f"{euicc.state}, {way}{eid}")


def failures(changes: list[Change]) -> Iterator[Finding]:
    """Yield the last failed changes, the newest first, or one finding that no change has failed."""
    failed = [change for change in changes if change.state == "failed" and change.error is not None]
    for change in failed[:FAILURES]:
        assert change.error is not None
        text = (
            f"change {change.id} ({change.kind} on {change.euicc}) at"
            f" {change.created_at:%Y-%m-%d %H:%M:%S} UTC: {change.error.sentence}"
        )
        yield Finding(about="failure", verdict=Verdict.NOTE, text=text, kind=change.error.kind)
    if not failed:
        yield Finding(about="failure", verdict=Verdict.OK, text=f"none among {len(changes)} changes")


def recent(client: Client) -> list[Change]:
    """Return the newest changes."""
    return list(client.changes(limit=_LOOKED_THROUGH))


def _modem(client: Client, euicc: Euicc) -> Finding:
    about = f"modem {euicc.name}"
    busy = [each for each in client.changes(euicc=euicc.name, limit=_LOOKED_THROUGH) if not each.ended]
    if busy:
        text = f"not probed, because change {busy[0].id} ({busy[0].kind}) is {busy[0].state}"
        return Finding(about=about, verdict=Verdict.UNKNOWN, text=text)
    change = client.probe(euicc.name, wait=_PATIENCE)
    if not change.ended or change.result is None:
        text = change.error.sentence if change.error is not None else "the probe takes too long"
        kind = change.error.kind if change.error is not None else None
        return Finding(about=about, verdict=Verdict.WRONG, text=text, kind=kind)
    report = change.result
    known = [str(report[key]) for key in ("manufacturer", "model", "firmware", "reader") if report.get(key)]
    link = f"link {report['link']}" if report.get("link") else "no link"
    if report.get("fallback_port"):
        link += f" over the fallback port {report['fallback_port']}"
    error = report.get("error")
    text = ", ".join([*known, link])
    if error is not None:
        return Finding(
            about=about, verdict=Verdict.WRONG, text=f"{text}: {error['sentence']}", kind=error["kind"]
        )
    return Finding(about=about, verdict=Verdict.OK, text=text)


def _server(client: Client, euicc: Euicc) -> Iterator[Finding]:
    address = euicc.addresses.default_smdp if euicc.addresses is not None else None
    about = f"default SM-DP+ of {euicc.name}"
    if not address:
        text = "none is set" if euicc.addresses is not None else "unknown, because the card was not read"
        verdict = Verdict.OK if euicc.addresses is not None else Verdict.UNKNOWN
        yield Finding(about=about, verdict=verdict, text=text)
        return
    yield _resolved(address.partition(":")[0])
    change = client.check_trust(euicc.name, address, wait=_PATIENCE)
    if not change.ended:
        yield Finding(
            about=about,
            verdict=Verdict.UNKNOWN,
            text=f"{address}: change {change.id} is still {change.state}",
        )
    elif change.error is not None:
        yield Finding(about=about, verdict=Verdict.WRONG, text=change.error.sentence, kind=change.error.kind)
    else:
        report = change.result or {}
        trusted = bool(report.get("trusted"))
        text = f"{address}: TLS {'succeeds' if trusted else 'fails'}: {report.get('why')}"
        yield Finding(about=about, verdict=Verdict.OK if trusted else Verdict.WRONG, text=text)


def _resolved(host: str) -> Finding:
    """Return whether a name resolves on this device, as a finding; the system's resolver has no deadline."""
    found: list[str] = []
    failed: list[str] = []

    def resolve() -> None:
        try:
            found.extend(str(each[4][0]) for each in socket.getaddrinfo(host, 443, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            failed.append(str(error))

    thread = threading.Thread(target=resolve, daemon=True)
    thread.start()
    thread.join(_RESOLVING)
    about = f"DNS {host}"
    if found:
        return Finding(about=about, verdict=Verdict.OK, text=", ".join(dict.fromkeys(found)))
    why = failed[0] if failed else f"no answer within {_RESOLVING:.0f} seconds"
    return Finding(about=about, verdict=Verdict.WRONG, text=f"{host} does not resolve: {why}")


def guarded(about: str, error: ApiError) -> Finding:
    """Return the finding for a query that the daemon refused or did not answer."""
    return Finding(about=about, verdict=Verdict.UNKNOWN, text=error.sentence, kind=error.kind)
