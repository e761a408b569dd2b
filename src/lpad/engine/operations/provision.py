"""A profile from an operator's platform: found or ordered, waited for, downloaded and enabled.

    wished ─► find ─► ordered ─► waiting ─► activating ─► downloading ─► enabling ─► reported
                 └─ adopted ─────────▲

Each action at the platform is in the journal before it begins. After an interruption, or an unclear answer,
lpad looks or finds before it repeats anything, so that one wish never leads to two orders. The platform knows
which orders exist, the card which profiles are installed, and the journal the request.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from msgspec.structs import asdict, replace

from lpad.base.deadline import Deadline
from lpad.base.errors import (
    Conflict,
    Declined,
    JournalUnavailable,
    LpadError,
    PlatformBusy,
    PlatformRefused,
    PlatformUnclear,
    ServerFailed,
    ServerMalformed,
    ServerRefused,
    ServerUnreachable,
)
from lpad.base.untrusted_number import noted_number
from lpad.codec.server_status_codes import Remedy
from lpad.engine.change.change import EID, Failure, Pause, PauseReason, QuestionKind, now
from lpad.engine.change.notes import Notes, ProfileNotes, ProvisionNotes, noting
from lpad.engine.change.params import ProvisionParams
from lpad.engine.change.results import ProvisionResult
from lpad.engine.operations.download import download
from lpad.engine.provisioning import look_times
from lpad.engine.provisioning.wish_record import KeptReservation, WishRecord
from lpad.engine.running.run import Postponed
from lpad.engine.running.same_card import check_same_eid
from lpad.network.network_settings import GivenBy, NetworkSettings
from lpad.provisioning.answer_reading import same_iccid
from lpad.provisioning.platform_interface import Activates, Finds, Line, Stage, Wish

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.change.change import Json
    from lpad.engine.provisioning.platforms import NamedPlatform, OpenPlatform
    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run
    from lpad.provisioning.platform_interface import Reservation

log = logging.getLogger(__name__)
_Answer = TypeVar("_Answer")

CONVERSATION = 120.0
"""Seconds for one verb."""
UNWRITTEN = 300.0
"""Seconds until the next try while the journal cannot be written; it is tried immediately when it can."""
DAY = 86_400.0
ENDLESS = 10 * 365 * DAY
"""Seconds to wait for a user's answer whether to pay again."""
CODE = "activation_code"
"""The name of the secret with a download's code."""
_OPEN = (Stage.PENDING, Stage.AVAILABLE, Stage.UNKNOWN)
"""Stages from which a profile may still be downloaded."""
_DOUBTFUL = (PlatformUnclear, ServerUnreachable, ServerFailed, ServerMalformed)
"""Errors after which it is unclear whether the platform carried out the request."""


def provision(run: Run, context: Context) -> ProvisionResult:
    """Get a profile from a platform, as the change's parameters say.

    Raises:
        Postponed: lpad must ask the platform again later.
        Conflict: another card is there, or the settings allow no more orders today.
        Declined: a user rejected another order.
        PlatformRefused: the platform refused.
        LpadError: as `download` raises it.
    """
    fulfilment = _Fulfilment(run, context)
    try:
        if run.change.guard is None and not run.notes_of(ProvisionNotes).iccid:
            fulfilment.reach_ticket()
        return fulfilment.install()
    except JournalUnavailable as error:
        present = now()
        pause = Pause(
            reason=PauseReason.JOURNAL,
            since=present,
            retry_at=present + timedelta(seconds=UNWRITTEN),
            error=Failure.of(error),
        )
        raise Postponed(pause, failed=True, notes=noting(Notes, due=run.now().steady + UNWRITTEN)) from error


def take_back(run: Run, context: Context) -> str | None:
    """Release the reservation if the platform accepts this, because a person has cancelled the change.

    If lpad has ended the change by itself, the order and the wish stay: only a person gives up a paid order.

    Returns:
        A sentence about the remaining reservation; None if nothing remains.
    """
    return _Fulfilment(run, context).release()


