"""The outcome of a failed call to NetworkManager or ModemManager for an applier."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lpad.dbus.call_failures import BusRefused, BusUnreachable
from lpad.network.applier_interface import Failed, TryAgain

if TYPE_CHECKING:
    from lpad.dbus.call_failures import BusError
    from lpad.network.applier_interface import Outcome
    from lpad.network.connection_layer_names import Layer

RETRY = 2.0
"""Seconds after which another attempt makes sense: a restarted daemon is available again by then."""


def failed_question(error: BusError, *, attempted: str, program: str, action: str, layer: Layer) -> Outcome:
    """Return the outcome of a call that failed with a D-Bus error.

    Args:
        attempted: the attempted action, as in "cannot ATTEMPTED: …".
        program: the name of the called program.
        action: the polkit action that lpad's user needs for the call.
        layer: the layer that needs the called program.
    """
    if isinstance(error, BusUnreachable):
        told = f"cannot {attempted}: {error}"
        return (
            Failed(layer=layer, told=told)
            if error.for_good
            else TryAgain(layer=layer, told=told, after=RETRY)
        )
    if not isinstance(error, BusRefused):
        return TryAgain(
            layer=layer,
            told=f"cannot {attempted}: {program} did not answer in time; check its log",
            after=RETRY,
        )
    if error.not_permitted:
        return Failed(
            layer=layer,
            told=f"cannot {attempted}: {program} refuses lpad's user; allow that user the polkit action"
            f" {action}, as config/polkit/50-lpad.rules does",
        )
    if error.nobody_there or error.no_such_object:
        return TryAgain(
            layer=layer,
            told=(
                f"cannot {attempted}: {program} is not running, or has just lost the modem; check whether its"
                " service runs"
            ),
            after=RETRY,
        )
    return Failed(
        layer=layer, told=f"cannot {attempted}: {program} refuses it ({error.name.rpartition('.')[2]})"
    )


def not_running(program: str, *, attempted: str, layer: Layer) -> TryAgain:
    """Return the outcome if a program is not on the bus."""
    return TryAgain(
        layer=layer,
        told=f"cannot {attempted}: {program} does not run; start its service, or choose another applier"
        " in the settings",
        after=RETRY,
    )
