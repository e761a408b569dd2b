"""The daemon as a process: started, stopped, killed and started again."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from engine.daemon import PATIENCE, Daemon
from engine.guarding import ENABLE
from engine.lab import CARD, FIRST, Lab
from lpad.client import ApiError, DaemonUnreachable
from lpad.simulator.modem.pty_modem import PtyModem

if TYPE_CHECKING:
    from lpad.client import Change, Client


def ready(client: Client) -> None:
    for event in client.events():
        if client.euicc(CARD).state != "starting":
            return
        assert event.id


def until_step(client: Client, change: Change, step: str) -> None:
    for event in client.follow(change.id):
        if event.type == "change" and event.change.steps and event.change.steps[-1].name == step:
            return


def test_the_whole_way_through_the_socket(lab: Lab) -> None:
    """A daemon downloads and enables a profile, and ends with status 0 on SIGTERM."""
    with Daemon(lab) as daemon, daemon.client() as client:
        code = lab.code(lab.order())
        change = client.download(CARD, activation_code=code, enable=True, wait=PATIENCE).check()
        assert change.state == "done"
        (profile,) = client.profiles(CARD)
        assert (profile.iccid, profile.state) == (FIRST, "enabled")
    log = daemon.log()
    assert "change 1 (download) on modem: done" in log
    assert FIRST not in log
    assert code not in log
    assert "stopped" in log
    with pytest.raises(DaemonUnreachable):
        daemon.client().system()


def test_killed_while_loading(lab: Lab) -> None:
    """After a power cut in the middle of LoadBoundProfilePackage the download is completed, and only once.

    If the card had already installed the profile, its result decides; otherwise a new session begins.
    """
    lab.modem.close()
    with PtyModem(lab.card, path=lab.folder / "tty", baud=38_400):
        daemon = Daemon(lab)
        daemon.start()
        order = lab.order(size=4_000)
        with daemon.client() as client:
            change = client.download(CARD, activation_code=lab.code(order))
            until_step(client, change, "load-bound-profile-package")
            queued = client.refresh(CARD)
        daemon.kill()
        lab.card.reset()
        installed = len(lab.card.profiles)
        with daemon, daemon.client() as client:
            settled = client.wait(change.id, seconds=PATIENCE)
            assert settled.state == "done"
            assert client.wait(queued.id, seconds=PATIENCE).state == "done"
            ready(client)
            assert len(client.profiles(CARD)) == 1
        assert lab.server.counters.requests["initiateAuthentication"] == 2 - installed


def test_killed_between_act_and_answer(lab: Lab) -> None:
    """A switch that the card carried out while the daemon was killed is done after the restart."""
    acted, killed = threading.Event(), threading.Event()

    def hold(answer: bytes) -> bytes:
        acted.set()
        assert killed.wait(PATIENCE)
        return answer

    daemon = Daemon(lab)
    daemon.start()
    with daemon.client() as client:
        client.download(CARD, activation_code=lab.code(lab.order()), wait=PATIENCE).check()
        ready(client)
        lab.card.faults.corrupt(ENABLE, hold)
        change = client.enable(CARD, FIRST)
        assert acted.wait(PATIENCE)
        daemon.kill()
        killed.set()
    with daemon, daemon.client() as client:
        settled = client.wait(change.id, seconds=PATIENCE)
        assert settled.state == "done"
        ready(client)
        assert client.profiles(CARD)[0].state == "enabled"


def test_stopping_with_listeners_and_a_waiting_change(lab: Lab) -> None:
    """SIGTERM ends streams and awaits no answer; the next start ends the session, and the change waits."""
    with Daemon(lab) as daemon, daemon.client() as client:
        order = lab.order()
        change = client.download(CARD, activation_code=lab.code(order), confirm=True, wait=PATIENCE)
        assert change.question is not None
        stream = client.events()
        next(stream)
        assert daemon.stop() == 0
        for event in stream:
            assert event.type in ("change", "euicc", "progress")
    assert lab.card.open_channels == ()
    with Daemon(lab) as daemon, daemon.client() as client:
        lab.until_true(lambda: lab.server.counters.requests["cancelSession"] == 1)
        assert client.change(change.id).question is not None


def test_a_second_daemon_is_refused(lab: Lab) -> None:
    """A second daemon ends with an error that names the first, and the first continues."""
    with Daemon(lab) as daemon, daemon.client() as client:
        second = subprocess.run(
            [sys.executable, "-m", "lpad.cli.lpad", "serve", "--config", str(daemon.config)],
            check=False,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        assert second.returncode == 3
        assert "another process listens" in second.stderr
        assert client.system().health.ok


def test_the_socket_answers_before_the_card_does(lab: Lab) -> None:
    """READY does not wait for a card: while the card is silent, the API answers and calls it 'starting'."""
    lab.modem.once("ATE0", instead=())
    with Daemon(lab) as daemon, daemon.client() as client:
        assert client.euicc(CARD).state == "starting"
        with pytest.raises(ApiError) as caught:
            client.profiles(CARD)
        assert caught.value.kind == "card-unreachable"


def test_an_idle_daemon_sleeps(lab: Lab) -> None:
    """Neither a listener nor an open connection wakes an idle daemon periodically."""
    with Daemon(lab) as daemon, daemon.client() as client:
        ready(client)
        stream = client.events()
        next(stream)
        assert daemon.process is not None
        settled = switches(daemon.process.pid)
        for _ in range(100):
            time.sleep(0.2)  # The keep-alive time of the earlier requests ends after some seconds.
            before, settled = settled, switches(daemon.process.pid)
            if before == settled:
                quiet = switches(daemon.process.pid)
                time.sleep(7)
                woken = switches(daemon.process.pid) - quiet
                # The one connection that asked for the card closes after its keep-alive: one wake-up.
                assert woken <= 3
                break
        else:
            pytest.fail("the daemon never came to rest")
        stream.close()


def switches(pid: int) -> int:
    """Return the number of voluntary context switches of all threads of the process."""
    total = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        lines = (task / "status").read_text(encoding="ascii").splitlines()
        total += sum(int(line.split()[1]) for line in lines if line.startswith("voluntary_ctxt_switches"))
    return total


def test_an_inherited_socket_is_used(lab: Lab) -> None:
    """With socket activation the daemon answers on the manager's socket, which exists before it starts."""
    path = lab.folder / "activated.sock"
    daemon = Daemon(lab)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
        listener.listen()
        number = listener.fileno()
        starter = (
            "import os, sys; os.environ['LISTEN_PID'] = str(os.getpid());"
            "os.dup2(int(sys.argv[1]), 3); os.execv(sys.executable, [sys.executable, *sys.argv[2:]])"
        )
        serve = ["-m", "lpad.cli.lpad", "serve", "--config", str(daemon.config)]
        with subprocess.Popen(
            [sys.executable, "-c", starter, str(number), *serve],
            env={**os.environ, "LISTEN_FDS": "1"},
            pass_fds=[number],
            stderr=subprocess.DEVNULL,
        ) as process:
            daemon.socket = path
            with daemon.client() as client:
                assert client.system().health.cards == 1
            process.send_signal(signal.SIGINT)
            assert process.wait(PATIENCE) == 0
    assert not (lab.folder / "lpad.sock").exists()
