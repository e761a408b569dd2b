"""Power switches: uhubctl, unbinding in the kernel, and a user's own command."""

from __future__ import annotations

import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lpad.base.errors import CardUnreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hil.bench_file.bench_file import Power

_PATIENCE = 60.0
_USB = Path("/sys/bus/usb/drivers/usb")


class PowerSwitch(Protocol):
    """Switches the power of a place."""

    def on(self) -> None:
        """Turn the power on.

        Raises:
            CardUnreachable: the power could not be switched.
        """
        ...

    def off(self) -> None:
        """Turn the power off; for errors, see `on`."""
        ...


def power_switch(power: Power) -> PowerSwitch:
    """Return the power switch that a bench file describes."""
    if power.uhubctl is not None:
        hub, _, port = power.uhubctl.rpartition(":")
        return UhubctlSwitch(hub, port)
    if power.sysfs is not None:
        return SysfsSwitch(power.sysfs)
    return CommandSwitch(tuple(power.command or ()))


@dataclass(frozen=True, slots=True)
class CommandSwitch:
    """Runs a command, in which {state} is replaced by on or off; exit status 0 means success."""

    command: Sequence[str]

    def on(self) -> None:
        """Turn the power on."""
        _run([part.replace("{state}", "on") for part in self.command])

    def off(self) -> None:
        """Turn the power off."""
        _run([part.replace("{state}", "off") for part in self.command])


@dataclass(frozen=True, slots=True)
class UhubctlSwitch:
    """Switches a port of a hub, and checks the result: uhubctl exits with 0 even if the hub did nothing.

    mvp/uhubctl#63 and #613 quote uhubctl's report on a port: "Port 4: 0000 off", "Port 4: 0100
    power". A USB 3 hub appears as two hubs, which uhubctl switches one after the other.
    """

    hub: str
    port: str

    def on(self) -> None:
        """Turn the power on."""
        self._switch("on", seen="power")

    def off(self) -> None:
        """Turn the power off."""
        self._switch("off", seen="off")

    def _switch(self, state: str, *, seen: str) -> None:
        said = _run(["uhubctl", "--location", self.hub, "--ports", self.port, "--action", state])
        new = "".join(part.partition("Current status")[0] for part in said.split("New status for hub")[1:])
        states = re.findall(rf"^ *Port {self.port}: [0-9a-f]{{4}} (\w+)", new, flags=re.MULTILINE)
        if not states or set(states) != {seen}:
            raise CardUnreachable(
                f"cannot switch port {self.port} of the USB hub {self.hub} {state} with uhubctl: the "
                f"port's state is {' and '.join(states) or 'unknown'}; use a hub whose ports uhubctl "
                f"can switch, or power the device through a relay"
            )


def _run(command: Sequence[str]) -> str:
    """Run a command that switches, and return its output."""
    told = f"cannot switch the power with '{' '.join(command)}'"
    try:
        done = subprocess.run(  # noqa: S603 - the command is from the bench file
            command, capture_output=True, text=True, check=False, timeout=_PATIENCE
        )
    except OSError as error:
        raise CardUnreachable(f"{told}: {error.strerror}; install {command[0]}") from error
    except subprocess.TimeoutExpired as error:
        raise CardUnreachable(f"{told}: the command took longer than {_PATIENCE:.0f} s") from error
    if done.returncode != 0:
        raise CardUnreachable(f"{told}: the command ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


@dataclass(frozen=True, slots=True)
class SysfsSwitch:
    """Unbinds a USB device from its driver and binds it again, for hubs that cannot switch their ports.

    The device loses its driver but not its power, so a card may keep the content of its volatile memory.
    """

    device: str
    drivers: Path = _USB

    def on(self) -> None:
        """Bind the device."""
        self._write("bind")

    def off(self) -> None:
        """Unbind the device."""
        self._write("unbind")

    def _write(self, verb: str) -> None:
        if os.path.lexists(self.drivers / self.device) == (verb == "bind"):
            return
        try:
            with (self.drivers / verb).open("w", encoding="ascii") as file:
                file.write(self.device)
        except OSError as error:
            raise CardUnreachable(
                f"cannot {verb} the USB device {self.device} in the kernel: {error.strerror}; run the "
                f"bench as root, and check that {self.drivers} lists the device"
            ) from error
