"""A probe: a report on a card and the link to it, suitable for a bug report.

A probe uses only read-only commands. A failure is part of the report, next to the earlier findings.
"""

from __future__ import annotations

import time
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import msgspec
from msgspec import field
from msgspec.structs import replace

from lpad.base.errors import CardError, CardMalformed, CardStatus, MalformedError
from lpad.base.frozen import Frozen
from lpad.base.redaction import mask
from lpad.card.isdr.found_isdrs import FoundIsdr, isdrs_of
from lpad.card.isdr.isdr import isdr_session
from lpad.card.link.isdr_aids import isdr_aids
from lpad.card.link.link_facts import LinkFacts, facts_of
from lpad.codec import es10_intents
from lpad.codec.messages.configured_addresses import GET_EUICC_CONFIGURED_ADDRESSES
from lpad.codec.messages.euicc_info import GET_EUICC_INFO1, GET_EUICC_INFO2, EuiccInfo2
from lpad.codec.messages.get_eid import GET_EID, decode_eid
from lpad.protocol.apdu import LARGEST_BLOCK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from lpad.base.deadline import Deadline
    from lpad.base.identifiers import Aid, Eid, Imei
    from lpad.card.isdr.isdr import Isdr
    from lpad.card.link.link import Channel, Link
    from lpad.protocol.apdu import Apdu


_QUESTIONS = {
    "GetEID": (GET_EID, es10_intents.GET_EID),
    "GetEuiccInfo1": (GET_EUICC_INFO1, es10_intents.GET_EUICC_INFO),
    "GetEuiccInfo2": (GET_EUICC_INFO2, es10_intents.GET_EUICC_INFO),
    "GetEuiccConfiguredAddresses": (
        GET_EUICC_CONFIGURED_ADDRESSES,
        es10_intents.GET_EUICC_CONFIGURED_ADDRESSES,
    ),
    "GetProfilesInfo": (bytes.fromhex("BF2D00"), es10_intents.GET_PROFILES_INFO),
    "ListNotification": (bytes.fromhex("BF2800"), es10_intents.LIST_NOTIFICATION),
    "GetProfilesInfo in a block of 255 bytes": (
        bytes.fromhex("BF2D81FB5C81F8") + b"\x5a" * 248,
        es10_intents.GET_PROFILES_INFO,
    ),
}
"""ES10 functions that change nothing (SGP.22 v2.5, 5.7). The last function fills a block of 255 bytes, to
show whether the link carries it; if the card refuses the repeated tag, the block has reached the card."""
_COUNTING = 20.0
"""Seconds to search for more eUICCs in the card."""
_ANSWERS = {0x61: "61xx, fetched with GET RESPONSE", 0x6C: "6Cxx, repeated with the reported length"}
_AT_ONCE = "data with 9000"


class Timing(msgspec.Struct, frozen=True, kw_only=True, rename={"size": "bytes"}):
    """One step: its duration in milliseconds, and the number of received bytes or the reason of a refusal."""

    what: str
    milliseconds: float
    size: int | None = None
    refused: str | None = None


class ShownEuicc(msgspec.Struct, frozen=True, kw_only=True):
    """One of the eUICCs that were found on the card."""

    isdr_aid: str
    eid: str | None = None


class ShownError(msgspec.Struct, frozen=True, kw_only=True):
    """The error that ended the probe."""

    kind: str
    sentence: str


class ShownReport(msgspec.Struct, frozen=True, kw_only=True):
    """The public form of the report; the section Probe in docs/api.md describes each field."""

    port: str
    redacted: bool
    link: str | None = None
    doubted: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    firmware: str | None = None
    reader: str | None = None
    fallback_port: str | None = None
    quirks: tuple[str, ...] = ()
    slots: tuple[str, ...] = ()
    imei: str | None = None
    handle: str | None = None
    isdr_aid: str | None = None
    block_size: int | None = None
    block_size_learned: bool = False
    answers: tuple[str, ...] = ()
    channels_closed: int = 0
    eid: str | None = None
    euiccs: tuple[ShownEuicc, ...] = ()
    svn: str | None = None
    card_firmware: str | None = None
    timings: tuple[Timing, ...] = ()
    error: ShownError | None = None


