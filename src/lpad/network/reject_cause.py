"""The network's causes for rejecting a registration or a bearer.

Causes are numbers in the network's answers: 5GMM (3GPP TS 24.501, 9.11.3.2) and EMM (TS 24.301, 9.9.3.9)
reject a registration, 5GSM (TS 24.501, 9.11.4.2) and ESM (TS 24.301, 9.9.4.4) a bearer.
"""

from __future__ import annotations

import enum

from lpad.base.frozen import Frozen


class Procedure(enum.StrEnum):
    """The procedure of the network to which a cause belongs."""

    EMM = "EMM"
    FIVE_GMM = "5GMM"
    ESM = "ESM"
    FIVE_GSM = "5GSM"


_REGISTRATION = {
    2: "IMSI unknown in HSS",
    3: "illegal UE",
    5: "IMEI not accepted",
    6: "illegal ME",
    7: "EPS services not allowed",
    8: "EPS services and non-EPS services not allowed",
    9: "UE identity cannot be derived by the network",
    10: "implicitly detached",
    11: "PLMN not allowed",
    12: "tracking area not allowed",
    13: "roaming not allowed in this tracking area",
    14: "EPS services not allowed in this PLMN",
    15: "no suitable cells in tracking area",
    17: "network failure",
    19: "ESM failure",
    22: "congestion",
    25: "not authorized for this CSG",
    27: "N1 mode not allowed",
    35: "requested service option not authorized in this PLMN",
    42: "severe network failure",
    62: "no network slices available",
    73: "serving network not authorized",
}
_SESSION = {
    8: "operator determined barring",
    26: "insufficient resources",
    27: "missing or unknown APN",
    28: "unknown PDN type",
    29: "user authentication failed",
    30: "request rejected by Serving GW or PDN GW",
    31: "request rejected, unspecified",
    32: "service option not supported",
    33: "requested service option not subscribed",
    34: "service option temporarily out of order",
    36: "regular deactivation",
    38: "network failure",
    50: "PDN type IPv4 only allowed",
    51: "PDN type IPv6 only allowed",
    52: "single address bearers only allowed",
    53: "ESM information not received",
    54: "PDN connection does not exist",
    55: "multiple PDN connections for a given APN not allowed",
    57: "PDN type IPv4v6 only allowed",
    65: "maximum number of EPS bearers reached",
    66: "requested APN not supported in current RAT and PLMN combination",
}
_NAMES = {
    Procedure.EMM: _REGISTRATION,
    Procedure.FIVE_GMM: _REGISTRATION,
    Procedure.ESM: _SESSION,
    Procedure.FIVE_GSM: _SESSION,
}
_WRONG_SETTINGS = frozenset({27, 29, 33, 50, 51})
_IP_TYPE = frozenset({50, 51})


class Cause(Frozen):
    """The network's reason for a rejection: the procedure, and its cause from 0 to 255."""

    procedure: Procedure
    code: int

    @property
    def name(self) -> str:
        """The standard's words for the code; 'unknown' if lpad's table lacks the code."""
        return _NAMES[self.procedure].get(self.code, "unknown")

    @property
    def wrong_settings(self) -> bool:
        """Whether the settings, not the profile, are probably wrong: ESM or 5GSM 27, 29, 33, 50 and 51."""
        return self.procedure in (Procedure.ESM, Procedure.FIVE_GSM) and self.code in _WRONG_SETTINGS

    @property
    def wrong_ip_type(self) -> bool:
        """Whether the network allows only a different IP type: ESM or 5GSM 50 and 51."""
        return self.wrong_settings and self.code in _IP_TYPE

    def __str__(self) -> str:
        return f"{self.procedure} cause {self.code}, {self.name}"
