"""Local profile management: list, enable, disable, delete, name, reset (SGP.22 v2.5, 5.7.15 to 5.7.21)."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Any

from lpad.base.errors import MalformedError
from lpad.codec.asn1 import tlv
from lpad.simulator.euicc.chip.nonvolatile_state import Switch
from lpad.simulator.euicc.isdr.notifications import Event
from lpad.simulator.euicc.isdr.profile_info import DEFAULT_TAGS, profile_info, requested_tags
from lpad.simulator.euicc.isdr.rules_authorisation_check import PPR1_NO_DISABLING, PPR2_NO_DELETING, bits_of

if TYPE_CHECKING:
    from lpad.codec.asn1.tlv import Tlv
    from lpad.simulator.euicc.chip.euicc_contents import Chip
    from lpad.simulator.euicc.chip.nonvolatile_state import StoredProfile
    from lpad.simulator.euicc.chip.proactive import Proactive
    from lpad.simulator.euicc.isdr.notifications import Notifications

TEST, PROVISIONING, OPERATIONAL = 0, 1, 2
_LONGEST_NICKNAME = 64
_DELETE_OPERATIONAL, _DELETE_TEST, _RESET_ADDRESS = 0, 1, 2


class Result(IntEnum):
    """The result codes of the functions.

    1 also means nothingToDelete, and an unknown ICCID for a nickname.
    """

    OK = 0
    NOT_FOUND = 1
    WRONG_STATE = 2
    DISALLOWED_BY_POLICY = 3
    WRONG_PROFILE_REENABLING = 4
    CAT_BUSY = 5
    UNDEFINED = 127


class ListError(IntEnum):
    """The error codes of GetProfilesInfo."""

    INCORRECT_INPUT = 1
    CHANGE_ONGOING = 11


class Profiles:
    """The profiles in the card."""

    def __init__(self, chip: Chip, notifications: Notifications, proactive: Proactive) -> None:
        """Manage this chip's profiles."""
        self._chip = chip
        self._notifications = notifications
        self._proactive = proactive

    def get_profiles_info(self, request: Tlv) -> bytes:
        """Answer ES10c.GetProfilesInfo (5.7.15)."""
        chip = self._chip
        if chip.state.switch is not None and chip.behaviour.profiles_hidden_during_switch:
            return tlv.encode(0xBF2D, tlv.encode(0x81, bytes([ListError.CHANGE_ONGOING])))
        try:
            asked = chip.decode("ProfileInfoListRequest", request)
            tags = requested_tags(asked["tagList"]) if "tagList" in asked else DEFAULT_TAGS
            found = self._found(asked.get("searchCriteria"))
        except MalformedError:
            return tlv.encode(0xBF2D, tlv.encode(0x81, bytes([ListError.INCORRECT_INPUT])))
        infos = [
            profile_info(profile, tags, empty_fields=chip.behaviour.empty_optional_fields)
            for profile in found
        ]
        return tlv.encode(0xBF2D, tlv.encode(0xA0, *infos))

    def enable_profile(self, request: Tlv) -> bytes:
        """Answer ES10c.EnableProfile (5.7.16)."""
        asked = self._chip.decode("EnableProfileRequest", request)
        target = self._target(asked["profileIdentifier"])
        enabled = self._chip.state.enabled
        result = self._may_enable(target, enabled)
        if target is not None and result is Result.OK:
            disable = enabled.iccid if enabled else None
            self._switch(Switch(disable=disable, enable=target.iccid), refresh=asked["refreshFlag"])
        return self._chip.encode("EnableProfileResponse", {"enableResult": int(result)})

    def disable_profile(self, request: Tlv) -> bytes:
        """Answer ES10c.DisableProfile (5.7.17)."""
        asked = self._chip.decode("DisableProfileRequest", request)
        target = self._target(asked["profileIdentifier"])
        result = self._may_disable(target)
        if target is not None and result is Result.OK:
            # The operational profile that a test profile replaced is enabled again (SGP.21, TPRO10).
            back = self._chip.state.before_test if target.profile_class == TEST else None
            self._switch(Switch(disable=target.iccid, enable=back), refresh=asked["refreshFlag"])
        return self._chip.encode("DisableProfileResponse", {"disableResult": int(result)})

    def delete_profile(self, request: Tlv) -> bytes:
        """Answer ES10c.DeleteProfile (5.7.18)."""
        target = self._target(self._chip.decode("DeleteProfileRequest", request))
        result = Result.OK
        if target is None:
            result = Result.NOT_FOUND
        elif target.enabled:
            result = Result.WRONG_STATE
        elif target.pprs >> PPR2_NO_DELETING & 1:
            result = Result.DISALLOWED_BY_POLICY
        elif self._proactive.active:
            result = Result.UNDEFINED
        else:
            self._delete(target)
            self._chip.commit()
        return self._chip.encode("DeleteProfileResponse", {"deleteResult": int(result)})

    def set_nickname(self, request: Tlv) -> bytes:
        """Answer ES10c.SetNickname (5.7.21)."""
        chip = self._chip
        asked = chip.decode("SetNicknameRequest", request)
        target = chip.state.profile(iccid=asked["iccid"])
        result = Result.OK
        if target is None:
            result = Result.NOT_FOUND
        elif len(asked["profileNickname"].encode()) > _LONGEST_NICKNAME:
            result = Result.UNDEFINED
        else:
            target.nickname = asked["profileNickname"]
            chip.commit()
        return chip.encode("SetNicknameResponse", {"setNicknameResult": int(result)})

    def euicc_memory_reset(self, request: Tlv) -> bytes:
        """Answer ES10c.eUICCMemoryReset (5.7.19).

        The reset also deletes enabled profiles, and profiles that a rule protects.
        """
        chip = self._chip
        options = bits_of(chip.decode("EuiccMemoryResetRequest", request)["resetOptions"])
        classes = {
            profile_class
            for option, profile_class in ((_DELETE_OPERATIONAL, OPERATIONAL), (_DELETE_TEST, TEST))
            if option in options
        }
        doomed = [profile for profile in chip.state.profiles if profile.profile_class in classes]
        address_differs = chip.state.default_dp_address != chip.state.factory_dp_address
        resets_address = _RESET_ADDRESS in options and address_differs
        result = Result.OK
        if self._busy():
            result = Result.CAT_BUSY
        elif not doomed and not resets_address:
            result = Result.NOT_FOUND
        else:
            if any(profile.enabled for profile in doomed):
                self._proactive.refresh()
            for profile in doomed:
                self._delete(profile)
            if resets_address:
                chip.state.default_dp_address = chip.state.factory_dp_address
            chip.commit()
        return chip.encode("EuiccMemoryResetResponse", {"resetResult": int(result)})

    def settle_switch(self, *, refreshed: bool) -> None:
        """Carry out the switch that waited for the terminal, or drop it if the terminal did not refresh."""
        switch = self._chip.state.switch
        if switch is None:
            return
        self._chip.state.switch = None
        if refreshed:
            self._apply(switch)
        self._chip.commit()

    def _found(self, criterion: tuple[str, Any] | None) -> list[StoredProfile]:
        profiles = self._chip.state.profiles
        match criterion:
            case None:
                return profiles
            case ("isdpAid", aid):
                return [one for one in profiles if one.aid == aid]
            case ("iccid", iccid):
                return [one for one in profiles if one.told_iccid == iccid]
            case ("profileClass", profile_class):
                return [one for one in profiles if one.profile_class == profile_class]
        raise MalformedError("profiles cannot be searched by this element")

    def _target(self, identifier: tuple[str, bytes]) -> StoredProfile | None:
        state = self._chip.state
        match identifier:
            case ("isdpAid", aid):
                return state.profile(aid=aid)
            case ("iccid", iccid):
                return state.profile(iccid=iccid)
        raise MalformedError("a profile must be named by its ICCID or AID")

    def _busy(self) -> bool:
        return self._proactive.active or self._chip.faults.use_cat_busy()

    def _may_enable(self, target: StoredProfile | None, enabled: StoredProfile | None) -> Result:
        """Return the result of the first violated rule, in the order of 5.7.16; OK if none is violated."""
        if target is None:
            return Result.NOT_FOUND
        if target.enabled:
            return Result.WRONG_STATE
        if enabled is not None:
            held = enabled.pprs >> PPR1_NO_DISABLING & 1
            if held and target.profile_class != TEST and enabled.profile_class != PROVISIONING:
                return Result.DISALLOWED_BY_POLICY
            comes_back = target.iccid == self._chip.state.before_test
            if enabled.profile_class == TEST and target.profile_class != TEST and not comes_back:
                return Result.WRONG_PROFILE_REENABLING
        return Result.CAT_BUSY if self._busy() else Result.OK

    def _may_disable(self, target: StoredProfile | None) -> Result:
        if target is None:
            return Result.NOT_FOUND
        if not target.enabled:
            return Result.WRONG_STATE
        if target.pprs >> PPR1_NO_DISABLING & 1:
            return Result.DISALLOWED_BY_POLICY
        return Result.CAT_BUSY if self._busy() else Result.OK

    def _switch(self, switch: Switch, *, refresh: bool) -> None:
        if refresh:
            self._proactive.refresh()
        if refresh and self._chip.behaviour.switch_waits_for_refresh:
            self._chip.state.switch = switch
        else:
            self._apply(switch)
        self._chip.commit()

    def _apply(self, switch: Switch) -> None:
        state = self._chip.state
        old = state.stored(switch.disable) if switch.disable else None
        new = state.stored(switch.enable) if switch.enable else None
        if old is not None:
            old.enabled = False
            self._notifications.record(Event.DISABLE, old)
        if new is not None:
            new.enabled = True
            self._notifications.record(Event.ENABLE, new)
        if new is None or new.profile_class != TEST:
            state.before_test = None
        elif old is None or old.profile_class != TEST:
            state.before_test = old.iccid if old else None

    def _delete(self, profile: StoredProfile) -> None:
        state = self._chip.state
        self._notifications.record(Event.DELETE, profile)
        state.profiles = [one for one in state.profiles if one is not profile]
        if state.before_test == profile.iccid:
            state.before_test = None
