"""The network's causes and the failed layer, by ModemManager's errors.

ModemManager's errors of mobile equipment have the names of 3GPP's causes (TS 27.007, 9.2.2; TS 24.301,
9.9.3.9 and 9.9.4.4); the table also contains names from before version 1.18.
"""

from __future__ import annotations

from lpad.network.connection_layer_names import Layer
from lpad.network.reject_cause import Cause, Procedure

_PREFIX = "org.freedesktop.ModemManager1.Error."

_SESSION = {
    "OperatorDeterminedBarring": 8,
    "InsufficientResources": 26,
    "MissingOrUnknownApn": 27,
    "GprsMissingOrUnknownApn": 27,
    "UnknownPdpAddressOrType": 28,
    "UserAuthenticationFailed": 29,
    "PdpAuthFailure": 29,
    "GprsPdpAuthFailure": 29,
    "ActivationRejectedByGgsnOrGw": 30,
    "ActivationRejectedUnspecified": 31,
    "ServiceOptionNotSupported": 32,
    "GprsServiceOptionNotSupported": 32,
    "ServiceOptionNotSubscribed": 33,
    "GprsServiceOptionNotSubscribed": 33,
    "ServiceOptionOutOfOrder": 34,
    "GprsServiceOptionOutOfOrder": 34,
    "RegularDeactivation": 36,
    "NetworkFailureActivation": 38,
    "Ipv4OnlyAllowed": 50,
    "Ipv6OnlyAllowed": 51,
    "SingleAddressBearersOnlyAllowed": 52,
    "EsmInformationNotReceived": 53,
    "PdnConnectionNonexistent": 54,
    "MultiplePdnConnectionSameApnNotAllowed": 55,
    "Ipv4v6OnlyAllowed": 57,
    "MaximumNumberOfBearersReached": 65,
    "RequestedApnNotSupported": 66,
}
_REGISTRATION = {
    "ImsiUnknownInHss": 2,
    "IllegalUe": 3,
    "ImeiNotAccepted": 5,
    "IllegalMe": 6,
    "PsServicesNotAllowed": 7,
    "PsAndNonPsServicesNotAllowed": 8,
    "UeIdentityNotDerivedFromNetwork": 9,
    "ImplicitlyDetached": 10,
    "PlmnNotAllowed": 11,
    "AreaNotAllowed": 12,
    "RoamingNotAllowedInArea": 13,
    "PsServicesNotAllowedInPlmn": 14,
    "NoCellsInArea": 15,
    "NetworkFailureAttach": 17,
    "EsmFailure": 19,
    "Congestion": 22,
    "NotAuthorizedForCsg": 25,
    "ServiceOptionNotAuthorizedInPlmn": 35,
    "SevereNetworkFailure": 42,
}
_NOT_REGISTERED = frozenset({"NoNetwork", "NetworkTimeout", "NetworkNotAllowed", "NotAllowedEmergencyOnly"})
_NO_CARD = frozenset({"SimNotInserted", "SimPin", "SimPuk", "SimFailure", "SimBusy", "SimWrong"})


def cause_of(error: str) -> Cause | None:
    """Return the network's cause of an error; None: the error's name gives none.

    Args:
        error: the error's name, such as
            org.freedesktop.ModemManager1.Error.MobileEquipment.MissingOrUnknownApn.
    """
    name = error.rpartition(".")[2]
    if name in _SESSION:
        return Cause(Procedure.ESM, _SESSION[name])
    return Cause(Procedure.EMM, _REGISTRATION[name]) if name in _REGISTRATION else None


def layer_of(error: str) -> Layer:
    """Return the layer at which a connection attempt with this error failed."""
    name = error.rpartition(".")[2]
    if name in _NO_CARD:
        return Layer.MODEM
    if name in _REGISTRATION or name in _NOT_REGISTERED:
        return Layer.REGISTERED
    return Layer.BEARER


def short(error: str) -> str:
    """Return an error's name without the common prefix."""
    return error.removeprefix(_PREFIX)
