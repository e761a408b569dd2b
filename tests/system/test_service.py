"""The service under systemd: its confinement, start by the socket, restarts and reloads."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lpad.cli.terminal import exit_codes
from system.container import finish
from system.gateway import CARD, SIM

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
    """Wait for a client, and return whether lpad's answer to it has the version."""
    said, complaint = finish(client)
    assert client.returncode == 0, complaint
    return "version" in json.loads(said)


def in_its_place(gateway: Gateway) -> dict[str, Any]:
    """Return the result of in_its_place.py, which systemd starts with the daemon's permissions."""
    gateway.write("/srv/in_its_place.py", IN_ITS_PLACE.read_text(encoding="utf-8"))
    gateway.run("mknod", "-m", "666", "/srv/other-device", "c", *FUSE)
    program = f"/usr/lib/lpad/bin/python3 /srv/in_its_place.py {SIM}/modem /srv/other-device"
    gateway.drop_in(f"[Service]\nExecStartPre=/bin/sh -c '{program} >/var/lib/lpad/found'\n")
    gateway.run("systemctl", "restart", "lpad.service")
    gateway.drop_in("")
    found: dict[str, Any] = json.loads((gateway.root / "var/lib/lpad/found").read_text(encoding="utf-8"))
    return found


def crash(gateway: Gateway) -> None:
    """Kill the daemon, and wait until systemd has started another one or the service has failed."""
    before = gateway.pid()
    gateway.run("systemctl", "kill", "--signal=KILL", "--kill-who=main", "lpad.service")
    gateway.until(
        lambda: gateway.active() == "failed" or gateway.pid() not in {0, before}, "what systemd does then"
    )


def later_starts(gateway: Gateway) -> list[str]:
    """Return the transient services that systemd's timers will start."""
    return re.findall(r"run-\S+\.service", gateway.run("systemctl", "list-timers", "--all"))


def test_service_and_socket_run_after_the_next_boot(gateway: Gateway) -> None:
    """Service and socket are active and enabled, and only lpad's groups can use the socket."""
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


def test_log_entries_are_selected_by_field(gateway: Gateway) -> None:
    """The journal's entries of a change can be selected by card and change number."""
    gateway.ready()
    gateway.lpactl("info", "--refresh")
    change = gateway.lpactl("changes")["changes"][0]["id"]
    gateway.run("journalctl", "--sync")
    said = gateway.journal("--output=json", f"EUICC={CARD}", f"CHANGE_ID={change}").splitlines()
    entries = [json.loads(line) for line in said]
    assert {entry["CHANGE_KIND"] for entry in entries} == {"refresh"}
    assert {entry["_SYSTEMD_UNIT"] for entry in entries} == {"lpad.service"}
    assert entries[-1]["MESSAGE"].endswith("done")
    assert entries[-1]["PRIORITY"] == "6"


def test_the_daemon_is_confined(gateway: Gateway) -> None:
    """With the daemon's permissions, only the state folder and the serial port can be used."""
    found = in_its_place(gateway)
    status, tried = found["status"], found["attempts"]
    assert set(status.pop("Uid").split()) == {gateway.run("id", "-u", "lpad").strip()}
    assert {status.pop("NoNewPrivs"), status.pop("Seccomp")} == {"1", "2"}
    assert {int(capabilities, 16) for capabilities in status.values()} == {0}
    assert found["processes"] == 2, "the daemon sees the processes of others"
    done = {name for name, answer in tried.items() if answer == "done"}
    assert done == {"write /var/lib/lpad", "serial port"}
    assert {answer for name, answer in tried.items() if name not in done} <= REFUSALS
    # DeviceAllow= refuses this device, although all users may open it by its mode.
    assert tried["other device"] == "Operation not permitted"


def test_a_connection_starts_the_service(gateway: Gateway) -> None:
    """If only the socket is active, the first connection starts the service and gets its answer."""
    gateway.run("systemctl", "stop", "lpad.service", "lpad.socket")
    gateway.run("systemctl", "start", "lpad.socket")
    assert gateway.active("lpad.service") == "inactive"
    assert gateway.active("lpad.socket") == "active"
    status, system = gateway.curl("/v1/system", user="rita")
    assert (status, "version" in system) == (200, True)
    assert gateway.active("lpad.service") == "active"


def test_a_caller_waits_out_a_restart(gateway: Gateway) -> None:
    """A program that connects while lpad restarts gets its answer after the restart."""
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
    """After lpad was killed, systemd starts it again, and a program that connects meanwhile is served."""
    gateway.ready()
    before = gateway.pid()
    gateway.run("systemctl", "kill", "--signal=KILL", "--kill-who=main", "lpad.service")
    gateway.until(lambda: gateway.active() == "activating", "systemd to notice")
    with gateway.client_waits() as client:
        assert served(client)
    assert gateway.pid() not in {0, before}
    gateway.ready()


