"""Run as root in its own namespaces: a daemon switches profiles while ModemManager uses the same MBIM port.

ModemManager finds an MBIM port by its entries in /sys, so this program puts made-up ones there. Prints the
number of switches that are done, whether ModemManager still runs, and how many indications it has processed.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from debian_daemons.rig import BUS
from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.base.identifiers import Iccid
from lpad.simulator.mbim.control_port import MbimModem

if TYPE_CHECKING:
    from collections.abc import Callable

PROFILES = ("8900101000000000017", "8900101000000000025")
SWITCHES = 4
PORT = Path("/dev/cdc-wdm0")
ENTRIES = {"net": "wwan9", "usbmisc": PORT.name}
NOTICED = "processed subscriber ready status notification"
"""ModemManager's line about the indication that follows a switch."""
NODES = {"null": (1, 3), "zero": (1, 5), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}
DEVICE = Path("/sys/devices/pci0000:00/0000:00:14.0/usb1/1-1")
_SET_FLAGS, _UP = 0x8914, 1


def mount(*words: str) -> None:
    subprocess.run(["mount", *words], check=True)


def make_places(folder: Path) -> None:
    """Make /sys and /dev with one USB modem; this process must have its own namespace for mounts."""
    mount("--make-rprivate", "/")
    mount("-t", "tmpfs", "tmpfs", "/sys")
    interface = DEVICE / "1-1:1.0"
    bus, driver = Path("/sys/bus/usb"), Path("/sys/bus/usb/drivers/cdc_mbim")
    driver.mkdir(parents=True)
    files = {
        "idVendor": "1199",
        "idProduct": "90d3",
        "bcdDevice": "0006",
        "manufacturer": "M",
        "product": "P",
    }
    for kind, name in ENTRIES.items():
        entry, shown = interface / kind / name, Path("/sys/class") / kind
        entry.mkdir(parents=True)
        shown.mkdir(parents=True)
        (entry / "subsystem").symlink_to(shown)
        (entry / "device").symlink_to(interface)
        (shown / name).symlink_to(entry)
    for name, text in files.items():
        (DEVICE / name).write_text(f"{text}\n", encoding="ascii")
    for each in (DEVICE, interface):
        (each / "subsystem").symlink_to(bus)
    (interface / "driver").symlink_to(driver)
    devices = folder / "dev"
    devices.mkdir()
    mount("-t", "tmpfs", "tmpfs", str(devices))
    for name in ("pts", "shm"):  # the folder for temporary files may be in /dev/shm
        (devices / name).mkdir()
        mount("--bind", f"/dev/{name}", str(devices / name))
    for name, (major, minor) in NODES.items():
        os.mknod(devices / name, 0o20666, os.makedev(major, minor))
    (devices / "ptmx").symlink_to("pts/ptmx")
    (devices / "fd").symlink_to("/proc/self/fd")
    mount("--move", str(devices), "/dev")


def loopback_up() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sh", b"lo", _UP))


def until(holds: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end, f"waited for {what}"
        threading.Event().wait(0.2)


def mmcli(*words: str) -> str:
    done = subprocess.run(["mmcli", *words], capture_output=True, text=True, check=False, timeout=PATIENCE)
    return done.stdout + done.stderr


def main(folder: Path) -> None:
    """Switch between the two profiles while ModemManager uses the port, and print the findings as JSON."""
    make_places(folder)
    loopback_up()
    address = f"unix:path={folder}/bus"
    os.environ |= {"DBUS_SYSTEM_BUS_ADDRESS": address, "DBUS_SESSION_BUS_ADDRESS": address}
    (folder / "bus.conf").write_text(BUS.format(folder=folder), encoding="ascii")
    events = [f"action=add,name={name},subsystem={kind}\n" for kind, name in ENTRIES.items()]
    (folder / "events").write_text("".join(events), encoding="ascii")
    gateway = Gateway(euicc={"port": str(PORT)})
    with ExitStack() as stack:
        modem = stack.enter_context(MbimModem(gateway.card, path=PORT))
        # lpad looks up the device that the port's name leads to, here a pty with a different name.
        entry = DEVICE / "1-1:1.0" / "usbmisc" / PORT.name
        Path("/sys/class/usbmisc", PORT.resolve().name).symlink_to(entry)

        def run(*command: str) -> subprocess.Popen[bytes]:
            log = stack.enter_context((folder / f"{Path(command[0]).name}.log").open("wb"))
            return subprocess.Popen(command, stdout=log, stderr=log)

        run("dbus-daemon", f"--config-file={folder}/bus.conf", "--nofork", "--nopidfile")
        until((folder / "bus").exists, "the bus")
        manager = run(
            "ModemManager", "--debug", "--test-session", "--test-no-udev", "--test-no-suspend-resume",
            "--no-auto-scan", f"--initial-kernel-events={folder}/events",
        )  # fmt: skip
        until(lambda: "/Modem/" in mmcli("-L"), "the modem")
        stack.enter_context(gateway)
        stack.callback(lambda: print(gateway.log[-4000:], file=sys.stderr))
        gateway.ready()
        assert "mbim-proxy" in Path("/proc/net/unix").read_text(encoding="ascii", errors="replace")
        for iccid in PROFILES:
            gateway.install_profile(iccid=Iccid.parse(iccid))
        assert "successfully enabled" in mmcli("-m", "any", "--enable")
        switched = 0
        for number in range(SWITCHES):
            wanted = PROFILES[number % 2]
            gateway.client.enable(CARD, wanted, wait=PATIENCE).check()
            switched += str(gateway.card.enabled_iccid) == wanted
        gateway.until(lambda: not gateway.card.notifications and not modem.function.channels.open)
        runs = manager.poll() is None
        manager.terminate()
        manager.wait(PATIENCE)
    log = (folder / "ModemManager.log").read_text(encoding="utf-8", errors="replace")
    print(json.dumps({"switched": switched, "runs": runs, "noticed": log.count(NOTICED)}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
