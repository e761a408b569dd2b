"""lpad setup: from a fresh installation to a card that lpad has read."""

from __future__ import annotations

import difflib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from lpad.base.deadline import Deadline
from lpad.base.errors import InvalidSettings
from lpad.base.untrusted_number import whole_number
from lpad.card.available_ports import find_ports
from lpad.cli.setup import obstacles, service_restart, settings_text
from lpad.cli.setup.configured_modems import Belongs, listed_modems, modem_of
from lpad.cli.setup.port_or_reader_trial import Place, by_modem, try_place
from lpad.cli.setup.settings_text import NewCard, free_name, with_cards
from lpad.cli.terminal import exit_codes
from lpad.cli.terminal.output import Output, safe
from lpad.client import ApiError
from lpad.settings import SettingsFile
from lpad.settings.sections.euiccs.euicc import MOST_FALLBACK_PORTS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lpad.base.identifiers import Eid
    from lpad.card.available_ports import Ports
    from lpad.cli.setup.port_or_reader_trial import Trial
    from lpad.settings import Settings

_LISTING = 10.0
_AWAITED = 90.0
"""Seconds that the service may take to read a card, even through a slow modem."""
_OUT = Output()


@click.command("setup")
@click.option(
    "--config",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("/etc/lpad/lpad.yaml"),
    show_default=True,
    help="Settings file to write.",
)
@click.option(
    "--port",
    "ports",
    multiple=True,
    metavar="PATH",
    help="Try only this port of a modem: AT, MBIM or QMI. Repeatable.",
)
@click.option(
    "--reader", "readers", multiple=True, metavar="NAME", help="Try only this PC/SC reader. Repeatable."
)
@click.option("--yes", is_flag=True, help="Use the first port of each card, and write without asking.")
@click.option("--dry-run", is_flag=True, help="Show the settings without writing them.")
@click.option("--no-restart", is_flag=True, help="Write the settings without restarting the service.")
def setup(
    config: Path, ports: tuple[str, ...], readers: tuple[str, ...], yes: bool, dry_run: bool, no_restart: bool
) -> None:
    """Find the modems and card readers of this device, and write lpad's settings.

    Each port is tried as by 'lpad probe'; nothing on a card is changed. The settings are shown before they
    are written; the other ports of a modem that reach the card become the card's fallback_ports. Cards that
    the settings already list stay as they are, except that new ports of their modem are added.
    """
    if not dry_run:
        _check_rights(config)
    file = SettingsFile.read(config) if config.exists() else None
    settings = None if file is None else file.settings
    found = by_modem(_tried(_places(ports, readers), settings))
    added, fresh = ({}, found) if file is None else _of_listed_modems(found, file)
    if not (added or fresh):
        _OUT.line("there is no other modem and no other reader")
        sys.exit(exit_codes.DONE)
    chosen = _chosen(fresh, yes=yes or dry_run) if fresh else []
    cards = _named(chosen, () if settings is None else tuple(settings.euiccs))
    try:
        text = with_cards(config, cards, added)
    except InvalidSettings as error:
        if not (added and cards):
            raise
        _OUT.note(safe(error.sentence))  # the new cards are written without the new ports
        added, text = {}, with_cards(config, cards)
    _show(config, text)
    modems = [(card.place, *card.fallbacks) for card in cards if card.key == "port"]
    _warn(list(dict.fromkeys(port for ports_of_one in [*modems, *added.values()] for port in ports_of_one)))
    if dry_run:
        return
    if not (yes or _asked(f"Write {config}?")):
        sys.exit(exit_codes.NEEDS_PEOPLE)
    settings_text.write(config, text)
    _OUT.line(f"{config} is written")
    file = SettingsFile.read(config)
    _tell_group(file.settings)
    if not no_restart:
        _start(file, [*added, *(card.name for card in cards)])


def _check_rights(config: Path) -> None:
    if not os.access(config.parent, os.W_OK) or (config.exists() and not os.access(config, os.W_OK)):
        why = "you need root: run 'sudo lpad setup'" if config.parent.is_dir() else "there is no such folder"
        raise click.UsageError(f"cannot write {config}: {why}; --dry-run only shows what would be written")


def _places(ports: Sequence[str], readers: Sequence[str]) -> list[Place]:
    """Return the places to try: the given ones, or all that exist."""
    if ports or readers:
        return [*(Place(key="port", name=name) for name in ports), *_readers(readers)]
    found: Ports = find_ports(deadline=Deadline.after(_LISTING))
    if found.no_readers is not None:
        _OUT.note(safe(f"readers: {found.no_readers}"))
    return [*(Place(key="port", name=name) for name in found.serial), *_readers(found.readers)]


