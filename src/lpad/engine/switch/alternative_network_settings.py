"""Other network settings, each tried once, if the network reports that the profile's own are wrong.

A cause such as ESM 27, unknown APN, does not mean that the profile is unusable. The network's default APN
works with most operators of IoT profiles, and an operator may offer one IP type only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field
from msgspec.structs import replace

from lpad.base.frozen import Frozen
from lpad.network.network_settings import Authentication, InitialBearer, IpType

if TYPE_CHECKING:
    from lpad.network.network_settings import NetworkSettings
    from lpad.network.reject_cause import Cause

_OTHER_TYPE = {IpType.IPV4: IpType.IPV6, IpType.IPV6: IpType.IPV4, IpType.IPV4V6: IpType.IPV4}
_ONLY = {50: IpType.IPV4, 51: IpType.IPV6}
"""The only IP type that the network allows, by ESM cause."""


class OtherSettings(Frozen):
    """An attempt with other settings: the step's name, its description, and the settings."""

    step: str
    told: str
    settings: NetworkSettings


class Alternatives(Struct):
    """The remaining attempts of one switch with other network settings."""

    _tried: set[str] = field(default_factory=set)

    def next(self, cause: Cause | None, own: NetworkSettings | None) -> OtherSettings | None:
        """Return the next attempt after a cause; None: the settings are not the cause, or no attempt remains.

        Args:
            cause: the network's cause.
            own: the profile's own settings; None: the profile has no ICCID, or there is no applier.
        """
        if cause is None or own is None or not cause.wrong_settings:
            return None
        offers = [_empty(own), _type(own, _ONLY.get(cause.code, _OTHER_TYPE[own.ip]))]
        if cause.wrong_ip_type:
            offers.reverse()
        for offer in offers:
            if offer.step not in self._tried and offer.settings != own:
                self._tried.add(offer.step)
                return offer
        return None


def _empty(own: NetworkSettings) -> OtherSettings:
    bare = replace(
        own,
        apn="",
        username="",
        password="",
        authentication=Authentication.NONE,
        initial_bearer=InitialBearer.SAME,
        initial_bearer_apn="",
    )
    return OtherSettings("try-default-apn", "the network's default APN", bare)


def _type(own: NetworkSettings, ip: IpType) -> OtherSettings:
    return OtherSettings("try-other-ip-type", f"IP type {ip}", replace(own, ip=ip))
