"""The card in a modem behind a control port (MBIM, QMI), on channels that the modem opens."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from msgspec.structs import replace

from lpad.base.errors import CardBusy, InternalError
from lpad.card.link.expected_length import AnswerLengthChannel
from lpad.card.link.isdr_aids import remembered_first
from lpad.card.link.link_facts import LinkFacts, handle_form
from lpad.card.link.remembered_links import LinkMemory, Remembered
from lpad.card.modem.modem import ControlModem
from lpad.card.modem.modem_lent_by_link import LentModem
from lpad.card.modem.powered_down_note import PoweredDown, bring_up
from lpad.card.port.lasting_names import device_key
from lpad.card.quirks.quirk_files import find_quirks
from lpad.card.quirks.quirks import Quirks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import Aid, Imei
    from lpad.card.link.card_change_reports import CardReport, CardReportLog
    from lpad.card.link.link import Channel
    from lpad.card.quirks.quirks import RefreshStep

_log = logging.getLogger(__name__)

_SIM_BUSY = 30.0
_BETWEEN_QUESTIONS = 1.0

_M = TypeVar("_M", bound=ControlModem)


class ControlLink(ABC, Generic[_M]):
    """A link that remembers the requirements of the modem's firmware."""

    kind: ClassVar[str]
    """The name of the kind of link, such as mbim."""
    ladder: ClassVar[tuple[RefreshStep, ...]]
    """The steps that make a modem of this kind notice another profile."""
    of_family: ClassVar[tuple[str, ...]] = ()
    """The names of the family's quirks that concern this kind of link; the other quirks concern AT ports."""

    def __init__(
        self,
        modem: _M,
        *,
        name: str,
        memory: LinkMemory,
        overrides: Mapping[str, Any] | None = None,
        unredacted: bool = False,
    ) -> None:
        """Use a modem; nothing is sent before the first channel is opened or the IMEI is read.

        Args:
            modem: the modem, which only this link uses, and which is closed with the link.
            name: name of the port, for the log.
            memory: the remembered modems.
            overrides: the settings' quirks; those for AT commands have no effect.
            unredacted: whether the APDU trace always shows payloads; see `TracedCard`.
        """
        self.modem = modem
        self.name = name
        self._memory = memory
        self.unredacted = unredacted
        self.quirks = Quirks(refresh_ladder=self.ladder, announcements=(), iccid_commands=()).merged(
            overrides or {}
        )
        modem.patience = self.quirks.patience
        self.remembered = Remembered()
        self._overrides = overrides or {}
        self._entries: tuple[str, ...] = ()
        self._powered_down = PoweredDown(None)
        self._key: str | None = None
        self._imei: Imei | None = None
        self.channel: int | None = None
        self.channels_closed = 0
        self.slots_told: tuple[str, ...] = ()
        """The modem's SIM slots in words, as read when the port was opened."""

    @property
    def block_size(self) -> int:
        """The size in bytes of the largest STORE DATA block that is known, or assumed, to pass."""
        return self.remembered.block_size or self.quirks.block_size

    @block_size.setter
    def block_size(self, size: int) -> None:
        self.remember(block_size=size)

    def describe(self) -> LinkFacts:
        """Return the link's description (see `Described`)."""
        identity = self.remembered.identity
        return LinkFacts(
            kind=self.kind,
            model=identity.model or None,
            firmware=identity.firmware or None,
            quirks=self._entries,
            handle=None if self.channel is None else handle_form(str(self.channel)),
            slots=self.slots_told,
            channels_closed=self.channels_closed,
        )

    def imei(self, *, deadline: Deadline) -> Imei | None:
        """Return the modem's IMEI; None if it is unknown (see `Device`)."""
        self._get_acquainted(deadline=deadline)
        return self._imei

    def close(self) -> None:
        """Release the port."""
        self.modem.close()

    @contextmanager
    def lend_modem(self, *, deadline: Deadline) -> Iterator[LentModem]:
        """Lend the modem (see `Link`)."""
        self._get_acquainted(deadline=deadline)
        yield LentModem(modem=self.modem, quirks=self.quirks, powered_down=self._powered_down)

    def open_channel(self, aids: Sequence[Aid], *, deadline: Deadline) -> Channel:
        """Open a channel to the ISD-R (see `Link`)."""
        if not aids:
            raise InternalError("the AID of the application to select is missing")
        if self._key is not None:
            bring_up(self.modem, self._powered_down, deadline=deadline)
        self._get_acquainted(deadline=deadline)
        channel = self._open_once_ready(remembered_first(aids, self.remembered.isdr_aid), deadline=deadline)
        if len(aids) > 1:
            self.remember(isdr_aid=str(channel.aid))
        return AnswerLengthChannel(
            channel, needed=self.remembered.le, learn=lambda needed: self.remember(le=needed)
        )

    def _get_acquainted(self, *, deadline: Deadline) -> None:
        """Identify the modem, once per opened port, and close the channels of a process that was killed."""
        if self._key is not None:
            return
        self._imei = self.modem.imei(deadline=deadline)
        key = device_key(None, f"{self.kind} {self.name if self._imei is None else self._imei}")
        remembered = self._memory.get(key)
        identity = self.modem.identity(deadline=deadline)
        if remembered is not None and remembered.identity == identity:
            self.remembered = remembered
        else:
            self.remembered = Remembered(identity=identity)
        self._powered_down = self._memory.powered_down(key)
        bring_up(self.modem, self._powered_down, deadline=deadline)
        self._use_family()
        self.close_leftovers(deadline=deadline)
        self._key = key
        self.remember()
        _log.info("%s: %s modem %s", self.name, self.kind.upper(), identity)

    def _use_family(self) -> None:
        """Use the quirks of the modem's family; the settings' quirks take precedence."""
        found = find_quirks(self.remembered.identity)
        known = {name: getattr(found.quirks, name) for name in self.of_family}
        self.quirks = replace(self.quirks, **known).merged(self._overrides)
        self._entries = found.entries

    @property
    def reported(self) -> bool:
        """Whether an indication has reported on the data connection (see `Listening`)."""
        return self.modem.dialogue.reported

    def fileno(self) -> int:
        """Return the port's descriptor (see `Listening`)."""
        return self.modem.dialogue.fileno()

    def hear(self, *, deadline: Deadline) -> bool:
        """Read the indications; return whether one reported on the data connection (see `Listening`)."""
        del deadline  # reading what has arrived takes no time
        return self.modem.dialogue.hear()

    @property
    @abstractmethod
    def card_reports(self) -> CardReportLog:
        """The indications about the card."""

    @property
    def reports_card(self) -> bool:
        """Whether the modem reports on its card (see `CardReporting`)."""
        return True

    @property
    def card_report(self) -> CardReport:
        """The indications about the card (see `CardReporting`)."""
        return self.card_reports.report

    def take_card_report(self) -> CardReport:
        """Return the indications about the card and forget them (see `CardReporting`)."""
        return self.card_reports.take()

    def forget_card_report(self) -> None:
        """Forget the earlier indications about the card (see `CardReporting`)."""
        self.card_reports.forget_before_answer()

    @abstractmethod
    def close_leftovers(self, *, deadline: Deadline) -> None:
        """Close the channels of a process that was killed; called once per opened port."""

    @abstractmethod
    def open_first(self, aids: Sequence[Aid], *, deadline: Deadline) -> Channel:
        """Open a channel to the first of `aids` that the card knows (see `Link`).

        Raises:
            CardBusy: the modem is starting up; lpad repeats the call.
        """

    def _open_once_ready(self, aids: Sequence[Aid], *, deadline: Deadline) -> Channel:
        """Open a channel; repeat while the modem reports that the SIM is busy, as after a switch."""
        until = deadline.within(_SIM_BUSY)
        while True:
            self.modem.forget_unsolicited()
            try:
                return self.open_first(aids, deadline=deadline)
            except CardBusy as error:
                if until.remaining() <= _BETWEEN_QUESTIONS:
                    raise
                _log.info("%s: %s; waiting", self.name, error)
            self.modem.wait_for((), deadline=until.within(_BETWEEN_QUESTIONS))

    def remember(self, **what: Any) -> None:
        """Remember new values of `Remembered`'s fields for this modem."""
        self.remembered = replace(self.remembered, **what)
        if self._key is not None:
            self._memory.put(self._key, self.remembered)