def _readers(names: Sequence[str]) -> list[Place]:
    return [Place(key="reader", name=name) for name in names]


def _tried(places: Sequence[Place], settings: Settings | None) -> list[Trial]:
    """Try each place that the settings do not list, show the results, and return the successful ones.

    Ends the program if no trial succeeds.
    """
    listed = _listed(settings)
    fresh = [place for place in places if _real(place) not in listed]
    for place in places:
        if place not in fresh:
            _OUT.line(safe(f"{place.name}: already in the settings as '{listed[_real(place)]}'"))
    trials = []
    for place in fresh:
        _OUT.note(safe(f"trying {place.name} …"))
        trial = try_place(place)
        _tell(trial)
        trials.append(trial)
    working = [trial for trial in trials if trial.works]
    if working:
        return working
    if listed and not trials:
        _OUT.line("there is no other modem and no other reader")
        sys.exit(exit_codes.DONE)
    note = obstacles.modem_manager_note()
    for line in (note, obstacles.nothing_found(places)):
        if line is not None:
            _OUT.note(line)
    sys.exit(exit_codes.CARD)


def _listed(settings: Settings | None) -> dict[str, str]:
    """Return the places in the settings, with the names of their cards."""
    found: dict[str, str] = {}
    for name, each in () if settings is None else settings.euiccs.items():
        if each.port is not None:
            found |= dict.fromkeys(map(os.path.realpath, (each.port, *each.fallback_ports)), name)
        elif each.reader is not None:
            found[str(each.reader)] = name
    return found


def _real(place: Place) -> str:
    return os.path.realpath(place.name) if place.key == "port" else place.name


def _tell(trial: Trial) -> None:
    """Print the result of a trial."""
    report, link = trial.report, trial.report.link
    modem = " ".join(part for part in (link.manufacturer, link.model) if part) or None
    if report.error is not None:
        rows: list[tuple[str, object]] = [("modem", modem), ("not usable", report.error.sentence)]
        _OUT.line(safe(trial.place.name))
        _indented(rows)
        return
    rows = [
        ("modem", modem),
        ("reader", link.reader),
        ("EID", None if report.eid is None else report.eid.digits),
    ]
    if len(report.euiccs) > 1:
        rows += [("eUICC", f"{each.eid.digits}, AID {each.aid}") for each in report.euiccs]
    if trial.profiles is None:
        rows.append(("profiles", "unknown: the card's list cannot be read"))
    else:
        rows.append(("profiles", len(trial.profiles) or "none yet"))
        rows += [
            ("", f"{each.iccid.digits}  {each.state}  {each.nickname or each.name or ''}")
            for each in trial.profiles
        ]
    _OUT.line(safe(trial.place.name))
    _indented(rows)


def _indented(rows: Sequence[tuple[str, object]]) -> None:
    known = [(name, value) for name, value in rows if value is not None]
    width = max(len(name) for name, _ in known)
    for name, value in known:
        _OUT.line(f"  {name.ljust(width)}  {safe(value)}".rstrip())


def _of_listed_modems(
    found: Sequence[tuple[Trial, ...]], file: SettingsFile
) -> tuple[dict[str, tuple[str, ...]], list[tuple[Trial, ...]]]:
    """Return the new ports of modems in the settings, by the names of their cards, and the new modems."""
    listed = listed_modems(file)
    added: dict[str, tuple[str, ...]] = {}
    fresh = []
    for trials in found:
        modem, belongs = modem_of(trials, listed)
        if modem is None:
            fresh.append(trials)
            continue
        names = " and ".join(f"'{each}'" for each in modem.names)
        ports = [trial.place.name for trial in trials]
        if belongs is Belongs.UNKNOWN:
            _OUT.note(
                safe(
                    f"{', '.join(ports)}: on the same device as {names}, whose EID is unknown; if this is"
                    f" a port of the same modem, add it to the fallback_ports of {names}; otherwise add a"
                    " card with this port"
                )
            )
            continue
        known = added.get(modem.names[0], ())
        room = MOST_FALLBACK_PORTS + 1 - len(modem.ports) - len(known)
        for port in ports[:room]:
            _OUT.line(safe(f"{port}: another port of the modem of {names}"))
        for port in ports[room:]:
            _OUT.note(
                safe(
                    f"{port}: another port of the modem of {names}, which already has {MOST_FALLBACK_PORTS}"
                    " fallback_ports"
                )
            )
        if ports[:room]:
            added |= dict.fromkeys(modem.names, (*known, *ports[:room]))
    return added, fresh


