"""The card in a modem, reached through the modem's AT commands.

`AtLink` uses the modem's quirks and the remembered facts about the modem, and tries out everything else.
"""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from msgspec.structs import replace

from lpad.base.deadline import Deadline
from lpad.base.errors import CardBusy, CardError
from lpad.card.at.at_modem import AtModem
from lpad.card.at.cgla import AtCglaLink
from lpad.card.at.csim import csim_link
from lpad.card.at.link_search import ask_for_eid, ends_search, find_link
from lpad.card.channel.logical_channel import CLOSING
from lpad.card.link.crash_safe_channel import CrashSafeChannel
from lpad.card.link.expected_length import AnswerLengthChannel
from lpad.card.link.isdr_aids import remembered_first
from lpad.card.link.link_facts import LinkFacts, handle_form
from lpad.card.link.remembered_links import LinkMemory, OpenChannel, Remembered
from lpad.card.modem.at_port import AtPort
from lpad.card.modem.modem_lent_by_link import LentModem
from lpad.card.modem.powered_down_note import PoweredDown, bring_up
from lpad.card.port.lasting_names import device_key
from lpad.card.port.link_refused import LinkRefused
from lpad.card.port.serial_line import SerialLine
from lpad.card.quirks.quirk_files import Matched, find_quirks
from lpad.card.quirks.quirks import LinkKind, Quirks
from lpad.protocol.apdu import LARGEST_BLOCK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from lpad.base.identifiers import Aid, Imei
    from lpad.card.link.crash_safe_channel import NamedChannel
    from lpad.card.link.link import Channel
    from lpad.card.modem.serial_line_speed import LineSpeed
    from lpad.card.port.serial_line import Line
    from lpad.card.quirks.modem_identity import ModemIdentity

_log = logging.getLogger(__name__)

SIM_BUSY = 30.0
"""Seconds for which a SIM may report that it is busy, after a start or a switch."""
_BETWEEN_QUESTIONS = 1.0
_SAME_ON_EVERY_LINK = ("6A81", "6A82")
"""Status words of the card that do not depend on the kind of link: no channel is free, or no ISD-R exists."""


class OpenLine(Protocol):
    """Opens a port: `SerialLine`, or a function that borrows the port first."""

    def __call__(self, port: str, *, baud: int) -> Line: ...  # noqa: D102 - documented by the class


class _ModemLink(Protocol):
    def open_channel(self, aids: Sequence[Aid], *, deadline: Deadline) -> NamedChannel: ...

    def close_leftovers(self, *, handle: str | None, deadline: Deadline) -> int: ...

    @property
    def channels_closed(self) -> int: ...


