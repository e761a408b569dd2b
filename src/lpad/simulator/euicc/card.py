"""The simulated eUICC at its contacts: APDUs in, answers out, reset and loss of power."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from lpad.base.errors import InvalidValue
from lpad.base.identifiers import Aid, Eid, Iccid
from lpad.simulator.euicc.chip.answer_to_reset import ANSWER_TO_RESET
from lpad.simulator.euicc.chip.behaviour import CardBehaviour
from lpad.simulator.euicc.chip.chip import Chip
from lpad.simulator.euicc.chip.faults import CardFaults, PowerLost
from lpad.simulator.euicc.chip.folder import CardFolder
from lpad.simulator.euicc.chip.state import Oddity
from lpad.simulator.euicc.os.operating_system import OperatingSystem
from lpad.simulator.euicc.personalisation import personalised

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.simulator.euicc.chip.identity import CardIdentity
    from lpad.simulator.pki.pki import Pki


@dataclass(frozen=True, slots=True)
class InstalledProfile:
    """A profile as whoever holds the card sees it, without asking the card."""

    iccid: Iccid
    aid: Aid
    enabled: bool
    nickname: str
    profile_class: int
    """0 test, 1 provisioning, 2 operational."""
    metadata: bytes
    """StoreMetadata, BF25."""
    package: bytes
    """The unprotected profile package, byte for byte."""


@dataclass(frozen=True, slots=True)
class PendingNotification:
    """A notification in the card's list."""

    number: int
    event: int
    """Bit of NotificationEvent: 0 install, 1 enable, 2 disable, 3 delete."""
    signed: bytes
    """BF37 or 30."""


class SoftCard:
    """An eUICC whose memory is a folder.

    It has power from construction to `close`; a context manager closes it. One thread at a time is
    served. Two processes can't power the same card.
    """

    def __init__(
        self,
        folder: Path,
        *,
        pki: Pki | None = None,
        eid: Eid | None = None,
        behaviour: CardBehaviour | None = None,
        faults: CardFaults | None = None,
    ) -> None:
        """Power the card in `folder`; where there is none, make one.

        Args:
            folder: the card's memory.
            pki: who makes the card; needed for a new one only, a card keeps its certificates.
            eid: of a new card; by default the infrastructure's own.
            behaviour: the card's habits, by default a well-mannered one's.
            faults: what is to go wrong.

        Raises:
            CardBusy: another process powers the card.
            InvalidValue: the folder holds something else, or a new card lacks its `pki`.
        """
        self.behaviour = behaviour or CardBehaviour()
        self.faults = faults or CardFaults()
        self._lock = threading.RLock()
        self._folder = CardFolder(folder)
        try:
            self._identity = self._open(pki, eid)
            self._system: OperatingSystem | None = self._powered()
        except BaseException:
            self._folder.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Take the card's power and give its folder free."""
        with self._lock:
            self._system = None
            self._folder.close()

    def transmit(self, apdu: bytes) -> bytes:
        """Return the answer to one command APDU: data and status word.

        Raises:
            PowerLost: the card has no power; `reset` gives it back.
        """
        with self._lock:
            if self._system is None:
                raise PowerLost("the simulated card has no power: reset it")
            executed, answered = self.faults.count_apdu()
            answer = self._system.transmit(apdu) if executed else b""
            if not answered:
                self._system = None
                raise PowerLost("the simulated card lost its power, as its faults say")
            return answer

    def reset(self) -> bytes:
        """Cycle the card's power: channels and sessions are gone; return the answer to reset."""
        with self._lock:
            self._system = self._powered()
            return ANSWER_TO_RESET

    @property
    def powered(self) -> bool:
        """Whether it has power."""
        with self._lock:
            return self._system is not None

    @property
    def eid(self) -> Eid:
        """The card's number."""
        return Eid(self._chip.state.eid)

    @property
    def profiles(self) -> tuple[InstalledProfile, ...]:
        """The installed profiles, oldest first."""
        with self._lock:
            return tuple(
                InstalledProfile(
                    iccid=Iccid.from_bytes(stored.iccid),
                    aid=Aid(stored.aid),
                    enabled=stored.enabled,
                    nickname=stored.nickname,
                    profile_class=stored.profile_class,
                    metadata=stored.metadata,
                    package=self._folder.read_package(stored.iccid),
                )
                for stored in self._chip.state.profiles
            )

    def distort(
        self,
        iccid: Iccid | str,
        *,
        told: bytes | None = None,
        without: tuple[int, ...] = (),
        tail: bytes = b"",
    ) -> None:
        """Have the card's list tell of a profile otherwise than it should; remembered without power.

        Args:
            iccid: the profile's number as it was installed; the card keeps it under this number.
            told: bytes in the place of its ICCID, such as another profile's; None: the right ones.
            without: tags that its entry lacks.
            tail: bytes behind the last element of its entry, which break it unless they are elements.

        Raises:
            InvalidValue: the card holds no such profile.
        """
        with self._lock:
            stored = self._chip.state.stored(bytes(Iccid.parse(str(iccid))))
            if stored is None:
                raise InvalidValue(f"the simulated card holds no profile {iccid}")
            stored.oddity = Oddity(iccid=told, without=without, tail=tail)
            self._chip.commit()

    @property
    def default_dp_address(self) -> str:
        """The default SM-DP+ that GetEuiccConfiguredAddresses would name; empty where there is none."""
        with self._lock:
            return self._chip.state.default_dp_address

    @property
    def enabled_iccid(self) -> Iccid | None:
        """The enabled profile's number, as a modem reads it from EF.ICCID; None where none is enabled."""
        with self._lock:
            enabled = self._chip.state.enabled
            return Iccid.from_bytes(enabled.ef_iccid) if enabled else None

    @property
    def notifications(self) -> tuple[PendingNotification, ...]:
        """The notifications that nobody has removed yet, oldest first."""
        with self._lock:
            kept = self._chip.state.notifications
            return tuple(PendingNotification(one.number, one.event, one.signed) for one in kept)

    @property
    def open_channels(self) -> tuple[int, ...]:
        """The logical channels that are open beside the basic one."""
        with self._lock:
            return self._system.open_channels if self._system else ()

    @property
    def free_memory(self) -> int:
        """Bytes left for profiles."""
        with self._lock:
            return self._chip.free_memory

    def _open(self, pki: Pki | None, eid: Eid | None) -> CardIdentity:
        state = self._folder.load()
        if state is None:
            if pki is None:
                raise InvalidValue(
                    f"there is no simulated card in {self._folder.path}, nor a PKI to make one"
                )
            return personalised(self._folder, pki, eid, self.behaviour)
        if eid is not None and eid.digits != state.eid:
            raise InvalidValue(f"the simulated card in {self._folder.path} has another EID: {state.eid}")
        return self._folder.read_identity()

    def _powered(self) -> OperatingSystem:
        state = self._folder.load()
        if state is None:
            raise InvalidValue(f"the simulated card in {self._folder.path} has lost its state")
        self._chip = Chip(self._folder, state, self._identity, self.behaviour, faults=self.faults)
        return OperatingSystem(self._chip)
