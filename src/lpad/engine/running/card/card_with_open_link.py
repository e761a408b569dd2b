"""A worker's card: its link stays open, and each ISD-R session lasts for one operation."""

from __future__ import annotations

import logging
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from lpad.base.errors import CardUnreachable
from lpad.base.frozen import Frozen
from lpad.base.identifiers import ISD_R
from lpad.card.isdr.isdr import isdr_session
from lpad.card.link.card_change_reports import NO_CARD_REPORT, CardReporting, was_answered
from lpad.card.link.link import present_link
from lpad.card.link.link_facts import facts_of
from lpad.card.link.network_connection_reports import Listening
from lpad.card.link.port_of_two_euiccs import SharedLink
from lpad.engine.policy.discovery import NO_DISCOVERY, DiscoveryPolicy
from lpad.engine.policy.network_policy import NO_NETWORK_POLICY, NetworkPolicy
from lpad.engine.policy.provisioning import NO_PROVISIONING, ProvisioningPolicy
from lpad.engine.policy.switching import NO_POLICY, SwitchPolicy
from lpad.lpa.euicc import Euicc
from lpad.network.no_applier import NO_APPLIER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from lpad.base.deadline import Deadline
    from lpad.base.errors import LpadError
    from lpad.base.identifiers import Aid, Imei, Tac
    from lpad.base.server_address import ServerAddress
    from lpad.card.isdr.isdr import Isdr
    from lpad.card.link.card_change_reports import CardReport
    from lpad.card.link.link import Link
    from lpad.card.modem.modem_lent_by_link import LentModem
    from lpad.card.port_kinds import Watch
    from lpad.codec.messages.authentication import DeviceCapabilities
    from lpad.engine.policy.health_rules import FailoverPolicy

log = logging.getLogger(__name__)

_T = TypeVar("_T")


class Loan(Protocol):
    """Lends the port if it belongs to another program; `open_link` borrows it."""

    @property
    def hold(self) -> float | None:
        """Seconds for which an idle port is kept; None: without limit."""

    @property
    def was_lent(self) -> bool:
        """Whether another program has lent the port to lpad."""

    def give_back(self) -> None:
        """End the loan; call this once the link is closed."""


class _OwnPort:
    """A port that no other program uses."""

    hold: float | None = None
    was_lent = False

    def give_back(self) -> None:
        """Do nothing."""


OWN_PORT = _OwnPort()


def _unwatched(_notify: Callable[[bool], None]) -> Callable[[], None]:
    """Report nothing; used on systems that do not report changes of ports."""
    return lambda: None


class CardPort(Frozen, kw_only=True):
    """A card's port, the device around it, and the settings for both.

    `refresh`: whether the card asks for a REFRESH with each switch; None: according to the modem's quirks;
    `block_size` is the number of bytes in a STORE DATA block; `imei` and `default_smdp` replace the values of
    the modem and the card; `tac` applies without an IMEI. `policy` has the rules for switching, `failover`
    those for replacing an unhealthy profile; None: no failover. `network` has the applier for the data
    connection; `device` is the port's path, None for a reader; with `several_ports`, the link may be over
    another port of the modem. `watch` reports changes of the port's presence, if the system does. `observe`
    gets the seconds that each command to the ISD-R took.
    """

    name: str
    transport: str
    open_link: Callable[[Deadline], Link]
    aids: tuple[Aid, ...] = (ISD_R,)
    block_size: int = 255
    refresh: bool | None = None
    imei: Imei | None = None
    tac: Tac | None = None
    capabilities: DeviceCapabilities | None = None
    default_smdp: ServerAddress | None = None
    loan: Loan = OWN_PORT
    policy: SwitchPolicy = NO_POLICY
    failover: FailoverPolicy | None = None
    network: NetworkPolicy = NO_NETWORK_POLICY
    device: str | None = None
    several_ports: bool = False
    provisioning: ProvisioningPolicy = NO_PROVISIONING
    discovery: DiscoveryPolicy = NO_DISCOVERY
    watch: Watch = _unwatched
    observe: Callable[[float], None] | None = None

    def leads_where(self, other: CardPort) -> bool:
        """Return whether another port reaches the card in the same way: same link, AIDs and block size."""
        return (self.transport, self.open_link, self.loan, self.aids, self.block_size) == (
            other.transport, other.open_link, other.loan, other.aids, other.block_size,
        )  # fmt: skip


class KeptSession(Frozen):
    """A session that stays open for the work that follows, with the EID that its card has proven."""

    euicc: Euicc
    eid: str
    isdr: Isdr
    closing: ExitStack


