"""The simulated eUICC at its contacts: APDUs in, answers out, reset and loss of power."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from lpad.base.errors import InvalidValue
from lpad.base.identifiers import Aid, Eid, Iccid
from lpad.simulator.euicc.chip.answer_to_reset import ANSWER_TO_RESET
from lpad.simulator.euicc.chip.behaviour import CardBehaviour
from lpad.simulator.euicc.chip.euicc_contents import Chip
from lpad.simulator.euicc.chip.faults import CardFaults, PowerLost
from lpad.simulator.euicc.chip.memory_folder import CardFolder
from lpad.simulator.euicc.chip.nonvolatile_state import Oddity
from lpad.simulator.euicc.os.operating_system import OperatingSystem
from lpad.simulator.euicc.personalisation import personalised

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.simulator.euicc.chip.identity import CardIdentity
    from lpad.simulator.pki.pki import Pki


@dataclass(frozen=True, slots=True)
class InstalledProfile:
    """A profile on the card, for inspection from outside."""

    iccid: Iccid
    aid: Aid
    enabled: bool
    nickname: str
    profile_class: int
    """0 test, 1 provisioning, 2 operational."""
    metadata: bytes
    """StoreMetadata, BF25."""
    package: bytes
    """The unchanged unprotected profile package."""


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

    The card has power from construction to `close`; a context manager closes it. The card serves one thread
    at a time. Two processes cannot power the same card.
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
        """Power the card in `folder`; create one if there is none.

        Args:
            folder: the card's memory.
            pki: the PKI of the card's maker; needed only for a new card.
            eid: the EID of a new card; by default the PKI's own.
            behaviour: the card's behaviour; by default a standard one.
            faults: the faults to produce.

        Raises:
            CardBusy: another process powers the card.
            InvalidValue: the folder contains something else or another EID, or a new card lacks `pki`.
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
        """Switch the card off and release its folder."""
        with self._lock:
            self._system = None
            self._folder.close()

    def transmit(self, apdu: bytes) -> bytes:
        """Return the answer to one command APDU: data and status word.

        Raises:
            PowerLost: the card has no power; `reset` restores it.
        """
        with self._lock:
            if self._system is None:
                raise PowerLost("the simulated card has no power: reset it")
            executed, answered = self.faults.count_apdu()
            answer = self._system.transmit(apdu) if executed else b""
            if not answered:
                self._system = None
                raise PowerLost("the simulated card lost its power, because of a fault")
            return answer

    def reset(self) -> bytes:
        """Switch the card's power off and on, which ends channels and sessions; return the ATR."""
        with self._lock:
            self._system = self._powered()
            return ANSWER_TO_RESET

    @property
    def powered(self) -> bool:
        """Whether the card has power."""
        with self._lock:
            return self._system is not None

    @property
    def eid(self) -> Eid:
        """The card's EID."""
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
        """Falsify a profile's entry in the card's list, even across a loss of power.

        Args:
            iccid: the profile's original ICCID, under which the card stores it.
            told: the reported ICCID bytes, such as another profile's; None: the right ones.
            without: tags that the profile's entry in the list lacks.
            tail: bytes after the last element of the profile's entry, which break it unless they are
                elements.

        Raises:
            InvalidValue: the card contains no such profile.
        """
        with self._lock:
            stored = self._chip.state.stored(bytes(Iccid.parse(str(iccid))))
            if stored is None:
                raise InvalidValue(f"the simulated card contains no profile {iccid}")
            stored.oddity = Oddity(iccid=told, without=without, tail=tail)
            self._chip.commit()

    @property
    def default_dp_address(self) -> str:
        """The default SM-DP+ that GetEuiccConfiguredAddresses would return; empty if there is none."""
        with self._lock:
            return self._chip.state.default_dp_address

    @property
    def enabled_iccid(self) -> Iccid | None:
        """The enabled profile's ICCID, as a modem reads it from EF.ICCID; None if none is enabled."""
        with self._lock:
            enabled = self._chip.state.enabled
            return Iccid.from_bytes(enabled.ef_iccid) if enabled else None

    @property
    def notifications(self) -> tuple[PendingNotification, ...]:
        """The notifications that have not been removed yet, oldest first."""
        with self._lock:
            kept = self._chip.state.notifications
            return tuple(PendingNotification(one.number, one.event, one.signed) for one in kept)

    @property
    def open_channels(self) -> tuple[int, ...]:
        """The open logical channels in addition to the basic one."""
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