class ProbeReport(Frozen, kw_only=True):
    """The findings of a probe; None if unknown. `shown` prepares them for publication."""

    port: str
    link: LinkFacts = field(default_factory=LinkFacts)
    imei: Imei | None = None
    isdr_aid: Aid | None = None
    block_size: int | None = None
    block_size_learned: bool = False
    """Whether the link refused blocks larger than `block_size` during the probe."""
    answers: tuple[str, ...] = ()
    """The forms in which the link returned data, such as `data with 9000`."""
    eid: Eid | None = None
    euiccs: tuple[FoundIsdr, ...] = ()
    """All eUICCs found in the card, the used one first; some cards contain two."""
    svn: str | None = None
    card_firmware: str | None = None
    timings: tuple[Timing, ...] = ()
    error: CardError | None = None

    def shown(self, *, unredacted: bool = False) -> ShownReport:
        """Return the report in the form that is shown to others.

        Args:
            unredacted: whether EID, IMEI and serial numbers are complete; the parts of EID and IMEI that name
                the maker and model are always shown.
        """
        hide = str if unredacted else mask
        link = self.link
        return ShownReport(
            port=hide(self.port),
            link=link.kind,
            doubted=link.doubted,
            manufacturer=link.manufacturer,
            model=link.model,
            firmware=link.firmware,
            reader=None if link.reader is None else hide(link.reader),
            fallback_port=None if link.fallback_port is None else hide(link.fallback_port),
            quirks=tuple(link.quirks),
            slots=link.slots,
            imei=_identifier(self.imei, whole=unredacted),
            handle=link.handle,
            isdr_aid=None if self.isdr_aid is None else str(self.isdr_aid),
            block_size=self.block_size,
            block_size_learned=self.block_size_learned,
            answers=self.answers,
            channels_closed=link.channels_closed,
            eid=_identifier(self.eid, whole=unredacted),
            euiccs=tuple(
                ShownEuicc(isdr_aid=str(each.aid), eid=_identifier(each.eid, whole=unredacted))
                for each in self.euiccs
            ),
            svn=self.svn,
            card_firmware=self.card_firmware,
            timings=self.timings,
            error=None
            if self.error is None
            else ShownError(kind=self.error.kind, sentence=hide(self.error.sentence)),
            redacted=not unredacted,
        )


def probe(
    open_link: Callable[[], Link],
    *,
    port: str,
    aids: Sequence[Aid],
    block_size: int = LARGEST_BLOCK,
    deadline: Deadline,
) -> ProbeReport:
    """Examine a card over the link that `open_link` opens; a CardError becomes part of the report."""
    return _Probe(ProbeReport(port=port)).run(open_link, aids, block_size=block_size, deadline=deadline)