class Card:
    """One card and the link to it, opened when first used and again after it was lost."""

    def __init__(self, port: CardPort) -> None:
        """Create the card without opening its link."""
        self.port = port
        self._link: Link | None = None
        self._imei: Imei | None = None
        self._asked = False
        self._deaf = False
        self._last_used: tuple[object, str | None] = (None, None)
        self._missed = False
        self._outdated = False
        self._to_keep: tuple[Euicc, str] | None = None
        self._kept: KeptSession | None = None

    def open(self, *, deadline: Deadline) -> Link:
        """Return the link, which is opened if necessary.

        Raises:
            CardError: the port cannot be opened.
        """
        if self._outdated:
            self.drop()
        if self._link is None:
            self._link = self.port.open_link(deadline)
            self._asked = False
            fallback_port = facts_of(self._link).fallback_port
            what = f"fallback port {fallback_port}" if fallback_port else self.port.transport
            log.info("%s: %s open", self.port.name, what)
        if self.port.imei is None and not self._asked:  # the settings may have contained an IMEI until now
            self._imei = self._link.imei(deadline=deadline)
            self._asked = True
        self._note_port()
        return self._link

    def imei(self) -> Imei | None:
        """Return the device's IMEI, from the settings or the modem; None if both lack it."""
        return self.port.imei or self._imei

    @property
    def device(self) -> str | None:
        """The path of the modem's port that lpad used last; None: the card is in a reader."""
        way, fallback_port = self._last_used
        return fallback_port if fallback_port and way is self.port.open_link else self.port.device

    @property
    def is_open(self) -> bool:
        """Whether the link is open for commands, and not only to listen."""
        return self._link is not None and not self._outdated

    def drop(self, error: LpadError | None = None) -> None:
        """Close the link; the next use opens it again.

        Args:
            error: the reason, if there is one. lpad sends nothing more to a modem that did not answer.
        """
        self.end_session(error)
        self._missed = self.reported
        self._deaf = self._outdated = False
        if self._link is not None:
            self._note_port()
            self._link.close()
            self._link = None

    def rest(self, error: LpadError) -> None:
        """Close the link after a failure, or keep it only so that the modem can report another card.

        A kept link is also closed at the next use, because lpad has to query the modem's slots again.

        Args:
            error: why the card cannot be used. lpad listens only to a modem that has answered.
        """
        self.end_session(error)
        link = present_link(self._link)
        if was_answered(error) and isinstance(link, CardReporting) and link.reports_card:
            self._outdated = True
        else:
            self.drop(error)

    @property
    def card_report(self) -> CardReport:
        """The modem's indications about its card since lpad last processed or discarded such indications."""
        link = present_link(self._link)
        return link.card_report if isinstance(link, CardReporting) else NO_CARD_REPORT

    def take_card_report(self) -> CardReport:
        """Return the modem's indications about its card, and forget them, because lpad now acts on them."""
        link = present_link(self._link)
        return link.take_card_report() if isinstance(link, CardReporting) else NO_CARD_REPORT

    def forget_card_report(self) -> None:
        """Forget the indications that precede the modem's last answer, because the card was read later."""
        link = present_link(self._link)
        if isinstance(link, CardReporting):
            link.forget_card_report()

    @property
    def idle_port(self) -> int | None:
        """The file descriptor for awaiting the modem's unsolicited messages; None if lpad cannot listen."""
        link = present_link(self._link)
        if self._deaf or not isinstance(link, Listening):
            return None
        try:
            return link.fileno()
        except CardUnreachable:
            return None

    @property
    def reported(self) -> bool:
        """Whether the modem has reported on the connection while a command was carried out.

        A report counts even if the link was closed since, as after a reset of the modem.
        """
        link = present_link(self._link)
        return self._missed or (isinstance(link, Listening) and link.reported)

    def hear(self, *, deadline: Deadline) -> bool:
        """Read the modem's unsolicited messages, and return whether one reports on the connection.

        A closed port stays closed, and lpad listens to a failed port only after opening it again.

        Raises:
            CardUnreachable: the port has disappeared.
        """
        link = present_link(self._link)
        missed, self._missed = self._missed, False
        if not isinstance(link, Listening):
            return missed
        try:
            return link.hear(deadline=deadline) or missed
        except CardUnreachable:
            self._deaf, self._missed = True, missed
            raise

    def ask_modem(self, ask: Callable[[LentModem | None], _T], *, deadline: Deadline) -> _T:
        """Query the modem before altering the card; ask once more if its port has disappeared or is silent.

        Args:
            ask: called with the modem, or with None if there is none.

        Raises:
            CardError: neither the port nor another port of the modem answers.
        """
        may_reopen = self.is_open or self.port.several_ports
        try:
            return self._ask_once(ask, deadline=deadline)
        except CardUnreachable as error:
            if not may_reopen or "modem_error" in error.details or deadline.passed:
                raise
            log.info("%s: %s; reopening it", self.port.name, error)
            self.drop(error)
            return self._ask_once(ask, deadline=deadline)

    def _ask_once(self, ask: Callable[[LentModem | None], _T], *, deadline: Deadline) -> _T:
        with self.open(deadline=deadline).lend_modem(deadline=deadline) as lent:
            return ask(lent)

    @property
    def hold(self) -> float | None:
        """Seconds for which the port is kept when idle; None: without limit."""
        return self.port.loan.hold

    def give_back(self) -> None:
        """Close the link, and return the port to its owner."""
        self.drop()
        self.port.loan.give_back()

    @contextmanager
    def session(self, *, deadline: Deadline) -> Iterator[Euicc]:
        """Open a channel to the ISD-R, and close it afterwards, unless `keep_session` was called meanwhile.

        A link that cannot reach the card is not used again, because a port that disappeared and returned is
        a new port. A port that disappeared while idle is reopened immediately.

        Raises:
            CardError: the ISD-R cannot be opened.
        """
        self.end_session()
        try:
            with ExitStack() as stack:
                isdr = stack.enter_context(self._isdr(deadline=deadline))
                euicc = Euicc(isdr)
                yield euicc
                if self._to_keep is not None and self._to_keep[0] is euicc:
                    self._kept = KeptSession(*self._to_keep, isdr, stack.pop_all())
                    self._to_keep = None
        except CardUnreachable as error:
            self.rest(error)
            raise

    def may_keep_session(self, *, applying: bool = True) -> bool:
        """Return whether a session can stay open until the change is over.

        A session cannot stay open if something could disturb it: an applier or a hook may reset the modem,
        and with two eUICCs on one port, the other eUICC may have its turn.

        Args:
            applying: whether the change may use the applier meanwhile.
        """
        network = self.port.network
        alone = network.hooks.runner is None and not (applying and network.applier is not NO_APPLIER)
        return alone and not isinstance(self._link, SharedLink)

    def keep_session(self, euicc: Euicc, eid: str, *, applying: bool = True) -> None:
        """Keep the present session open at its end, for `resume_session` right after the change.

        Opening another session ends the kept one. The session is not kept if `may_keep_session` is false.

        Args:
            euicc: the eUICC of the session.
            eid: the EID that the card has proven in this session.
            applying: as for `may_keep_session`.
        """
        if self.may_keep_session(applying=applying):
            self._to_keep = (euicc, eid)

    def end_session(self, error: LpadError | None = None) -> bool:
        """Close the session that was kept open or is to be kept; return whether there was one.

        Args:
            error: the reason why the card is closed, if there is one (see `drop`).
        """
        kept, self._kept, self._to_keep = self._kept, None, None
        if kept is not None:
            kept.isdr.closes = not (isinstance(error, CardUnreachable) and not was_answered(error))
            kept.closing.close()
        return kept is not None

    def resume_session(self) -> KeptSession | None:
        """Return the session that was kept open, which the caller closes; None: there is none."""
        kept, self._kept = self._kept, None
        return kept

    @contextmanager
    def _isdr(self, *, deadline: Deadline) -> Iterator[Isdr]:
        was_open = self.is_open
        with ExitStack() as stack:
            try:
                isdr = stack.enter_context(self._enter(deadline=deadline))
            except CardUnreachable as error:
                # An answer of the modem shows that the port still exists, and reopening it without remaining
                # time would only fail.
                if not was_open or "modem_error" in error.details or deadline.passed:
                    raise
                log.info("%s: %s; reopening it", self.port.name, error)
                self.drop()
                isdr = stack.enter_context(self._enter(deadline=deadline))
            self._note_port()
            yield isdr

    def _note_port(self) -> None:
        """Store the port in use, because a closed link no longer knows its port."""
        self._last_used = (self.port.open_link, facts_of(self._link).fallback_port)

    def _enter(self, *, deadline: Deadline) -> AbstractContextManager[Isdr]:
        return isdr_session(
            self.open(deadline=deadline),
            aids=self.port.aids,
            block_size=self.port.block_size,
            observe=self.port.observe,
            deadline=deadline,
        )
