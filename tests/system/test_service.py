"""The service as systemd runs it: confined, started by its socket, started again whatever happens to it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from system.container import finish
from system.gateway import SIM

if TYPE_CHECKING:
    import subprocess

    from system.gateway import Gateway

IN_ITS_PLACE = Path(__file__).with_name("in_its_place.py")
FUSE = ("10", "229")
REFUSALS = {
    "Address family not supported by protocol",
    "Operation not permitted",
    "Permission denied",
    "Read-only file system",
}


def served(client: subprocess.Popen[str]) -> bool:
    """Whether a waiting client gets its answer."""
    said, complaint = finish(client)
    assert client.returncode == 0, complaint
    return "version" in json.loads(said)


def in_its_place(gateway: Gateway) -> dict[str, Any]:
    """What a program finds that systemd starts in the daemon's place."""
    gateway.write("/srv/in_its_place.py", IN_ITS_PLACE.read_text(encoding="utf-8"))
    gateway.run("mknod", "-m", "666", "/srv/other-device", "c", *FUSE)
    program = f"/usr/lib/lpad/bin/python3 /srv/in_its_place.py {SIM}/modem /srv/other-device"
    gateway.drop_in(f"[Service]\nExecStartPre=/bin/sh -c '{program} >/var/lib/lpad/found'\n")
    gateway.run("systemctl", "restart", "lpad.service")
    gateway.drop_in("")
    found: dict[str, Any] = json.loads((gateway.root / "var/lib/lpad/found").read_text(encoding="utf-8"))
    return found


def crash(gateway: Gateway) -> None:
    """Kill the daemon and wait until there is another, or none any more."""
    before = gateway.pid()
    gateway.run("systemctl", "kill", "--signal=KILL", "--kill-who=main", "lpad.service")
    gateway.until(
        lambda: gateway.active() == "failed" or gateway.pid() not in {0, before}, "what systemd does then"
    )


def later_starts(gateway: Gateway) -> list[str]:
    """The services that timers of lpad-retry.service will start."""
    return re.findall(r"run-\S+\.service", gateway.run("systemctl", "list-timers", "--all"))


def test_it_runs(gateway: Gateway) -> None:
    """Service and socket are up, also after the next boot, and the socket is closed to others."""
    assert gateway.active("lpad.service") == gateway.active("lpad.socket") == "active"
    assert gateway.run("systemctl", "is-enabled", "lpad.service", "lpad.socket").split() == [
        "enabled",
        "enabled",
    ]
    assert gateway.show("lpad.service", "StatusText")["StatusText"]
    permissions = gateway.run("getfacl", "--absolute-names", "/run/lpad/lpad.sock")
    assert re.search(r"^group: lpad$", permissions.replace("# ", ""), re.MULTILINE)
    assert "group:lpad-read:rw-" in permissions
    assert "other::---" in permissions


def test_it_is_confined(gateway: Gateway) -> None:
    """In the daemon's place nothing can be written, opened or gained but what lpad needs."""
    found = in_its_place(gateway)
    status, tried = found["status"], found["attempts"]
    assert set(status.pop("Uid").split()) == {gateway.run("id", "-u", "lpad").strip()}
    assert {status.pop("NoNewPrivs"), status.pop("Seccomp")} == {"1", "2"}
    assert {int(capabilities, 16) for capabilities in status.values()} == {0}
    assert found["processes"] == 2, "it sees what others run"
    done = {name for name, answer in tried.items() if answer == "done"}
    assert done == {"write /var/lib/lpad", "serial port"}
    assert {answer for name, answer in tried.items() if name not in done} <= REFUSALS
    # by DeviceAllow: its mode lets everybody open it
    assert tried["other device"] == "Operation not permitted"


