"""The functions of ES10 by their names in SGP.22, and what each does to a card (SGP.22 v2.5, 5.7).

A command carries its intent from where it is built down to the port: nobody reads its bytes to guess it.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Intent:
    """What a command is meant to do."""

    function: str
    """The function's name, such as "ES10c.GetEID"; empty for a command that is not of ES10."""
    alters: bool = False
    """Whether it changes what stays on the card, for which a card may work long."""
    repeatable: bool = False
    """Whether sending it again changes nothing at all."""
    restarts: bool = False
    """Whether the card may be restarted after it, which closes every channel."""

    def __str__(self) -> str:
        return self.function


UNSTATED = Intent("")
"""SELECT and its like, and whatever does not state its intent: it is never repeated."""

GET_EUICC_CONFIGURED_ADDRESSES = Intent("ES10a.GetEuiccConfiguredAddresses", repeatable=True)
SET_DEFAULT_DP_ADDRESS = Intent("ES10a.SetDefaultDpAddress", alters=True)

PREPARE_DOWNLOAD = Intent("ES10b.PrepareDownload")
LOAD_BOUND_PROFILE_PACKAGE = Intent("ES10b.LoadBoundProfilePackage", alters=True)
GET_EUICC_CHALLENGE = Intent("ES10b.GetEUICCChallenge")
GET_EUICC_INFO = Intent("ES10b.GetEUICCInfo", repeatable=True)
LIST_NOTIFICATION = Intent("ES10b.ListNotification", repeatable=True)
RETRIEVE_NOTIFICATIONS_LIST = Intent("ES10b.RetrieveNotificationsList", repeatable=True)
REMOVE_NOTIFICATION_FROM_LIST = Intent("ES10b.RemoveNotificationFromList", alters=True)
AUTHENTICATE_SERVER = Intent("ES10b.AuthenticateServer")
CANCEL_SESSION = Intent("ES10b.CancelSession")
GET_RAT = Intent("ES10b.GetRAT", repeatable=True)

GET_PROFILES_INFO = Intent("ES10c.GetProfilesInfo", repeatable=True)
ENABLE_PROFILE = Intent("ES10c.EnableProfile", alters=True, restarts=True)
DISABLE_PROFILE = Intent("ES10c.DisableProfile", alters=True, restarts=True)
DELETE_PROFILE = Intent("ES10c.DeleteProfile", alters=True)
EUICC_MEMORY_RESET = Intent("ES10c.eUICCMemoryReset", alters=True, restarts=True)
GET_EID = Intent("ES10c.GetEID", repeatable=True)
SET_NICKNAME = Intent("ES10c.SetNickname", alters=True)
