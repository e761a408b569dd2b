"""The daemon: everything wired by hand, started in the one order that works, and stopped in the other."""

from __future__ import annotations

import asyncio
import grp
import logging
import pwd
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import lpad
from lpad import systemd
from lpad.api.app import make_app
from lpad.api.entrance import admit
from lpad.api.roles import AccessRules, Holders, Role
from lpad.api.server import ApiServer, listen, serve
from lpad.card_ports import card_ports
from lpad.deadline import Deadline
from lpad.engine.engine import Engine
from lpad.engine.journal import Journal, Retention
from lpad.engine.means import Patience
from lpad.engine.measures import Measures
from lpad.engine.surroundings import Surroundings
from lpad.errors import InvalidSettings
from lpad.logging_format import set_up_logging
from lpad.remote.network_news import watch_network
from lpad.servers import connector
from lpad.watchdog import Watchdog

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterable

    from lpad.settings import Settings, SettingsFile, WhoSection

log = logging.getLogger(__name__)

STOPPING = 5.0
"""Seconds in which workers reach a safe point when the daemon stops."""


def run(file: SettingsFile) -> None:
    """Run the daemon until SIGTERM or SIGINT.

    Raises:
        InvalidSettings: the socket, the state folder or a CA file can't be used.
        Conflict: another lpad runs with the same socket.
    """
    settings = file.settings
    set_up_logging(settings.log.level, redact=settings.log.redact)
    measures = Measures()
    connect = connector(file, observe=measures.server)
    rules = access_rules(settings)
    # The socket first: a second daemon stops here, before it touches the journal or a port.
    sockets = _sockets(file)
    journal = _journal(file)
    engine = Engine(
        card_ports(file, observe=measures.apdu),
        journal=journal,
        connect=connect,
        patience=_patience(settings),
        measures=measures,
        surroundings=Surroundings(watch_network=watch_network),
    )
    closing = asyncio.Event()
    interval = systemd.watchdog_interval()
    server = ApiServer(
        make_app(engine, rules, closing),
        closing,
        on_listening=partial(_listening, engine, sockets),
        heartbeat=Watchdog(engine, grace=interval or 0).feed,
        interval=interval,
    )
    try:
        serve(server, sockets)
    finally:
        systemd.notify("STOPPING=1")
        engine.stop(deadline=Deadline.after(STOPPING))
        log.info("stopped")


def access_rules(settings: Settings) -> AccessRules:
    """Return the settings' users and groups as numbers; those that this system lacks are left out."""
    access = settings.access
    sections = {
        Role.READ: access.read,
        Role.SWITCH: access.switch,
        Role.INSTALL: access.install,
        Role.ADMIN: access.admin,
    }
    return AccessRules(
        {role: Holders(users=_users(who), groups=_groups(who)) for role, who in sections.items()}
    )


def _patience(settings: Settings) -> Patience:
    deadlines = settings.deadlines
    return Patience(
        open=deadlines.open,
        read=deadlines.read,
        switch=deadlines.switch,
        download=deadlines.download,
        delivery=deadlines.delivery,
        answer=settings.answer_within,
        retry=settings.downloads.retry_for,
    )


def _sockets(file: SettingsFile) -> list[socket.socket]:
    rules = access_rules(file.settings)
    sockets = systemd.inherited_sockets()
    if not sockets:
        group = min(rules.holders[Role.ADMIN].groups, default=None)
        sockets = [listen(file.resolve(file.settings.socket), group=group)]
    _admit(sockets, rules)
    return sockets


def _admit(sockets: Iterable[socket.socket], rules: AccessRules) -> None:
    """Let everybody connect who has a role, and nobody else."""
    holders = rules.holders.values()
    users = frozenset[int]().union(*(each.users for each in holders))
    groups = frozenset[int]().union(*(each.groups for each in holders))
    for each in sockets:
        admit(Path(each.getsockname()), users=users, groups=groups)


def _journal(file: SettingsFile) -> Journal:
    folder = file.resolve(file.settings.state_folder)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidSettings(
            f"can't make the state folder {folder}: {error.strerror}; the setting 'state_folder' says where"
        ) from error
    history = file.settings.history
    return Journal(folder / "journal.db", retention=Retention(number=history.changes, days=history.days))


def _listening(engine: Engine, sockets: list[socket.socket]) -> None:
    # Not earlier: a worker that finishes a change while nobody can ask about it helps nobody.
    engine.start()
    where = ", ".join(str(each.getsockname()) for each in sockets)
    log.info("lpad %s listens on %s", lpad.__version__, where)
    systemd.notify(f"READY=1\nSTATUS=listening on {where}")


def _users(who: WhoSection) -> frozenset[int]:
    return frozenset(number for each in who.users if (number := _user(each)) is not None)


def _groups(who: WhoSection) -> frozenset[int]:
    return frozenset(number for each in who.groups if (number := _group(each)) is not None)


def _user(name: str | int) -> int | None:
    try:
        return name if isinstance(name, int) else pwd.getpwnam(name).pw_uid
    except KeyError:
        log.warning("the settings' access names the user '%s', whom this system doesn't have", name)
        return None


def _group(name: str | int) -> int | None:
    try:
        return name if isinstance(name, int) else grp.getgrnam(name).gr_gid
    except KeyError:
        log.debug("this system has no group '%s'", name)
        return None