def test_a_connection_starts_it(gateway: Gateway) -> None:
    """With only the socket there, the first caller is served, and lpad is up from then on."""
    gateway.run("systemctl", "stop", "lpad.service")
    assert gateway.active("lpad.service") == "inactive"
    assert gateway.active("lpad.socket") == "active"
    status, system = gateway.curl("/v1/system", user="rita")
    assert (status, "version" in system) == (200, True)
    assert gateway.active("lpad.service") == "active"


def test_a_caller_waits_out_a_restart(gateway: Gateway) -> None:
    """Who connects while lpad is being restarted gets an answer and no error."""
    gateway.ready()
    gateway.drop_in("[Service]\nExecStartPre=/bin/sleep 2\n")
    with gateway.popen("systemctl", "restart", "lpad.service") as restart:
        gateway.until(lambda: gateway.active() == "activating", "the restart")
        with gateway.client_waits() as client:
            assert served(client)
        finish(restart)
    gateway.drop_in("")
    assert gateway.active() == "active"


def test_a_caller_waits_out_a_crash(gateway: Gateway) -> None:
    """A killed lpad is started again, and who connects meanwhile is served."""
    gateway.ready()
    before = gateway.pid()
    gateway.run("systemctl", "kill", "--signal=KILL", "--kill-who=main", "lpad.service")
    gateway.until(lambda: gateway.active() == "activating", "systemd to notice")
    with gateway.client_waits() as client:
        assert served(client)
    assert gateway.pid() not in {0, before}
    gateway.ready()


def test_a_stuck_daemon_is_replaced(gateway: Gateway) -> None:
    """A daemon that makes no progress is killed and started again; a waiting caller is served."""
    gateway.drop_in("[Service]\nWatchdogSec=3\nTimeoutStopSec=3\n")
    gateway.run("systemctl", "reset-failed", "lpad.service")
    gateway.run("systemctl", "restart", "lpad.service")
    gateway.ready()
    before = gateway.pid()
    gateway.run("kill", "-STOP", str(before))
    with gateway.client_waits() as client:
        assert served(client)
    assert gateway.pid() not in {0, before}
    assert "Watchdog timeout" in gateway.journal("--unit=lpad.service", "--grep=Watchdog")
    gateway.drop_in("")
    gateway.run("systemctl", "restart", "lpad.service")
    gateway.ready()


def test_a_hopeless_start_is_not_repeated(gateway: Gateway) -> None:
    """With wrong settings lpad fails once, with the reason in the journal, and not in a loop."""
    good = (gateway.root / "etc/lpad/lpad.yaml").read_text(encoding="utf-8")
    gateway.run("systemctl", "reset-failed", "lpad.service")
    gateway.write("/etc/lpad/lpad.yaml", "sockets: x\n")
    try:
        gateway.run("systemctl", "restart", "lpad.service", code=1)
        assert gateway.active() == "failed"
        assert gateway.show("lpad.service", "NRestarts")["NRestarts"] == "0"
    finally:
        gateway.write("/etc/lpad/lpad.yaml", good)
    gateway.run("systemctl", "reset-failed", "lpad.service")
    gateway.run("systemctl", "start", "lpad.socket", "lpad.service")
    gateway.ready()


def test_restarts_have_a_limit_and_a_later_chance(gateway: Gateway) -> None:
    """A daemon that crashes again and again is given up, and tried once more a while later."""
    gateway.drop_in("[Service]\nRestartSec=100ms\n")
    gateway.run("systemctl", "reset-failed", "lpad.service")
    gateway.run("systemctl", "restart", "lpad.service")
    for _ in range(5):
        crash(gateway)
    gateway.until(lambda: gateway.active() == "failed", "systemd to give it up")
    gateway.until(lambda: bool(later_starts(gateway)), "the later start to be planned")
    gateway.drop_in("")
    # the quarter of an hour passes
    gateway.drop_in("[Unit]\nStartLimitIntervalSec=0\n")
    gateway.run("systemctl", "start", later_starts(gateway)[-1])
    gateway.ready()
    assert gateway.active() == "active"
    gateway.drop_in("")