def _chosen(working: Sequence[tuple[Trial, ...]], *, yes: bool) -> list[tuple[Trial, ...]]:
    """Return the trials of one modem for each card: of its first modem, or as the user chooses."""
    first: dict[Eid | None, tuple[Trial, ...]] = {}
    for trials in working:
        first.setdefault(trials[0].report.eid, trials)
    proposed = list(first.values())
    if len(working) == 1 or yes:
        return proposed
    _OUT.line("")
    for number, trials in enumerate(working, 1):
        places = ", ".join(trial.place.name for trial in trials)
        _OUT.line(safe(f"  {number}  {places}  EID {trials[0].report.eid}"))
    default = ",".join(str(working.index(trials) + 1) for trials in proposed)
    if not _OUT.may_ask:
        raise click.UsageError(
            "several ports lead to a card: choose with --port or --reader, or take the first port of each"
            " card with --yes"
        )
    while True:
        told = click.prompt("Which ports? Separate numbers with commas", default=default, err=True)
        words = str(told).replace(",", " ").split()
        numbers = [whole_number(each, least=1, most=len(working)) for each in words]
        if numbers and None not in numbers:
            picked = [working[each - 1] for each in dict.fromkeys(numbers) if each is not None]
            if len({trials[0].report.eid for trials in picked}) == len(picked):
                return picked
            _OUT.note("two of these ports lead to the same card: choose one of them")


def _named(modems: Sequence[tuple[Trial, ...]], taken: Sequence[str]) -> list[NewCard]:
    cards: list[NewCard] = []
    for trial, *others in modems:
        wanted = "modem" if trial.place.key == "port" else "reader"
        fallbacks = tuple(each.place.name for each in others[:MOST_FALLBACK_PORTS])
        several = len(trial.report.euiccs) > 1
        for euicc in trial.report.euiccs if several else (None,):
            name = free_name(wanted, [*taken, *(card.name for card in cards)])
            aid = str(euicc.aid) if euicc is not None else None
            place = trial.place
            cards.append(NewCard(name=name, key=place.key, place=place.name, fallbacks=fallbacks, aid=aid))
    return cards


def _show(config: Path, text: str) -> None:
    """Print the lines to be written: the added and changed ones of an existing file, or a whole new file."""
    before = config.read_text(encoding="utf-8").splitlines() if config.exists() else []
    _OUT.line("")
    _OUT.line(f"{config}:")
    for line in list(difflib.unified_diff(before, text.splitlines(), lineterm="", n=1))[2:]:
        if not line.startswith("@@"):
            _OUT.line(safe(line))
    _OUT.line("")


def _warn(ports: Sequence[str]) -> None:
    """Print the obstacles between the service and the ports that this program can use."""
    for port in ports:
        for line in (obstacles.hidden_from_service(port), obstacles.without_permission(port)):
            if line is not None:
                _OUT.note(f"note: {line}")
    note = obstacles.modem_manager_note() if ports else None
    if note is not None:
        _OUT.note(f"note: {note}")


def _asked(question: str) -> bool:
    if not _OUT.may_ask:
        raise click.UsageError("add --yes, because lpad cannot ask here")
    return click.confirm(question, default=True, err=True)


def _tell_group(settings: Settings) -> None:
    line = obstacles.group_to_join(settings.access.admin.groups, user=os.environ.get("SUDO_USER"))
    if line is not None:
        _OUT.line(line)


def _start(file: SettingsFile, names: Sequence[str]) -> None:
    """Restart the service and wait for its cards; ends the program if a card is not ready."""
    service_restart.restart()
    _OUT.note(f"{service_restart.UNIT} is restarted; waiting for the card …")
    try:
        found = service_restart.await_cards(file.resolve(file.settings.socket), names, seconds=_AWAITED)
    except ApiError as error:
        _OUT.note(safe(f"{error.sentence} ({error.kind}); see 'journalctl -u lpad'"))
        sys.exit(exit_codes.exit_code(error.kind))
    for card in found:
        why = f": {card.error.sentence} ({card.error.kind})" if card.error is not None else ""
        _OUT.line(safe(f"{card.name} is {card.state}{why}"))
    if len(found) < len(names) or any(card.state != "ready" for card in found):
        _OUT.note("'lpactl doctor' shows what is wrong")
        sys.exit(exit_codes.CARD)
    _OUT.line("next: lpactl status, or lpactl download 'LPA:1$…'")