class AtLink:
    """A link that finds out which AT commands reach the card, and remembers them for each modem."""

    def __init__(
        self,
        modem: AtModem,
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
            overrides: the settings' quirks, which take precedence over those of the modem's family; see
                `Quirks.merged`.
            unredacted: whether the APDU trace always shows payloads; see `TracedCard`.
        """
        self._modem = modem
        self._name = name
        self._memory = memory
        self._overrides = overrides or {}
        self._links: dict[LinkKind, _ModemLink] = {
            LinkKind.CGLA: AtCglaLink(modem, name=name, unredacted=unredacted),
            LinkKind.CGLA_CHANNEL_IN_CLASS: AtCglaLink(
                modem, channel_in_class=True, name=name, unredacted=unredacted
            ),
            LinkKind.CSIM: csim_link(modem, name=name, unredacted=unredacted),
        }
        self._imei: Imei | None = None
        self._key: str | None = None
        self._asked_identity = False
        self._matched = Matched(Quirks(), ())
        self._remembered = Remembered()
        self._note = OpenChannel(None)
        self._handle: str | None = None
        self._powered_down = PoweredDown(None)
        self._announces = False

    @property
    def identity(self) -> ModemIdentity:
        """The modem's identification; empty until lpad has identified the modem."""
        return self._remembered.identity

    @property
    def kind(self) -> LinkKind | None:
        """The kind of link that reaches the card; None before it was found."""
        return self._remembered.link

    def describe(self) -> LinkFacts:
        """Return the link's description (see `Described`)."""
        identity, remembered = self.identity, self._remembered
        return LinkFacts(
            kind=remembered.link,
            doubted=remembered.doubted,
            manufacturer=identity.manufacturer or None,
            model=identity.model or None,
            firmware=identity.firmware or None,
            handle=None if self._handle is None else handle_form(self._handle),
            quirks=self._matched.entries,
            channels_closed=sum(link.channels_closed for link in self._links.values()),
        )

    @property
    def block_size(self) -> int:
        """The size in bytes of the largest STORE DATA block that is known, or assumed, to pass."""
        remembered, quirk = self._remembered, self._matched.quirks.block_size
        may_pass = LARGEST_BLOCK if remembered.larger_blocks else quirk
        known = remembered.block_size or may_pass
        return min(known, quirk) if self._is_owners else known

    @block_size.setter
    def block_size(self, size: int) -> None:
        self._remember(block_size=size)

    @property
    def may_try_larger(self) -> bool:
        """Whether larger blocks may pass (see `LargerBlocks`); a size in the settings is not exceeded."""
        remembered = self._remembered
        return (
            self.block_size < LARGEST_BLOCK
            and (remembered.block_size, remembered.larger_blocks) == (None, None)
            and not self._is_owners
        )

    @property
    def _is_owners(self) -> bool:
        """Whether the settings give the block size, which lpad then does not exceed."""
        return "block_size" in self._overrides

    def begin_trial(self) -> None:
        """Remember the larger blocks as failed until they have passed (see `LargerBlocks`)."""
        self._remember(larger_blocks=False)

    def larger_passed(self) -> None:
        """Remember that larger blocks passed (see `LargerBlocks`)."""
        self._remember(larger_blocks=True)

    def lost(self, size: int) -> None:
        """Return to the quirk's block size if a larger block was lost (see `LargerBlocks`)."""
        if self._remembered.larger_blocks and size > self._matched.quirks.block_size:
            _log.warning("%s: a block of %d bytes was lost; lpad sends smaller blocks", self._name, size)
            self._remember(larger_blocks=False)

    def imei(self, *, deadline: Deadline) -> Imei | None:
        """Return the modem's IMEI; None if it is unknown (see `Device`)."""
        self._get_acquainted(deadline=deadline)
        return self._imei

    @property
    def reported(self) -> bool:
        """Whether a line among the answers has reported on the data connection (see `Listening`)."""
        return self._modem.at_port.reported

    def fileno(self) -> int:
        """Return the port's descriptor (see `Listening`)."""
        return self._modem.at_port.fileno()

    def hear(self, *, deadline: Deadline) -> bool:
        """Read unsolicited lines; return whether one reported on the data connection (see `Listening`)."""
        return self._modem.at_port.hear(deadline=deadline)

    def close(self) -> None:
        """Release the port."""
        self._modem.close()

    @contextmanager
    def lend_modem(self, *, deadline: Deadline) -> Iterator[LentModem]:
        """Lend the modem (see `Link`), after switching on the announcements that the modem's quirks list."""
        self._get_acquainted(deadline=deadline)
        if not self._announces:
            for text in self._matched.quirks.announce_commands:
                self._modem.take(text, deadline=deadline)
            self._announces = True
        yield LentModem(modem=self._modem, quirks=self._matched.quirks, powered_down=self._powered_down)

    def open_channel(self, aids: Sequence[Aid], *, deadline: Deadline) -> Channel:
        """Open a channel to the ISD-R (see `Link`).

        The kind of link that worked last time is tried first; if there is none, or it no longer works, all
        kinds are tried.
        """
        if self._key is not None:  # an earlier power-up may have failed
            bring_up(self._modem, self._powered_down, deadline=deadline)
        self._get_acquainted(deadline=deadline)
        known = self._remembered.link
        if known is not None and known is not self._remembered.doubted:
            try:
                return self._open(known, aids, deadline=deadline)
            except CardError as error:
                if ends_search(error) or error.details.get("sw") in _SAME_ON_EVERY_LINK:
                    raise
                _log.warning("%s: %s worked before and fails now: %s", self._name, known, error)
        return self._open(self._search(aids, deadline=deadline), aids, deadline=deadline)

    def _get_acquainted(self, *, deadline: Deadline) -> None:
        """Identify the modem, once per opened port, and close the channel that a killed process left open."""
        if self._key is not None:
            return
        self._imei = self._modem.imei(deadline=deadline)
        key = device_key(self._imei, self._name)
        remembered = self._memory.get(key)
        if remembered is None:
            self._ask_identity(deadline=deadline)
        else:
            self._remembered = remembered
            self._apply_quirks()
        self._powered_down = self._memory.powered_down(key)
        bring_up(self._modem, self._powered_down, deadline=deadline)
        self._note = self._memory.open_channel(key)
        self._close_left_over(deadline=deadline)
        self._key = key
        self._remember()

    def _ask_identity(self, *, deadline: Deadline) -> None:
        if not self._asked_identity:
            identity = self._modem.identity(deadline=deadline)
            self._asked_identity = True
            if identity != self._remembered.identity:
                self._remembered = Remembered(identity=identity)
            self._apply_quirks()

    def _apply_quirks(self) -> None:
        matched = find_quirks(self.identity)
        self._matched = Matched(matched.quirks.merged(self._overrides), matched.entries)
        self._modem.adapt(self._matched.quirks)
        _log.info("%s: %s; quirks: %s", self._name, self.identity, ", ".join(self._matched.entries))

    def _close_left_over(self, *, deadline: Deadline) -> None:
        """Close the channel that a process left open when it was killed."""
        left = self._note.left_over()
        if left is None:
            return
        _log.warning("%s: a channel was left open (%s); closing it", self._name, left.link)
        try:
            closed = self._links[left.link].close_leftovers(handle=left.handle, deadline=deadline)
            if not closed and left.link is not LinkKind.CSIM:
                self._links[LinkKind.CSIM].close_leftovers(handle=None, deadline=deadline)
        except CardError as error:
            if ends_search(error):
                raise
            _log.warning("%s: %s", self._name, error)
        self._note.clear()

    def _search(self, aids: Sequence[Aid], *, deadline: Deadline) -> LinkKind:
        self._ask_identity(deadline=deadline)
        doubted = self._remembered.doubted
        kinds = sorted(self._matched.quirks.links, key=lambda kind: kind is doubted)
        aids = remembered_first(aids, self._remembered.isdr_aid)
        found = find_link(
            kinds, aids, lambda kind, names: self._try_out(kind, names, deadline=deadline), name=self._name
        )
        if found is not self._remembered.link:
            self._remember(link=found, block_size=None, larger_blocks=None)
        if found is doubted:  # no other kind of link works
            self._remember(doubted=None)
        return found

    def _try_out(self, kind: LinkKind, aids: Sequence[Aid], *, deadline: Deadline) -> None:
        """Open a channel, use it, and close it even if its use fails."""
        channel = self._open(kind, aids, deadline=deadline)
        try:
            ask_for_eid(channel, deadline=deadline)
        finally:
            self._close_tried(channel, kind)

    def _close_tried(self, channel: Channel, kind: LinkKind) -> None:
        try:
            channel.close(deadline=Deadline.after(CLOSING))
        except CardError as error:
            if ends_search(error):
                raise
            if kind is LinkKind.CSIM and isinstance(error, LinkRefused):
                _log.warning("%s: %s; lpad continues with this channel", self._name, error)
                return
            if kind is not LinkKind.CSIM:
                self._sweep()
            raise LinkRefused(
                f"{kind}: the modem opened a channel but cannot close it, and a few more open channels would"
                f" block the card: {error.sentence}",
                modem_error=error.details.get("modem_error", ""),
            ) from error

    def _sweep(self) -> None:
        try:
            self._links[LinkKind.CSIM].close_leftovers(handle=None, deadline=Deadline.after(CLOSING))
        except CardError as error:
            _log.warning("%s: a channel may have stayed open until the modem is reset: %s", self._name, error)

    def _open(self, kind: LinkKind, aids: Sequence[Aid], *, deadline: Deadline) -> Channel:
        aids = remembered_first(aids, self._remembered.isdr_aid)
        self._note.note(kind, None)
        try:
            channel = self._open_once_ready(kind, aids, deadline=deadline)
        except CardError as error:
            if not ends_search(error) or isinstance(error, CardBusy):
                self._note.clear()
            raise
        self._handle = channel.handle
        self._note.note(kind, channel.handle)
        if len(aids) > 1:  # the result for a single AID proves nothing about the other AIDs
            self._remember(isdr_aid=str(channel.aid))
        noted = CrashSafeChannel(channel, self._note, on_refusal=lambda: self._remember(doubted=kind))
        return AnswerLengthChannel(
            noted, needed=self._remembered.le, learn=lambda needed: self._remember(le=needed)
        )

    def _open_once_ready(self, kind: LinkKind, aids: Sequence[Aid], *, deadline: Deadline) -> NamedChannel:
        """Open a channel; repeat while the modem reports that the SIM is busy.

        A modem reports a busy SIM for some seconds after power-on and after a switch. A command with such an
        answer has not reached the card.
        """
        until = deadline.within(SIM_BUSY)
        while True:
            self._modem.forget_unsolicited()
            try:
                return self._links[kind].open_channel(aids, deadline=deadline)
            except CardBusy as error:
                if until.remaining() <= _BETWEEN_QUESTIONS:
                    raise
                _log.info("%s: %s; waiting", self._name, error)
            announcements = self._matched.quirks.announcements
            self._modem.wait_for(announcements, deadline=until.within(_BETWEEN_QUESTIONS))

    def _remember(self, **what: Any) -> None:
        self._remembered = replace(self._remembered, **what)
        if self._key is not None:
            self._memory.put(self._key, self._remembered)


def open_at_link(
    port: str,
    *,
    baud: int = 115200,
    speed: LineSpeed | None = None,
    memory: LinkMemory | None = None,
    overrides: Mapping[str, Any] | None = None,
    unredacted: bool = False,
    open_line: OpenLine = SerialLine,
) -> AtLink:
    """Open the link to the card in a modem; the link finds out which AT commands work.

    Args:
        port: the modem's AT port, locked until the link is closed.
        baud: bits per second; USB modems ignore it.
        speed: raises the serial line's speed while the port is open; None: the speed stays as it is.
        memory: the modems remembered across restarts; None: lpad remembers none.
        overrides: the settings' quirks; see `Quirks.merged`.
        unredacted: whether the APDU trace always shows payloads; see `TracedCard`.
        open_line: opens the port, possibly after borrowing it from another program.

    Raises:
        InvalidValue: the overrides name an unknown quirk or a value out of range.
        CardUnreachable: no such port, or no permission.
        CardBusy: another program uses the port.
    """
    Quirks().merged(overrides or {})
    modem = AtModem(AtPort(open_line(port, baud=baud), speed=speed))
    return AtLink(
        modem, name=port, memory=memory or LinkMemory(None), overrides=overrides, unredacted=unredacted
    )
