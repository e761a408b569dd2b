"""lpad demo: a profile's whole life cycle, from an activation code to the list over the socket."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lpad.base.errors import InternalError
from lpad.cli.simulated.order_creation import add_order
from lpad.cli.terminal.output import safe
from lpad.cli.terminal.step_words import step_words
from lpad.client import ApiError, Client, DaemonUnreachable
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.modem.pty_modem import PtyModem
from lpad.simulator.pki.pki import Pki
from lpad.simulator.platform.reservations import Pace
from lpad.simulator.platform.server import SimulatedPlatform
from lpad.simulator.platform.smdp_orders import SmdpShelf
from lpad.simulator.smdp.server import SmDp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lpad.client import Change

CARD = "modem"
BAUD = 115_200
PATIENCE = 60.0
"""The maximum number of seconds for each wait."""

_STOPPING = 10.0
_LETTING_GO = 0.5
"""Seconds to wait for the end of a process that has closed its output."""


@click.command()
@click.option(
    "--keep", is_flag=True, help="Keep the daemon, card and server running to try commands on them."
)
@click.option(
    "--zero-touch",
    is_flag=True,
    help="Have the empty card get its profile from a simulated operator's platform.",
)
@click.option("--stay", is_flag=True, hidden=True, help="Run in this process until SIGTERM.")
def demo(keep: bool, zero_touch: bool, stay: bool) -> None:
    """Download, enable and list a profile with a simulated card and server."""
    if keep:
        _play_in_background(zero_touch=zero_touch)
        return
    _sigterm_interrupts()
    with ExitStack() as stack:
        stage = _Stage(Path(stack.enter_context(_folder())), zero_touch=zero_touch)
        stage.set_up(stack)
        stage.play()
        if stay:
            _invite(stage)
            _let_go_of_terminal(stage.folder / "demo.log")
            threading.Event().wait()


class _Stage:
    """A simulated card, a server and a daemon in one temporary folder, with the time since the start."""

    def __init__(self, folder: Path, *, zero_touch: bool) -> None:
        self.folder = folder
        self._zero_touch = zero_touch
        self.socket = folder / "lpad.sock"
        self._start = time.monotonic()
        self._log = folder / "daemon.log"
        self._server: SmDp | None = None
        self._daemon: subprocess.Popen[bytes] | None = None

    @property
    def server(self) -> SmDp:
        assert self._server is not None, "set up first"
        return self._server

    def say(self, text: str) -> None:
        """Print a step with the seconds since the start."""
        click.echo(f"{time.monotonic() - self._start:7.3f} s  {text}")

    def set_up(self, stack: ExitStack) -> None:
        """Start the card, the server and the daemon; they end with `stack`."""
        pki = Pki.open(self.folder / "pki")
        card = stack.enter_context(SoftCard(self.folder / "card", pki=pki))
        stack.enter_context(PtyModem(card, path=self.folder / "ttyModem", baud=BAUD))
        self.say(f"simulated eUICC in a modem at {self.folder / 'ttyModem'}, {BAUD} baud")
        self._server = stack.enter_context(SmDp(self.folder / "smdp", pki=pki))
        self.say(f"simulated SM-DP+ at {self.server.address}")
        settings: dict[str, Any] = {
            "socket": str(self.socket),
            "state_folder": str(self.folder / "state"),
            "euiccs": {CARD: {"port": str(self.folder / "ttyModem"), "baud": BAUD}},
            "trust": {"extra_ca_files": sorted(map(str, (self.folder / "pki" / "ci").glob("*.der")))},
            "remote": {"hosts": {self.server.address: "127.0.0.1"}},  # bare containers lack localhost
        }
        if self._zero_touch:
            settings = self._with_platform(settings, pki, stack)
        config = self.folder / "lpad.yaml"
        config.write_text(json.dumps(settings, indent=2), encoding="utf-8")  # JSON is YAML
        self._daemon = stack.enter_context(_daemon(config, self._log))

    def _with_platform(self, settings: dict[str, Any], pki: Pki, stack: ExitStack) -> dict[str, Any]:
        """Start a platform in front of the server; return the settings with which an empty card uses it."""
        shelf = SmdpShelf(self.server.orders, address=lambda: self.server.address)
        platform = stack.enter_context(
            SimulatedPlatform("desk", pki=pki, shelf=shelf, pace=Pace(profile=1, line=1))
        )
        self.say(f"simulated platform at {platform.base}, port {platform.port}")
        key = self.folder / "desk-key"
        key.write_text(platform.credentials["key"], encoding="utf-8")
        key.chmod(0o600)
        section = {
            "like": "desk",
            "base": platform.base,
            "credentials": {"key": str(key)},
            "ca_files": settings["trust"]["extra_ca_files"],
        }
        hosts = {**settings["remote"]["hosts"], **platform.hosts}
        return {
            **settings,
            "remote": {"hosts": hosts},
            "platforms": {"demo": section},
            "provisioning": {"on_empty": ["demo"]},
        }

    def play(self) -> None:
        """Run the whole life cycle of a profile."""
        with Client(str(self.socket)) as client:
            try:
                self._play(client)
            except ApiError as error:
                raise click.ClickException(f"{error.sentence} ({error.kind})\n{self._tail()}") from error

    def _play(self, client: Client) -> None:
        self._until(lambda: client.system().health.ok, "the daemon to answer")
        self.say(f"lpad {client.system().version} answers on {self.socket}")
        self._until(lambda: client.euicc(CARD).state == "ready", "the card")
        card = client.euicc(CARD)
        self.say(f"card found, EID {card.eid}")
        if self._zero_touch:
            self._watch(client)
        else:
            self._ask(client)
        for event in ("install", "enable"):
            self._until(
                lambda event=event: any(n.event == event and n.verified for n in self.server.notifications),  # type: ignore[misc]  # bound now
                f"the {event} notification",
            )
            self.say(f"{event} notification delivered, its signature verified by the SM-DP+")
        for profile in client.profiles(CARD):
            self.say(
                safe(
                    f"over the socket: {profile.iccid} {profile.state} '{profile.name}' of {profile.provider}"
                )
            )

    def _watch(self, client: Client) -> None:
        """Show how lpad gets a profile for an empty card without any request."""
        self.say("without any request: the card is empty, and the settings name a platform")
        self._until(lambda: any(each.kind == "provision" for each in client.changes()), "lpad's own request")
        change = next(each for each in client.changes() if each.kind == "provision")
        result = self._follow(client, change).result or {}
        self.say(f"profile {result['iccid']} reserved, downloaded, activated and enabled")

    def _ask(self, client: Client) -> None:
        """Download a profile and enable it, as a program would."""
        order = add_order(self.server.orders, name="Demo profile", provider="Demo operator")
        code = order.activation_code(self.server.address, self.server.oid)
        self.say(f"operator issues {code}")
        change = self._follow(client, client.download(CARD, activation_code=code))
        iccid = str((change.result or {})["iccid"])
        self.say(f"profile downloaded, ICCID {iccid}")
        self._follow(client, client.enable(CARD, iccid))
        self.say("profile enabled")

    def _follow(self, client: Client, change: Change) -> Change:
        step = ""
        quarter = 0
        for event in client.follow(change.id):
            if event.type == "progress":
                sent, total = int(event.data["sent"]), int(event.data["total"])
                if sent * 4 // total > quarter:
                    quarter = sent * 4 // total
                    self.say(f"  {sent:6} of {total} bytes")
            elif event.type == "change":
                change = event.change
                if change.steps and (words := step_words(change.steps[-1].name)) != step and not change.ended:
                    step = words
                    self.say(f"  {step}")
        return change.check()

    def _until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait for a state that no event reports, such as the start of another program."""
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end and self._daemon is not None and self._daemon.poll() is None:
            try:
                if holds():
                    return
            except DaemonUnreachable:
                pass
            threading.Event().wait(0.02)
        raise click.ClickException(f"waited for {what} without success\n{self._tail()}")

    def _tail(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(["the daemon's last log lines:", *lines[-15:]])


@contextmanager
def _daemon(config: Path, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    command = [sys.executable, "-m", "lpad.cli.lpad", "serve", "--config", str(config)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL)  # noqa: S603 - our own program
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOPPING)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.returncode != 0:
        raise InternalError(f"the daemon ended with exit status {process.returncode} instead of 0")


@contextmanager
def _folder() -> Iterator[str]:
    # The path must be short: that of a Unix socket has at most 107 characters.
    path = tempfile.mkdtemp(prefix="lpad-demo-", dir="/tmp" if os.path.isdir("/tmp") else None)  # noqa: PTH112, S108 - see above
    try:
        yield path
    finally:
        shutil.rmtree(path)


def _play_in_background(*, zero_touch: bool) -> None:
    """Run the demo in a separate process, and show its output until it releases the terminal or ends."""
    command = [sys.executable, "-m", "lpad.cli.lpad", "demo", "--stay"]
    command += ["--zero-touch"] if zero_touch else []
    with subprocess.Popen(  # noqa: S603 - our own program
        command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True, start_new_session=True
    ) as process:
        assert process.stdout is not None, "requested"
        try:
            for line in process.stdout:
                click.echo(line, nl=False)
        except KeyboardInterrupt:
            process.terminate()
            raise
        # The output has ended because the demo has released the terminal, or has ended.
        try:
            process.wait(_LETTING_GO)
        except subprocess.TimeoutExpired:
            os._exit(0)  # do not wait for a process that should continue
    sys.exit(process.returncode or 1)


def _let_go_of_terminal(log: Path) -> None:
    """Send further output to a file, and release the terminal."""
    sys.stdout.flush()
    sys.stderr.flush()
    with log.open("ab") as output:
        for stream in (1, 2):
            os.dup2(output.fileno(), stream)


def _sigterm_interrupts() -> None:
    """Let SIGTERM end the demo like Ctrl-C, so that no process and no file remains."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)


def _invite(stage: _Stage) -> None:
    lpactl = shutil.which("lpactl") or str(Path(sys.executable).with_name("lpactl"))
    click.echo(f"\nThe daemon's socket: {stage.socket}\nTo try in another terminal:\n")
    click.echo(f"  {lpactl} --socket {stage.socket} profiles")
    click.echo(f"  {lpactl} --socket {stage.socket} info")
    click.echo(f"  curl --unix-socket {stage.socket} http://lpad/v1/euiccs/{CARD}/profiles")
    click.echo(f"\nEverything keeps running; to end it: kill {os.getpid()}")
