"""Descriptions of a change's steps for users; -v shows lpad's own names instead."""

from __future__ import annotations

_WORDS = {
    "get-euicc-info1": "reading the card",
    "get-euicc-challenge": "reading the card",
    "initiate-authentication": "contacting the server",
    "authenticate-server": "the card checks the server",
    "authenticate-client": "the server checks the card",
    "confirm": "checking the offered profile",
    "prepare-download": "preparing the card",
    "get-bound-profile-package": "fetching the profile",
    "load-bound-profile-package": "installing the profile",
    "cancel-session": "ending the session with the server",
    "read-profiles": "reading the card's profiles",
    "read-addresses": "reading the card's servers",
    "read-card": "reading the card",
    "ask-modem": "asking the modem",
    "card-busy": "waiting for the card, which is busy",
    "enable-profile": "enabling the profile",
    "disable-profile": "disabling the profile",
    "enable-profile-again": "enabling the profile again",
    "resume": "continuing after the interruption",
    "verify": "checking the result on the card",
    "watch": "waiting until the guard's conditions are met",
    "go-back": "returning to the previous profile",
    "fall-back": "switching to the fallback profile",
    "pre-switch": "running the hooks before the switch",
    "post-switch": "running the hooks after the switch",
    "rolled-back": "running the hooks after the return to the previous profile",
    "confirmed": "running the hooks after the confirmation",
    "downloaded": "running the hooks after the download",
    "deleted": "running the hooks after the deletion",
    "prepare-network": "preparing the data connection",
    "apply-network": "storing the data connection's settings",
    "return-modem": "returning the modem to ModemManager",
    "connect-network": "making the data connection",
    "verify-network": "checking the data connection's settings",
    "try-default-apn": "trying the network's default APN",
    "try-other-ip-type": "trying another IP type",
    "undo-network": "restoring the data connection's settings",
    "forget-network": "removing the profile's data connection",
    "delete-profile": "deleting the profile",
    "set-nickname": "writing the nickname",
    "set-default-dp-address": "writing the server's address",
    "euicc-memory-reset": "resetting the card's memory",
    "restart-modem": "restarting the modem",
    "check-trust": "checking the server's certificates",
    "collect-notifications": "collecting notifications from the card",
    "deliver-notifications": "delivering notifications",
    "drop-notification": "dropping the notification",
    "remove-notifications": "removing the delivered notifications from the card",
    "look-what-is-there": "finding out what the card has installed",
    "find-order": "searching for the order at the platform",
    "order-profile": "ordering a profile from the platform",
    "look-at-order": "waiting for the platform to prepare the profile",
    "activate-line": "having the line activated",
    "look-at-line": "asking the platform about the line",
    "ask-sm-ds": "asking the discovery server",
    "probe": "probing the card",
}

_WORDS |= {
    f"{verb}-profile-by-{by.lower()}-{flag}-refresh": f"{doing} the profile by its {by}, {flag} REFRESH"
    for verb, doing in (("enable", "enabling"), ("disable", "disabling"))
    for by in ("ICCID", "AID")
    for flag in ("with", "without")
}
"""The forms of a request that lpad tries after a card has refused the first form."""


def step_words(name: str, *, verbose: bool = False) -> str:
    """Return a step's description, or else its name without dashes; with `verbose`, its name as it is."""
    return name if verbose else _WORDS.get(name) or name.replace("-", " ")
