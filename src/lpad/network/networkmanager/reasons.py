"""NetworkManager's device states and reasons, with the layer and cause of each.

NMDeviceState and NMDeviceStateReason of NetworkManager 1.42; a reason without words is reported as a number.
"""

from __future__ import annotations

from lpad.network.connection_layer_names import Layer
from lpad.network.reject_cause import Cause, Procedure

UNMANAGED, UNAVAILABLE, DISCONNECTED = 10, 20, 30
PREPARE, NEED_AUTH, IP_CONFIG, ACTIVATED, DEACTIVATING, FAILED = 40, 60, 70, 100, 110, 120
"""NMDeviceState. From PREPARE, the device is being activated; from IP_CONFIG, the bearer is up."""
MOST = 1024

_TOLD = {
    1: "unknown",
    4: "the configuration failed",
    5: "no IP configuration",
    6: "the IP configuration has expired",
    7: "a secret is missing, such as the password or the PIN",
    12: "PPP could not start",
    13: "PPP was disconnected",
    14: "PPP failed",
    15: "DHCP could not start",
    16: "DHCP had an error",
    17: "DHCP failed",
    23: "the modem is busy",
    24: "no dial tone",
    25: "no carrier",
    26: "dialling took too long",
    27: "dialling failed",
    28: "the modem could not be initialized",
    29: "the network refuses the APN",
    30: "the modem does not search for a network",
    31: "the network refuses the registration",
    32: "the registration took too long",
    33: "the registration failed",
    34: "the PIN check failed",
    36: "the modem was removed",
    37: "the device sleeps",
    38: "the connection was removed",
    39: "the user disconnected it",
    43: "the modem was not found",
    45: "no SIM",
    46: "the SIM requires a PIN",
    47: "the SIM requires a PUK",
    48: "the SIM is the wrong one",
    52: "ModemManager does not run",
    57: "the modem failed",
    59: "the PIN is wrong",
    60: "another connection takes its place",
}
_LAYERS = {
    **dict.fromkeys((28, 34, 36, 43, 45, 46, 47, 48, 52, 57, 59), Layer.MODEM),
    **dict.fromkeys((30, 31, 32, 33), Layer.REGISTERED),
    **dict.fromkeys((5, 6, 15, 16, 17), Layer.ADDRESS),
}
_CAUSES = {29: Cause(Procedure.ESM, 27)}


def told(reason: int | None) -> str:
    """Return a reason in words."""
    return _TOLD.get(reason or 1, f"reason {reason}")


def layer_of(reason: int | None) -> Layer:
    """Return the layer that a reason concerns; the bearer by default."""
    return _LAYERS.get(reason or 0, Layer.BEARER)


def cause_of(reason: int | None) -> Cause | None:
    """Return the network's reject cause that a reason implies; None if it implies none."""
    return _CAUSES.get(reason or 0)
