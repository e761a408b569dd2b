"""The daemon: its parts are created, started in the only order that works, and stopped in reverse."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
from typing import TYPE_CHECKING

import lpad
from lpad.api.app import make_app
from lpad.api.server.server import ApiServer, serve
from lpad.base.deadline import Deadline
from lpad.base.errors import InvalidSettings
from lpad.base.log.unmasked_apdu_record import record_apdus
from lpad.daemon import systemd
from lpad.daemon.access_rules import access_rules, admit_holders, open_sockets
from lpad.daemon.card_ports import CardPorts
from lpad.daemon.engine_timeouts import timeouts
from lpad.daemon.installation_policies import install_policies
from lpad.daemon.log.logging_format import finish_logging, set_up_logging
from lpad.daemon.platforms.operator_platforms import operator_platforms
from lpad.daemon.reload import Prepared, Reloading
from lpad.daemon.remote_servers import Servers, load_route
from lpad.daemon.reporting.webhook_endpoints import webhook_endpoints
from lpad.daemon.systemd_status_text import Status
from lpad.daemon.watchdog import Watchdog
from lpad.daemon.watched_thread_pool import WatchedPool
from lpad.dbus.networkmanager_unmanaged_modem import return_all
from lpad.engine.engine import Engine
from lpad.engine.environment.clock_and_network import Environment
from lpad.engine.journal import Journal, Retention
from lpad.engine.provisioning.platforms import Platforms
from lpad.engine.running.metric_counters import Counters
from lpad.remote.network_changes import watch_network

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.api.request.settings_file_state import Configuration
    from lpad.settings import Settings, SettingsFile

log = logging.getLogger(__name__)

STOPPING = 5.0
"""Seconds that workers have to reach a safe point when the daemon stops."""


def run(file: SettingsFile) -> None:
    """Run the daemon until SIGTERM or SIGINT.

    Raises:
        InvalidSettings: the socket, the state folder or a file that the settings name cannot be used.
        Conflict: another lpad process uses the same socket.
    """
    signal.signal(
        signal.SIGHUP, signal.SIG_IGN
    )  # SIGHUP is ignored until there is a handler; by default it ends a process
    built = Built(file)
    interval = systemd.watchdog_interval()
    server = ApiServer(
        built.app,
        built.closing,
        on_listening=built.listening,
        on_hangup=Reloading(file, prepare=built.prepare, tell=built.tell, closing=built.closing).hangup,
        heartbeat=Watchdog(built.engine, grace=interval or 0).feed,
        interval=interval,
    )
    try:
        serve(server, built.sockets)
    finally:
        systemd.notify("STOPPING=1")
        built.engine.stop(deadline=Deadline.after(STOPPING))
        return_all()
        log.info("stopped")
        finish_logging()


class Built:
    """The daemon's parts; a reload of the settings replaces some of them."""

    def __init__(self, file: SettingsFile) -> None:
        """Create all parts from the settings; nothing runs before `listening`.

        Raises:
            InvalidSettings: the socket, the state folder or a file that the settings name cannot be used.
            Conflict: another lpad process uses the same socket.
        """
        settings = file.settings
        set_up_logging(settings.log.level, redact=settings.log.redact)
        record_apdus(_record_of(file))
        counters = Counters()
        self._policies = install_policies(settings)
        self._ports = CardPorts(file.resolve(settings.state_folder), observe=counters.apdu)
        self._servers = Servers(file, observe=counters.server)
        # A changed state folder takes effect only at the next start.
        self._tokens = file.resolve(settings.state_folder)
        platforms = operator_platforms(file, route=load_route(file), tokens=self._tokens)
        if settings.provision == "on_empty" and settings.provisioning.on_empty is None:
            log.warning("'provision: on_empty' is read as 'provisioning.on_empty: [default-smdp]'")
        endpoints = webhook_endpoints(file, route=load_route(file))
        rules = access_rules(settings)
        # The socket is opened first: a second daemon stops here, before it touches the journal or a port.
        self.sockets = open_sockets(file, rules)
        self.engine = Engine(
            self._ports.of(settings),
            journal=_journal(file),
            connect=self._servers.connect,
            timeouts=timeouts(settings),
            counters=counters,
            environment=Environment(watch_network=watch_network),
            policies=self._policies,
            platforms=Platforms(platforms),
        )
        self.engine.keep_events(settings.events.keep, device=settings.events.device)
        self.engine.webhooks.become(endpoints)
        self.closing = asyncio.Event()
        self.app = make_app(self.engine, rules, self.closing)
        self._status: Status | None = None

    def listening(self) -> None:
        """Start the engine; called once requests are accepted."""
        asyncio.get_running_loop().set_default_executor(WatchedPool(thread_name_prefix="serving"))
        self.engine.start()
        if not self.engine.snapshots():
            log.warning("no card is configured; run 'lpad setup'")
        where = ", ".join(str(each.getsockname()) for each in self.sockets)
        log.info("lpad %s listens on %s", lpad.__version__, where)
        self._status = Status(self.engine)
        gc.freeze()  # garbage collection no longer examines the present objects
        gc.enable()
        systemd.notify(f"READY=1\nSTATUS={self._status.line()}")

    def prepare(self, new: SettingsFile) -> Prepared:
        """Take the steps of a reload that can fail, and return the other steps; unchanged ports stay open."""
        connect = self._servers.prepared(new)
        rules = access_rules(new.settings)
        policies = install_policies(new.settings)
        platforms = operator_platforms(new, route=load_route(new), tokens=self._tokens)
        endpoints = webhook_endpoints(new, route=load_route(new))
        record_apdus(_record_of(new))
        ports = self._ports.of(new.settings)

        def apply() -> None:
            set_up_logging(new.settings.log.level, redact=new.settings.log.redact)
            self._servers.connect_by = connect
            self.engine.be_patient(timeouts(new.settings))
            self.engine.keep_history(_retention(new.settings))
            self.engine.keep_events(new.settings.events.keep, device=new.settings.events.device)
            self._policies.become(policies)
            self.engine.platforms.become(platforms)
            self.app.state.rules = rules
            admit_holders(self.sockets, rules)

        def serve() -> None:
            self.engine.become(ports)
            self.engine.webhooks.become(endpoints)

        return Prepared(file=new, apply=apply, serve=serve)

    def tell(self, configuration: Configuration) -> None:
        """Show the state of the settings in the API and in the status line."""
        self.app.state.configuration = configuration
        if self._status is not None:
            self._status.configured(configuration)


def _journal(file: SettingsFile) -> Journal:
    folder = file.resolve(file.settings.state_folder)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise InvalidSettings(
            f"cannot create the state folder {folder}: {error.strerror}; choose another place with the"
            " setting 'state_folder'"
        ) from error
    return Journal(folder / "journal.db", retention=_retention(file.settings))


def _retention(settings: Settings) -> Retention:
    return Retention(number=settings.history.changes, days=settings.history.days)


def _record_of(file: SettingsFile) -> Path | None:
    return file.resolve(file.settings.log.apdus) if file.settings.log.apdus is not None else None