class _Probe:
    def __init__(self, report: ProbeReport) -> None:
        self._report = report
        self._answers: dict[str, None] = {}

    def run(
        self, open_link: Callable[[], Link], aids: Sequence[Aid], *, block_size: int, deadline: Deadline
    ) -> ProbeReport:
        link: Link | None = None
        try:
            with self._timed("open port"):
                link = open_link()
            self._ask_modem(link, deadline=deadline)
            self._ask_card(link, aids, block_size=block_size, deadline=deadline)
            self._count_euiccs(link, aids, deadline=deadline)
        except CardError as error:
            self._note(error=error)
        self._note(link=facts_of(link))
        self._note(answers=tuple(self._answers))
        return self._report

    def _ask_modem(self, link: Link, *, deadline: Deadline) -> None:
        with self._timed("IMEI, and leftover lines on the port"):
            self._note(imei=link.imei(deadline=deadline))
        with link.lend_modem(deadline=deadline) as lent:
            if lent is not None:
                started = time.monotonic()
                query = lent.modem.check_answer(deadline=deadline)
                self._add(Timing(what=query, milliseconds=_since(started)))

    def _ask_card(self, link: Link, aids: Sequence[Aid], *, block_size: int, deadline: Deadline) -> None:
        with ExitStack() as stack:
            with self._timed("find the link, open a channel"):
                watched = _WatchedLink(link, self._answers)
                session = isdr_session(watched, aids=aids, block_size=block_size, deadline=deadline)
                isdr = stack.enter_context(session)
            self._note(isdr_aid=isdr.aid)
            try:
                for what in _QUESTIONS:
                    self._ask(isdr, what, deadline=deadline)
            finally:
                learned = isdr.learned_block_size is not None
                self._note(block_size=isdr.block_size, block_size_learned=learned)
            with self._timed("close the channel"):
                stack.close()

    def _count_euiccs(self, link: Link, aids: Sequence[Aid], *, deadline: Deadline) -> None:
        """Search for more eUICCs under the known AIDs of the ISD-R, until all were tried or time is up."""
        report = self._report
        if report.isdr_aid is None or report.eid is None:
            return
        self._note(euiccs=(FoundIsdr(report.isdr_aid, report.eid),))
        until = deadline.within(_COUNTING)
        with self._timed("search for more eUICCs"):
            for aid in isdr_aids(aids):
                if until.passed:
                    break
                known = {each.eid for each in self._report.euiccs}
                found = () if aid == report.isdr_aid else isdrs_of(link, (aid,), deadline=deadline)
                self._note(euiccs=(*self._report.euiccs, *(each for each in found if each.eid not in known)))

    def _ask(self, isdr: Isdr, what: str, *, deadline: Deadline) -> None:
        command, intent = _QUESTIONS[what]
        started = time.monotonic()
        data = b""
        refused = None
        try:
            data = isdr.command(command, intent=intent, deadline=deadline)
            if command == GET_EID:
                self._note(eid=decode_eid(data))
            elif command == GET_EUICC_INFO2:
                info = EuiccInfo2.decode(data)
                self._note(svn=info.svn, card_firmware=info.firmware_version)
        except (CardStatus, CardMalformed, MalformedError) as error:
            refused = error.sentence
        self._add(Timing(what=what, milliseconds=_since(started), size=len(data), refused=refused))

    @contextmanager
    def _timed(self, what: str) -> Iterator[None]:
        started = time.monotonic()
        yield
        self._add(Timing(what=what, milliseconds=_since(started)))

    def _add(self, timing: Timing) -> None:
        self._note(timings=(*self._report.timings, timing))

    def _note(self, **what: object) -> None:
        self._report = replace(self._report, **what)


class _WatchedLink:
    """A link that records how its channels return data."""

    def __init__(self, link: Link, answers: dict[str, None]) -> None:
        self._link = link
        self._answers = answers
        self.imei = link.imei
        self.close = link.close
        self.lend_modem = link.lend_modem

    @property
    def block_size(self) -> int:
        return self._link.block_size

    @block_size.setter
    def block_size(self, size: int) -> None:
        self._link.block_size = size

    def open_channel(self, aids: Sequence[Aid], *, deadline: Deadline) -> Channel:
        return _WatchedChannel(self._link.open_channel(aids, deadline=deadline), self._answers)


class _WatchedChannel:
    def __init__(self, channel: Channel, answers: dict[str, None]) -> None:
        self._channel = channel
        self._answers = answers
        self.aid = channel.aid
        self.close = channel.close
        self._promised = False

    def transmit(self, apdu: Apdu, *, deadline: Deadline) -> bytes:
        answer = self._channel.transmit(apdu, deadline=deadline)
        style = _ANSWERS.get(answer[-2]) if len(answer) >= 2 else None
        if style is not None:
            self._answers[style] = None
        elif len(answer) > 2 and not self._promised:
            self._answers[_AT_ONCE] = None
        self._promised = style is not None
        return answer


def _identifier(value: Eid | Imei | None, *, whole: bool) -> str | None:
    """Return an identifier, whole or as its first 8 digits and its last two; None if it is unknown."""
    if value is None:
        return None
    return value.digits if whole else f"{value.digits[:8]}…{value.digits[-2:]}"


def _since(started: float) -> float:
    return round((time.monotonic() - started) * 1000, 1)
