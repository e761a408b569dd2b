"""Power switches by uhubctl, sysfs or the user's command, with doubles for the hub and the kernel."""

from __future__ import annotations

import os
import threading
from pathlib import Path

import pytest

from hil.bench_file.bench_file import Power
from hil.place.power_switch import SysfsSwitch, power_switch
from lpad.base.errors import CardUnreachable
from lpad.testing.simulated_gateway import Gateway


def test_the_users_command_switches_power(tmp_path: Path) -> None:
    """The user's command gets `on` or `off` in place of {state}, and its failure is reported."""
    switch = power_switch(Power(command=["/bin/sh", "-c", f"echo {{state}} >>{tmp_path}/said"]))
    switch.off()
    switch.on()
    assert (tmp_path / "said").read_text() == "off\non\n"
    with pytest.raises(CardUnreachable, match="ended with 3: stuck"):
        power_switch(Power(command=["/bin/sh", "-c", "echo stuck >&2; exit 3 # {state}"])).on()
    with pytest.raises(CardUnreachable, match="No such file"):
        power_switch(Power(command=["/nowhere/relay", "{state}"])).on()


SAYS = """Current status for hub 2-1.3 [2109:0822 VIA Labs, Inc. USB3.1 Hub, USB 3.20, 4 ports, ppps]
  Port 3: {before} 5gbps Rx.Detect
Sent power {state} request
New status for hub 2-1.3 [2109:0822 VIA Labs, Inc. USB3.1 Hub, USB 3.20, 4 ports, ppps]
  Port 3: {usb3}
Current status for hub 1-1.3 [2109:2822 VIA Labs, Inc. USB2.0 Hub, USB 2.10, 4 ports, ppps]
  Port 3: {before} enable connect [08e6:3437 Gemalto USB SmartCard Reader]
Sent power {state} request
New status for hub 1-1.3 [2109:2822 VIA Labs, Inc. USB2.0 Hub, USB 2.10, 4 ports, ppps]
  Port 3: {usb2}
"""
"""Output of uhubctl 2.5 for a USB 3 hub (mvp/uhubctl#613)."""
OFF = SAYS.format(before="0103 power", state="off", usb3="00a0 off", usb2="0000 off")
ON = SAYS.format(
    before="0000 off", state="on", usb3="02a0 power 5gbps Rx.Detect", usb2="0101 power connect []"
)
STUCK = SAYS.format(before="0103 power", state="off", usb3="00a0 off", usb2="0103 power enable connect []")


@pytest.fixture
def uhubctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a program uhubctl that prints the content of the files on and off, and records its arguments."""
    program = tmp_path / "uhubctl"
    program.write_text(f'#!/bin/sh\necho "$@" >>{tmp_path}/asked\ncat "{tmp_path}/$6"\n')
    program.chmod(0o755)
    monkeypatch.setenv("PATH", os.pathsep.join([str(tmp_path), os.environ["PATH"]]))
    (tmp_path / "on").write_text(ON)
    (tmp_path / "off").write_text(OFF)
    return tmp_path


def test_uhubctl_switches_a_port(uhubctl: Path) -> None:
    """Uhubctl gets the location and the port of the hub, and the action on or off."""
    switch = power_switch(Power(uhubctl="1-1.3:3"))
    switch.off()
    switch.on()
    assert (uhubctl / "asked").read_text().splitlines() == [
        "--location 1-1.3 --ports 3 --action off",
        "--location 1-1.3 --ports 3 --action on",
    ]


@pytest.mark.parametrize(
    ("said", "told"),
    [(STUCK, "is off and power"), (ON, "is power and power"), ("", "is unknown")],
    ids=["half of it", "all of it", "silent"],
)
def test_a_hub_that_does_nothing(uhubctl: Path, said: str, told: str) -> None:
    """The bench reports if uhubctl exits with 0 but the power is unchanged (mvp/uhubctl#146)."""
    (uhubctl / "off").write_text(said)
    with pytest.raises(CardUnreachable, match=told):
        power_switch(Power(uhubctl="1-1.3:3")).off()


@pytest.mark.programs("uhubctl")
def test_the_real_uhubctl_accepts_the_arguments() -> None:
    """The real uhubctl accepts the arguments: its only complaint is that there is no hub 9-9."""
    with pytest.raises(CardUnreachable, match=r"ended with 1: .*(at location 9-9|permission)"):
        power_switch(Power(uhubctl="9-9:3")).off()


class Kernel:
    """The folder of a USB driver as the kernel has it: a link for each bound device, and two files to write.

    According to "Manual driver binding and unbinding" (LWN, 143397), a program that writes a device's name to
    one of the files finds the link gone or present afterwards, and "No such device" for an unknown name.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.heard: list[tuple[str, str]] = []
        for verb in ("bind", "unbind"):
            os.mkfifo(folder / verb)
            threading.Thread(target=self._listen, args=(verb,), daemon=True).start()
        self._link().symlink_to("../../../../devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1.4")

    def _link(self) -> Path:
        return self.folder / "1-1.4"

    def _listen(self, verb: str) -> None:
        name = (self.folder / verb).read_text()
        if verb == "bind":
            self._link().symlink_to("../../../../devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1.4")
        else:
            self._link().unlink()
        self.heard.append((verb, name))


def test_sysfs_unbinds_and_binds_a_device(tmp_path: Path) -> None:
    """The sysfs switch unbinds a bound device and binds an unbound one, and writes nothing else."""
    kernel = Kernel(tmp_path)
    switch = SysfsSwitch("1-1.4", drivers=tmp_path)
    told: list[tuple[str, str]] = []
    for act, verb in ((switch.on, None), (switch.off, "unbind"), (switch.on, "bind"), (switch.on, None)):
        act()
        told += [(verb, "1-1.4")] if verb else []
        Gateway.until(lambda: kernel.heard == told)  # noqa: B023 - called only in this pass of the loop
    with pytest.raises(CardUnreachable, match="as root"):
        SysfsSwitch("1-1.4", drivers=Path("/nowhere")).on()
    assert isinstance(power_switch(Power(sysfs="1-1.4")), SysfsSwitch)
