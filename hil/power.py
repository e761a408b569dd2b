"""Power switches: uhubctl, the kernel's own way, and whatever command a user has."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from lpad.errors import CardUnreachable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hil.bench import Power

_PATIENCE = 60.0
_USB = Path("/sys/bus/usb/drivers/usb")


class PowerSwitch(Protocol):
    """Switches what is at a place."""

    def on(self) -> None:
        """Give power.

        Raises:
            CardUnreachable: it could not be switched.
        """
        ...

    def off(self) -> None:
        """Take power away; see `on`."""
        ...


def power_switch(power: Power) -> PowerSwitch:
    """Return the switch that a bench file describes."""
    if power.uhubctl is not None:
        hub, _, port = power.uhubctl.rpartition(":")
        return CommandSwitch(("uhubctl", "--location", hub, "--ports", port, "--action", "{state}"))
    if power.sysfs is not None:
        return SysfsSwitch(power.sysfs)
    return CommandSwitch(tuple(power.command or ()))


@dataclass(frozen=True, slots=True)
class CommandSwitch:
    """Runs a command, in which {state} becomes on or off; status 0 means that it is so."""

    command: Sequence[str]

    def on(self) -> None:
        """Give power."""
        self._run("on")

    def off(self) -> None:
        """Take power away."""
        self._run("off")

    def _run(self, state: str) -> None:
        command = [part.replace("{state}", state) for part in self.command]
        told = f"switching the power {state} with '{' '.join(command)}'"
        try:
            done = subprocess.run(  # noqa: S603 - what the bench file says
                command, capture_output=True, text=True, check=False, timeout=_PATIENCE
            )
        except OSError as error:
            raise CardUnreachable(f"{told} failed: {error.strerror}; install it") from error
        except subprocess.TimeoutExpired as error:
            raise CardUnreachable(f"{told} took longer than {_PATIENCE:.0f} s") from error
        if done.returncode != 0:
            raise CardUnreachable(f"{told} ended with {done.returncode}: {done.stderr.strip()}")


@dataclass(frozen=True, slots=True)
class SysfsSwitch:
    """Unbinds a USB device from its driver and binds it again: for hubs that can't switch their ports.

    The device loses its driver and not its supply, so a card may keep what it had in its memory.
    """

    device: str
    drivers: Path = _USB

    def on(self) -> None:
        """Bind."""
        self._write("bind")

    def off(self) -> None:
        """Unbind."""
        self._write("unbind")

    def _write(self, verb: str) -> None:
        if (self.drivers / self.device).exists() == (verb == "bind"):
            return
        try:
            with (self.drivers / verb).open("w", encoding="ascii") as file:
                file.write(self.device)
        except OSError as error:
            raise CardUnreachable(
                f"telling the kernel to {verb} the USB device {self.device} failed: {error.strerror};"
                f" root may, and {self.drivers} lists what is there"
            ) from error
