"""The part of a card's memory that survives a loss of power."""

from __future__ import annotations

import msgspec

from lpad.base.errors import MalformedError
from lpad.base.identifiers import Iccid


class Oddity(msgspec.Struct, kw_only=True):
    """The falsified parts of a profile's entry in a card's list."""

    iccid: bytes | None = None
    """The ICCID in the list, by which the profile is found; None: the right ICCID."""
    without: tuple[int, ...] = ()
    """The tags that the profile's entry in the list lacks."""
    tail: bytes = b""
    """The bytes after the last element of the profile's entry."""


class StoredProfile(msgspec.Struct, kw_only=True):
    """An installed profile; its unchanged package is in a separate file."""

    iccid: bytes
    """The ICCID in 10 bytes, with swapped nibbles."""
    aid: bytes
    metadata: bytes
    """StoreMetadata's BF25 after decryption."""
    configuration: bytes
    """ConfigureISDP's BF24 after decryption."""
    profile_class: int
    signing_key_id: bytes
    """The CI for which the card signs this profile's notifications."""
    size: int
    """Bytes of memory that the profile needs."""
    pprs: int = 0
    """PprIds as a number: bit 1 forbids disabling, bit 2 forbids deleting."""
    nickname: str = ""
    enabled: bool = False
    imsi: str | None = None
    oddity: Oddity | None = None

    @property
    def told_iccid(self) -> bytes:
        """The ICCID that the card reports."""
        told = self.oddity.iccid if self.oddity is not None else None
        return self.iccid if told is None else told

    @property
    def ef_iccid(self) -> bytes:
        """The content of EF.ICCID: the reported value, if it can be an ICCID."""
        try:
            return bytes(Iccid.from_bytes(self.told_iccid))
        except MalformedError:
            return self.iccid


class StoredNotification(msgspec.Struct, kw_only=True):
    """A signed notification that has not been removed yet."""

    number: int
    event: int
    """Bit of NotificationEvent: 0 install, 1 enable, 2 disable, 3 delete."""
    metadata: bytes
    """NotificationMetadata, BF2F."""
    signed: bytes
    """PendingNotification: BF37 or 30."""


class OneTimeKey(msgspec.Struct, kw_only=True):
    """The key pair of a postponed download, which its next attempt may use."""

    server: str
    """The SM-DP+'s registered ID."""
    curve: str
    secret: bytes


class Installation(msgspec.Struct, kw_only=True):
    """The data with which a card can report that a power loss interrupted an installation."""

    transaction_id: bytes
    address: str
    server: str
    signing_key_id: bytes
    iccid: bytes | None = None
    command: int = 1


class Switch(msgspec.Struct, kw_only=True):
    """A profile switch that waits for the terminal's refresh."""

    disable: bytes | None = None
    enable: bytes | None = None


class CardState(msgspec.Struct, kw_only=True):
    """The whole state, written atomically."""

    eid: str
    rat: bytes
    """RulesAuthorisationTable, the content of GetRAT's A0."""
    factory_dp_address: str
    default_dp_address: str
    root_ds_address: str
    next_notification: int
    additional_root_ds_addresses: list[str] = []
    next_isdp: int = 0
    profiles: list[StoredProfile] = []
    notifications: list[StoredNotification] = []
    one_time_keys: list[OneTimeKey] = []
    installation: Installation | None = None
    switch: Switch | None = None
    before_test: bytes | None = None
    """ICCID of the operational profile that was enabled before a test profile."""

    @property
    def enabled(self) -> StoredProfile | None:
        """The enabled profile; None if none is enabled."""
        return next((profile for profile in self.profiles if profile.enabled), None)

    def profile(self, *, iccid: bytes | None = None, aid: bytes | None = None) -> StoredProfile | None:
        """Return the profile that reports this ICCID or has this AID; None if there is none."""
        found = (one for one in self.profiles if one.told_iccid == iccid or one.aid == aid)
        return next(found, None)

    def stored(self, iccid: bytes) -> StoredProfile | None:
        """Return the profile that the card stores under this ICCID, whatever it reports; None if missing."""
        return next((one for one in self.profiles if one.iccid == iccid), None)
