"""The control ports that `lpad sim euicc` can give a modem in place of its AT port."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from lpad.base.errors import InvalidValue
from lpad.simulator.mbim.behaviour import MbimBehaviour
from lpad.simulator.mbim.control_port import MbimModem
from lpad.simulator.qmi.behaviour import QmiBehaviour
from lpad.simulator.qmi.control_port import QmiModem

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.simulator.modem.commands import Card
    from lpad.simulator.modem.personality import ModemPersonality

    _F = TypeVar("_F", bound=Callable[..., Any])

_B = TypeVar("_B")


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlOptions:
    """The options of both kinds of control port, as given on the command line."""

    mbim: str | None
    mbim_behaviour: str | None
    qmi: str | None
    qmi_behaviour: str | None

    @property
    def given(self) -> bool:
        """Whether the modem has a control port."""
        return self.mbim is not None or self.qmi is not None

    def check(self, *, serial: bool) -> None:
        """Refuse options that contradict each other, or that lack the option for their port.

        Args:
            serial: whether there are options for an AT port.

        Raises:
            click.UsageError: an option contradicts another one, or lacks the option for its port.
        """
        for option, path, behaviour, kind in (
            ("--mbim", self.mbim, self.mbim_behaviour, "an MBIM"),
            ("--qmi", self.qmi, self.qmi_behaviour, "a QMI"),
        ):
            if path is not None and serial:
                raise click.UsageError(
                    f"{option} gives the modem {kind} port: --pty and --baud are for an AT port"
                )
            if behaviour is not None and path is None:
                raise click.UsageError(f"{option}-behaviour needs {option}")
        if self.mbim is not None and self.qmi is not None:
            raise click.UsageError("give either --mbim or --qmi: the modem has one control port")

    def start(self, card: Card, personality: ModemPersonality) -> MbimModem | QmiModem:
        """Start a simulated modem with the control port.

        Raises:
            InvalidValue: something else is at the path, or the behaviour of the port has a wrong value.
        """
        if self.mbim is not None:
            mbim = _behaviour_of(self.mbim_behaviour, MbimBehaviour, "--mbim-behaviour")
            return MbimModem(card, path=self.mbim, personality=personality, behaviour=mbim)
        qmi = _behaviour_of(self.qmi_behaviour, QmiBehaviour, "--qmi-behaviour")
        return QmiModem(card, path=self.qmi, personality=personality, behaviour=qmi)

    @property
    def name(self) -> str:
        """The name of the port's protocol."""
        return "MBIM" if self.mbim is not None else "QMI"


def control_options(command: _F) -> _F:
    """Add the options of control ports to a command."""
    for name, kind, other in (("qmi", "a QMI", "QMI"), ("mbim", "an MBIM", "MBIM")):
        command = click.option(
            f"--{name}-behaviour", metavar="JSON", help=f"Override a behaviour of the {other} port."
        )(command)
        command = click.option(
            f"--{name}",
            metavar="PATH",
            help=f"Path of the link to the modem's {other} port, or unix: and the path of a socket; gives"
            f" the modem {kind} port in place of the AT port. lpad recognizes a link that is named cdc-wdm0.",
        )(command)
    return command


def json_object(text: str | None, option: str) -> dict[str, Any]:
    """Read the value of an option as a JSON object; empty if the option is missing.

    Raises:
        InvalidValue: the value is not a JSON object.
    """
    try:
        found = json.loads(text or "{}")
    except ValueError as error:
        raise InvalidValue(f"{option} is not valid JSON: {error}") from error
    if not isinstance(found, dict):
        raise InvalidValue(f"{option} must be a JSON object, such as {{}}")
    return found


def _behaviour_of(text: str | None, kind: type[_B], option: str) -> _B:
    try:
        return msgspec.convert(json_object(text, option), kind)
    except msgspec.ValidationError as error:
        raise InvalidValue(f"{option}: {error}") from error
