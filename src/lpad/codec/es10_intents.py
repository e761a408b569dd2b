"""The functions of ES10 by their SGP.22 names, and the effect of each on a card (SGP.22 v2.5, 5.7).

A command carries its intent from its creation to the port, so no code has to guess it from the bytes.
"""

from __future__ import annotations

from lpad.base.frozen import Frozen


class Intent(Frozen):
    """The purpose of a command: its function, and its effect on the card."""

    function: str
    """The function's name, such as "ES10c.GetEID"; empty for a command that is not of ES10."""
    alters: bool = False
    """Whether the command changes stored data, which may take the card a long time."""
    repeatable: bool = False
    """Whether sending the command again has no further effect."""
    restarts: bool = False
    """Whether the card may be restarted after the command, which closes every channel."""

    def __str__(self) -> str:
        return self.function


UNSTATED = Intent("")
"""SELECT and similar commands, and all commands without a stated intent; they are never repeated."""

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