def test_a_stuck_daemon_is_replaced(gateway: Gateway) -> None:
    """The watchdog restarts a stopped daemon, and a program that connected meanwhile is served."""
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


def test_settings_are_reloaded(gateway: Gateway) -> None:
    """`systemctl reload` applies changed access settings in the same process, with the card ready."""
    before = gateway.pid()
    gateway.run("lpactl", "status", user="mallory", code=exit_codes.DAEMON)
    gateway.write_settings(access={"read": {"users": ["mallory"]}})
    gateway.run("systemctl", "reload", "lpad.service")
    gateway.until(lambda: "mallory" in gateway.run("getfacl", "/run/lpad/lpad.sock"), "the new settings")
    assert gateway.lpactl("status", user="mallory")["euiccs"][0]["state"] == "ready"
    assert gateway.pid() == before
    gateway.write_settings()
    gateway.run("systemctl", "reload", "lpad.service")
    gateway.until(lambda: "mallory" not in gateway.run("getfacl", "/run/lpad/lpad.sock"), "the old settings")


def test_a_setting_that_needs_a_restart_is_named(gateway: Gateway) -> None:
    """The journal names a changed setting that needs a restart; lpad's process continues."""
    before = gateway.pid()
    gateway.write_settings(state_folder="/var/lib/lpad/elsewhere")
    gateway.run("systemctl", "reload", "lpad.service")
    gateway.until(
        lambda: "state_folder" in gateway.journal("--unit=lpad.service", "--lines=10"),
        "a word of the restart",
    )
    assert gateway.pid() == before
    gateway.write_settings()
    gateway.run("systemctl", "reload", "lpad.service")
    gateway.ready()


def test_a_mistake_in_the_settings_is_not_loaded(gateway: Gateway) -> None:
    """With mistakes in the settings, `systemctl reload` fails, the journal names each, and lpad continues."""
    before = gateway.pid()
    gateway.write("/etc/lpad/lpad.yaml", "sockets: x\nanswer_within: soon\n")
    gateway.run("systemctl", "reload", "lpad.service", code=1)
    gateway.write_settings()
    said = gateway.journal("--unit=lpad.service", "--lines=20")
    assert "sockets" in said
    assert "answer_within" in said
    assert gateway.pid() == before
    assert gateway.card()["state"] == "ready"


def test_a_hopeless_start_is_not_repeated(gateway: Gateway) -> None:
    """With wrong settings, the service fails, and systemd does not restart it."""
    gateway.run("systemctl", "reset-failed", "lpad.service")
    gateway.write("/etc/lpad/lpad.yaml", "sockets: x\n")
    gateway.run("systemctl", "restart", "lpad.service", code=1)
    assert gateway.active() == "failed"
    assert gateway.show("lpad.service", "NRestarts")["NRestarts"] == "0"
    gateway.write_settings()
    gateway.run("systemctl", "reset-failed", "lpad.service")
    gateway.run("systemctl", "start", "lpad.socket", "lpad.service")
    gateway.ready()


def test_restarts_have_a_limit_and_a_later_chance(gateway: Gateway) -> None:
    """After five crashes, the service fails, and a later start is scheduled, which succeeds."""
    gateway.drop_in("[Service]\nRestartSec=100ms\n")
    gateway.run("systemctl", "reset-failed", "lpad.service")
    gateway.run("systemctl", "restart", "lpad.service")
    for _ in range(5):
        crash(gateway)
    gateway.until(lambda: gateway.active() == "failed", "systemd to give it up")
    gateway.until(lambda: bool(later_starts(gateway)), "the later start to be planned")
    gateway.drop_in("")
    # Without a start limit, as after a quarter of an hour.
    gateway.drop_in("[Unit]\nStartLimitIntervalSec=0\n")
    gateway.run("systemctl", "start", later_starts(gateway)[-1])
    gateway.until(lambda: gateway.active() == "active", "the later start to take effect")
    gateway.ready()
    gateway.drop_in("")


def test_udev_understands_the_rules(gateway: Gateway) -> None:
    """A port with LPAD_PORT gets a link and is ignored by ModemManager; udev reports no wrong rule."""
    rule = 'SUBSYSTEM=="tty", KERNEL=="tty0", ENV{LPAD_PORT}="1"'
    gateway.write("/etc/udev/rules.d/69-lpad-port.rules", f"{rule}\n")
    said = gateway.run("sh", "-c", "udevadm test /sys/class/tty/tty0 2>&1")
    assert "ID_MM_PORT_IGNORE=1" in said
    assert "/dev/lpad/tty0" in said
    ours = [line for line in said.splitlines() if "70-lpad.rules" in line]
    assert [line for line in ours if re.search(r"[Ii]nvalid|[Uu]nknown|[Ii]gnor|[Ff]ail", line)] == []