class _Fulfilment:
    """One turn of a change that works on its wish."""

    def __init__(self, run: Run, context: Context) -> None:
        self._run = run
        self._context = context
        self._eid = run.secret(EID) or context.snapshot().eid or ""
        known = context.wishes.get(self._eid)
        resumed = known is not None and (known.paid or bool(known.intent) or known.change == run.change.id)
        self._record = known if known is not None and resumed else _new_wish(run)

    # what is wanted of the platform

    def reach_ticket(self) -> None:
        """Get the activation code, in as many turns as necessary."""
        self._check_card()
        self._context.environment.clock.check()
        if self._is_fulfilled():
            self._activate_again()
            return
        platform = self._platform()
        self._keep(change=self._run.change.id)
        self._answered()
        if not platform.can.orders:
            return
        with platform.opened() as open_platform:
            reservation = self._reserved(open_platform)
            reservation = self._available(open_platform, reservation)
            if platform.can.activates is Activates.BEFORE:
                self._activate(open_platform, reservation)
            assert reservation.ticket is not None, "an available one has it"
            self._run.keep_secret(CODE, str(reservation.ticket))

    def install(self) -> ProvisionResult:
        """Download and enable the profile, and close the wish."""
        try:
            result = download(self._run, self._context, installed=self._installed)
        except ServerRefused as error:
            # Only the server knows whether the code is used up; a card's refusal does not tell.
            if error.details.get("remedy") == Remedy.PERMANENT:
                self._keep(spent=error.sentence)
                if self._record.reservation is not None:
                    self._ask_second_order(error.sentence)
            raise
        self._context.wishes.close(self._eid)
        self._tell("fulfilled", iccid=result.iccid)
        return ProvisionResult(platform=self._record.platform, **asdict(result))

    def release(self) -> str | None:
        """See `take_back`."""
        record = self._context.wishes.get(self._eid)
        if record is None:
            return None
        if not record.paid and not record.intent:
            self._context.wishes.close(self._eid)
            return None
        left = f"the order at the platform '{record.platform}' stays, and the next request continues with it"
        if not self._run.undoes:
            return left
        platform = self._context.platforms.get(record.platform)
        if platform is None or not platform.can.releases:
            return f"{left}: the platform takes no order back"
        try:
            with platform.opened() as open_platform:
                return self._released(open_platform, left)
        except LpadError as error:
            log.warning("change %d: its order is not released: %s", self._run.change.id, error)
            return f"{left}: {error.sentence}"

    def _released(self, platform: OpenPlatform, left: str) -> str | None:
        if self._record.reservation is None:
            found = platform.find(self._wish(), deadline=Deadline.after(CONVERSATION))
            if not found:
                self._context.wishes.close(self._eid)
                return None
            self._keep(reservation=KeptReservation.of(found[0]))
        reservation = platform.look(self._kept(), deadline=Deadline.after(CONVERSATION))
        if reservation.profile in (Stage.DOWNLOADED, Stage.INSTALLED):
            return f"{left}: its profile was downloaded"
        if reservation.profile is not Stage.GONE:
            self._keep(intent="release")
            platform.release(reservation, deadline=Deadline.after(CONVERSATION))
        self._context.wishes.close(self._eid)
        self._tell("released")
        return None

    # one phase each

    def _reserved(self, platform: OpenPlatform) -> Reservation:
        """Return the reservation: the known one, one that is found, or a new one."""
        if self._record.spent:
            self._ask_second_order(self._record.spent)
        if self._record.reservation is not None and not self._record.reservation.draft:
            return self._kept()
        doubtful = self._record.intent in ("order", "confirm")
        found = self._found(platform)
        draft = next((each for each in found if each.draft), None)
        if found and draft is None:
            adopted = self._chosen(found)
            self._keep(reservation=KeptReservation.of(adopted), intent="", looks=0, since=self._steady())
            self._tell("found", reservation=adopted)
            return adopted
        if doubtful and draft is None and not self._may_repeat(platform):
            self._ask_second_order(
                "it is not known whether the platform took the order, and it offers no way to find out"
            )
        return self._ordered(platform, draft)

    def _found(self, platform: OpenPlatform) -> list[Reservation]:
        if platform.can.finds is Finds.NOTHING:
            return []
        self._run.step("find-order")
        found = self._asked(lambda: platform.find(self._wish(), deadline=self._deadline()))
        return [each for each in found if each.profile in _OPEN]

    def _chosen(self, found: list[Reservation]) -> Reservation:
        """Return the oldest reservation; of several available ones, none without a user's decision."""
        available = [each for each in found if each.profile is Stage.AVAILABLE]
        if len(available) > 1 and self._notes.adopt is not True:
            self._tell("several", number=len(available))
            self._ask(
                QuestionKind.ADOPT,
                f"the platform '{self._record.platform}' keeps {len(available)} profiles for this card;"
                " lpad takes"
                " the oldest one if the answer is yes",
            )
        return (available or found)[0]

    def _may_repeat(self, platform: OpenPlatform) -> bool:
        return platform.can.repeats or platform.can.finds is not Finds.NOTHING

    def _ordered(self, platform: OpenPlatform, draft: Reservation | None) -> Reservation:
        before = self._record
        moments = before.ordered_at
        if draft is not None:
            self._keep(intent="confirm", reservation=KeptReservation.of(draft))
        else:
            # A draft that was not found again died unconfirmed, so ordering again is still the same order.
            if before.intent not in ("order", "confirm"):
                self._check_most_orders()
                moments = (*moments, self._steady())
            self._keep(intent="order", ordered_at=moments)
        self._run.step("order-profile")
        try:
            made = self._asked(
                lambda: platform.order(self._wish(), draft=draft, deadline=self._deadline()), doubt=True
            )
        except (PlatformRefused, Postponed) as error:
            if isinstance(error, Postponed) and self._record.intent:
                raise  # it is not known whether it was taken
            # It has done nothing, so this turn's order does not count.
            self._keep(intent="", ordered_at=before.ordered_at if before.intent != "order" else moments)
            raise
        self._keep(
            reservation=KeptReservation.of(made), intent="", looks=0, since=self._steady(), stalled=False
        )
        self._tell("ordered", reservation=made)
        return made

    def _check_most_orders(self) -> None:
        most = self._context.card.port.provisioning.most_orders
        recent = [each for each in self._record.ordered_at if self._steady() - each < DAY]
        if len(recent) >= most:
            raise Conflict(
                f"the settings allow {most} orders a day for a card ('provisioning.most_orders'), and"
                " there were"
                f" {len(recent)}; ask again tomorrow, or raise the number",
                limit=most,
            )

    def _available(self, platform: OpenPlatform, reservation: Reservation) -> Reservation:
        """Return the reservation once its profile can be downloaded.

        Raises:
            Postponed: the platform is not ready yet.
        """
        if reservation.ticket is None or reservation.profile is not Stage.AVAILABLE:
            self._run.step("look-at-order")
            reservation = self._asked(lambda: platform.look(reservation, deadline=self._deadline()))
            self._keep(reservation=KeptReservation.of(reservation))
        self._tell_unknown(reservation)
        if reservation.profile is Stage.AVAILABLE and reservation.ticket is not None:
            self._keep(looks=0, next_look_at=None)
            return reservation
        if reservation.profile in (Stage.FAILED, Stage.GONE, Stage.DOWNLOADED, Stage.INSTALLED):
            words = f", in its words: {reservation.why}" if reservation.why else ""
            where = f"the platform '{self._record.platform}'"
            spent = f"{where} says that the profile is {reservation.profile}{words}"
            self._keep(spent=spent)
            self._tell("spent", reservation=reservation)
            self._ask_second_order(spent)
        self._tell_stalled(platform, reservation)
        raise self._later(
            f"the profile is {reservation.profile} at the platform '{self._record.platform}'; lpad looks"
            " again",
            least=platform.can.look_every,
        )

    def _activate(self, platform: OpenPlatform, reservation: Reservation) -> None:
        """Begin to activate the line; the guard of the switch checks whether it works."""
        if reservation.line in (Line.LIVE, Line.CHANGING) and self._record.intent != "activate":
            return
        self._keep(intent="activate")
        self._run.step("activate-line")
        active = self._asked(
            lambda: platform.activate(reservation, self._wish(), deadline=self._deadline()), doubt=True
        )
        self._keep(reservation=KeptReservation.of(active), intent="")
        self._tell("activated", reservation=active)

    def _installed(self, iccid: str) -> None:
        """Check, before the profile is enabled, that it is the reserved one, and activate its line."""
        reserved = self._record.reservation.iccid if self._record.reservation is not None else None
        if reserved is not None and not same_iccid(reserved, iccid):
            self._keep(spent="the platform and the server name different profiles")
            raise Conflict(
                f"the downloaded profile ({iccid}) differs from the profile that the platform "
                f"'{self._record.platform}' reserved ({reserved}); it is installed but not enabled: ask "
                f"the operator, then enable or delete it",
                installed=iccid,
                reserved=reserved,
            )
        self._keep_apn(iccid)
        platform = self._context.platforms.get(self._record.platform)
        if platform is None or (platform.can.orders and platform.can.activates is not Activates.AFTER):
            return
        if platform.can.activates is Activates.NEVER:
            return
        self._run.follow("activate-line")
        self._activate_installed(platform, iccid)

    def _keep_apn(self, iccid: str) -> None:
        """Store the reservation's APN, so that the data connection follows the switch."""
        apn = self._record.reservation.apn if self._record.reservation is not None else None
        if apn is None:
            return
        try:
            self._context.networks.put(iccid, NetworkSettings(apn=apn), given_by=GivenBy.ORDER)
        except LpadError as error:
            log.warning("change %d: the platform's APN is not kept: %s", self._run.change.id, error)

    def _activate_again(self) -> None:
        """Activate the line of a profile that an earlier change installed, if it is idle again."""
        reservation = self._record.reservation
        platform = self._context.platforms.get(self._record.platform)
        if platform is None or reservation is None or platform.can.activates is not Activates.BEFORE:
            return
        self._run.step("activate-line")
        self._activate_installed(platform, reservation.iccid or "")

    def _activate_installed(self, platform: NamedPlatform, iccid: str) -> None:
        try:
            with platform.opened() as open_platform:
                self._activate_idle(open_platform, iccid)
        except LpadError as error:
            # The profile is installed; the guard checks whether it works.
            log.warning("change %d: the line is not activated: %s", self._run.change.id, error)
            self._tell("line-not-activated", sentence=error.sentence)

    def _activate_idle(self, platform: OpenPlatform, iccid: str) -> None:
        if self._record.reservation is not None:
            line = platform.look(self._kept(), deadline=self._deadline())
        else:
            known = platform.line_of(iccid, deadline=self._deadline())
            if known is None:
                return
            line = known
        if line.line in (Line.LIVE, Line.CHANGING):
            return
        platform.activate(line, self._wish(), deadline=self._deadline())
        self._tell("activated", reservation=line)

    # what persons are asked

    def _ask_second_order(self, why: str) -> None:
        """Ask a user whether to order again; the wish waits for the answer without limit.

        Raises:
            Declined: the answer is no, and the wish is closed.
            Cancelled: there is no answer yet; the change frees the card and continues after the answer.
        """
        if self._notes.second_order:
            self._run.note(noting(ProvisionNotes, second_order=None, adopt=None))
            self._keep(
                allowed=self._record.allowed + 1, reservation=None, spent="", intent="", looks=0, told=()
            )
            return
        self._ask(
            QuestionKind.SECOND_ORDER,
            f"{why}; if the answer is yes, lpad orders another profile at '{self._record.platform}', which"
            " may"
            " cost money",
        )

    def _ask(self, kind: QuestionKind, reason: str) -> None:
        self._run.ask(kind, profile=None, reason=reason, within=ENDLESS, held=0.0)
        self._answered()  # in the very moment

    def _answered(self) -> None:
        """Continue according to a user's answer.

        Raises:
            Declined: the answer was no, and the wish is closed.
        """
        if self._notes.second_order is False or self._notes.adopt is False:
            self._context.wishes.close(self._eid)
            self._tell("closed")
            raise Declined(
                f"no other profile is ordered at the platform '{self._record.platform}': the answer to the"
                " question was no, and the wish is closed"
            )
        if self._notes.second_order:
            self._ask_second_order("")

    # the rest

    def _check_card(self) -> None:
        try:
            check_same_eid(self._run, self._context.snapshot().eid)
        except Conflict as error:
            left = self.release()
            raise Conflict(f"{error.sentence}{f'; {left}' if left else ''}") from error

    def _is_fulfilled(self) -> bool:
        """Whether the card already contains the reserved profile, as after an unnoticed end."""
        reserved = self._record.reservation.iccid if self._record.reservation is not None else None
        profiles = self._context.snapshot().listed
        found = None if reserved is None else profiles.named(reserved)
        if found is None or reserved is None:
            return False
        self._run.note(noting(ProfileNotes, iccid=reserved))
        return True

    def _platform(self) -> NamedPlatform:
        platform = self._context.platforms.get(self._record.platform)
        if platform is not None:
            return platform
        if not self._record.paid:
            raise Conflict(
                f"the settings list no platform '{self._record.platform}'; 'lpad platform list' shows the"
                " names"
            )
        raise self._later(
            f"the settings no longer list the platform '{self._record.platform}', which has a profile for"
            " this card; lpad waits until they list it again, or until this change is cancelled",
            least=look_times.BACKOFF.seconds[-1],
        )

    def _asked(self, ask: Callable[[], _Answer], *, doubt: bool = False) -> _Answer:
        """Return the platform's answer; temporary failures postpone the change.

        Args:
            ask: calls one verb.
            doubt: whether the verb changes something, so that its intent stays stored until the outcome is
                known.

        Raises:
            Postponed: the platform cannot be reached, is busy or out of order.
            PlatformRefused, ServerUntrusted, Cancelled: as the port says.
        """
        try:
            return ask()
        except PlatformBusy as error:
            if doubt:
                self._keep(intent="")
            least = noted_number(error.details.get("retry_after"), default=0.0, most=DAY)
            if error.details.get("http_status") == HTTPStatus.TOO_MANY_REQUESTS:
                told = least if "retry_after" in error.details else None
                self._keep(spread=look_times.wider(self._record.spread, told=told))
            raise self._troubled(error, least=least) from error
        except _DOUBTFUL as error:
            raise self._troubled(error, least=0.0) from error

    def _troubled(self, error: LpadError, *, least: float) -> Postponed:
        reason = PauseReason.NETWORK if isinstance(error, ServerUnreachable) else PauseReason.PLATFORM
        return self._later(error.sentence, least=least, error=error, reason=reason)

    def _later(
        self,
        sentence: str,
        *,
        least: float,
        error: LpadError | None = None,
        reason: PauseReason = PauseReason.PLATFORM,
    ) -> Postponed:
        """Return the pause until the next look: longer each time, and randomly spread."""
        looks = self._record.looks + 1
        wait = look_times.wait(looks, least=least, spread=self._record.spread)
        due = self._steady() + wait
        self._keep(looks=looks, next_look_at=due)
        present = now()
        failure = (
            Failure.of(error)
            if error is not None
            else Failure(kind="platform-waiting", sentence=sentence, retryable=True)
        )
        pause = Pause(reason=reason, since=present, retry_at=present + timedelta(seconds=wait), error=failure)
        return Postponed(pause, failed=error is not None, notes=noting(Notes, due=due))

    def _tell_unknown(self, reservation: Reservation) -> None:
        for word in reservation.unknown:
            if word not in self._record.told:
                self._keep(told=(*self._record.told, word))
                log.warning(
                    "the platform '%s' says '%s', which its file does not know; lpad keeps checking",
                    self._record.platform,
                    word,
                )
                self._tell("unknown-state", reservation=reservation, word=word)

    def _tell_stalled(self, platform: OpenPlatform, reservation: Reservation) -> None:
        waited = self._steady() - self._record.since
        if not self._record.stalled and waited > platform.can.look_for:
            self._keep(stalled=True)
            log.warning(
                "the platform '%s' has kept a profile pending for %.0f seconds; lpad keeps checking",
                self._record.platform,
                waited,
            )
            self._tell("stalled", reservation=reservation)

    def _tell(self, phase: str, *, reservation: Reservation | None = None, **more: Json) -> None:
        data: dict[str, Json] = {"phase": phase, "platform": self._record.platform, **more}
        if reservation is not None:
            data |= {"profile": reservation.profile.value, "line": reservation.line.value}
        self._run.tell("provisioning", **data)

    def _keep(self, **changes: object) -> None:
        """Store the progress of the wish before the next action."""
        self._record = replace(self._record, **changes)
        self._context.wishes.put(self._eid, self._record)

    def _kept(self) -> Reservation:
        assert self._record.reservation is not None, "the caller has looked"
        return self._record.reservation.reservation(self._record.platform)

    def _wish(self) -> Wish:
        imei = self._context.card.imei()
        return Wish(
            reference=self._record.reference(self._eid),
            eid=self._eid,
            product=self._record.product,
            options=self._record.options,
            imei=None if imei is None else str(imei),
        )

    @property
    def _notes(self) -> ProvisionNotes:
        return self._run.notes_of(ProvisionNotes)

    def _deadline(self) -> Deadline:
        return Deadline.after(CONVERSATION, cancellation=self._run.interruption)

    def _steady(self) -> float:
        return self._run.now().steady


def _new_wish(run: Run) -> WishRecord:
    asked = run.change.params_of(ProvisionParams)
    return WishRecord(platform=asked.platform, product=asked.product, options=asked.options)
