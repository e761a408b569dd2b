"""A download as a change: with the caller's answers, the journal, and the delivery of the notification."""

from __future__ import annotations

import logging
from contextlib import ExitStack
from typing import TYPE_CHECKING

import msgspec

from lpad.base.activation_code import ActivationCode
from lpad.base.deadline import Deadline
from lpad.base.errors import (
    Conflict,
    LpadError,
    PolicyRefused,
    ServerRefused,
)
from lpad.base.server_address import ServerAddress
from lpad.codec.messages.authentication import UNKNOWN_TAC, DeviceCapabilities, DeviceInfo
from lpad.engine.change.change import EID, PROVISION, QuestionKind
from lpad.engine.change.notes import DownloadNotes, Notes, noting
from lpad.engine.change.params import DownloadParams
from lpad.engine.change.results import DownloadResult
from lpad.engine.network_settings.download_settings import PASSWORD, read_back
from lpad.engine.operations import download_question_answers
from lpad.engine.operations.profile_downloaded_hook import announce_downloaded
from lpad.engine.recovery.interrupted_download import left_behind
from lpad.engine.running.run import HELD
from lpad.engine.snapshot import card_reading
from lpad.engine.switch.condition_feasibility import check_possible
from lpad.engine.switch.default_guard import enable_guarded
from lpad.engine.switch.guarded_switch import conditions_of
from lpad.lpa.download import Decision, Download, Order
from lpad.lpa.download_refusals import of_default_smdp
from lpad.lpa.owner_install_policy import CONFIRM
from lpad.protocol.download_state_table import Step

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.engine.change.results import ShownProfile
    from lpad.engine.running.change_question_answer import Answer
    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run
    from lpad.engine.snapshot.profile import Profile
    from lpad.engine.snapshot.profile_list import Listed, ProfileList
    from lpad.lpa.download import Offer
    from lpad.lpa.euicc import Euicc

log = logging.getLogger(__name__)


def download(
    run: Run, context: Context, *, installed: Callable[[str], None] = lambda _: None
) -> DownloadResult:
    """Download and install the profile of an activation code, of an event, or of the default SM-DP+.

    Args:
        installed: called with the ICCID once the profile is installed, before it is enabled; may raise an
            error.

    Raises:
        Conflict: the default SM-DP+ is requested, but neither the settings nor the card name one; or the
            guard cannot be checked.
        SwitchRolledBack, SwitchStuck: the profile is installed, and its guard was not met.
        Suspended: as in `guarded_switch`.
        Declined, ConfirmationCodeRequired, Cancelled, CardError, ServerError: as in `Download.run`.
    """
    asked = run.change.params_of(DownloadParams)
    loaded = run.notes_of(DownloadNotes).iccid or ""
    if run.change.guard is not None:  # the guarded switch of this profile was interrupted
        return _enable(run, context, asked, _held(context, loaded))
    # If the conditions of the guard cannot be evaluated, nothing is downloaded.
    deadline = Deadline.after(context.timeouts.switch)
    check_possible(context, conditions_of(asked.guard), deadline=deadline)
    deadline = Deadline.after(context.timeouts.download, cancellation=run.interruption)
    found = left_behind(run, context, deadline=deadline)
    result = _told(found, loaded) if found is not None else _install(run, context, deadline)
    if remark := _keep_network(run, context, result.iccid):
        result = msgspec.structs.replace(result, remark=remark)
    installed(result.iccid)
    announce_downloaded(run, context, result.iccid)
    return _enable(run, context, asked, result) if asked.enable else result


def _keep_network(run: Run, context: Context, iccid: str) -> str | None:
    """Store the order's network settings, if any; return a remark for the result, None unless this fails."""
    settings = read_back(run.change.params_of(DownloadParams).network, run.secret(PASSWORD))
    if settings is None or not iccid:
        return None
    try:
        eid = run.secret(EID) or context.snapshot().eid
        context.networks.put_ordered(iccid, settings, change=run.change.id, eid=eid)
    except LpadError as error:
        log.warning("change %d: cannot store the profile's network settings: %s", run.change.id, error)
        return f"the profile's network settings could not be stored: {error.sentence}"
    return None


def _held(context: Context, iccid: str) -> DownloadResult:
    profile = context.snapshot().listed.named(iccid)
    return _told(profile, iccid) if profile is not None else DownloadResult(iccid=iccid)


def _told(profile: Listed, iccid: str) -> DownloadResult:
    return DownloadResult(
        iccid=iccid,
        isdp_aid=profile.isdp_aid,
        profile=card_reading.shown(profile),
        enabled=profile.enabled,
        settled=True,
    )


def _enable(run: Run, context: Context, asked: DownloadParams, result: DownloadResult) -> DownloadResult:
    """Enable the installed profile; the details of an error name the installed profile."""
    iccid = _name(context.snapshot().listed, result.iccid, result.isdp_aid)
    try:
        switched = enable_guarded(run, context, asked.guard, iccid=iccid, without=asked.unguarded)
    except LpadError as error:
        error.details["installed"] = iccid
        raise
    return msgspec.structs.replace(
        result,
        enabled=True,
        remark=result.remark or switched.remark,
        guard=switched.guard,
        previous=switched.previous,
        registration=switched.registration,
        network=switched.network,
        unguarded=switched.unguarded,
    )


def _name(profiles: ProfileList, iccid: str, aid: str | None) -> str:
    """Return the ICCID of the installed profile, or its AID if the ICCID is ambiguous or missing."""
    return aid if aid and profiles.named(aid) is not None and profiles.named(iccid) is None else iccid


def _install(run: Run, context: Context, deadline: Deadline) -> DownloadResult:
    # An idle daemon does not need these modules. They are loaded here, because the package may be replaced
    # during the download, and a failure after the installation would hide that the profile is installed.
    from lpad.engine.operations.installation_notifications import (  # noqa: PLC0415 - only a download needs it
        deliver,
        is_told_first,
        leave,
    )

    context.outbox.expect_download()
    context.environment.clock.check()
    with context.card.session(deadline=deadline) as euicc:
        context.collect_owed(euicc, deadline)
        if run.change.origin == PROVISION:
            _check_empty(card_reading.read_profiles(euicc, deadline=deadline))
        address, order = _order(run, context, euicc, deadline)
        with ExitStack() as connection:
            server = connection.enter_context(context.connect(address, context.snapshot().eid or ""))
            # The installation's result is stored under this EID, and searched for after a power cut.
            eid = run.secret(EID) or context.snapshot().eid
            # If this server has not been informed of a cancelled session, that session locks the order.
            context.owed.send_over(server, deadline=deadline)
            listener = _Listener(run, context, address, eid or "")
            download = Download(
                euicc,
                server,
                order,
                device=device_of(context),
                listener=listener,
                eid=eid,
                policy=listener.policy,
            )
            try:
                installed = download.run(deadline=deadline)
            except PolicyRefused as refused:
                run.decided("refuse", rule=str(refused.details["rule"]), sentence=refused.sentence)
                raise
            except ServerRefused as refused:
                raise (of_default_smdp(refused) if _is_default(run) else refused) from refused
            run.follow("deliver-notifications")
            delivered = None
            if is_told_first(run, context):
                eid = leave(run, context, euicc, installed, eid=eid or "")
                if not run.change.params_of(DownloadParams).enable:
                    context.outbox.keep_connection(server, eid, connection.pop_all())
            else:
                delivered = deliver(run, context, euicc, installed, server, eid=eid or "")
    return DownloadResult(
        iccid=str(installed.iccid),
        isdp_aid=str(installed.isdp_aid) if installed.isdp_aid else None,
        profile=card_reading.shown(listener.offered),
        server=str(address),
        notifications_delivered=delivered,
        enabled=False,
    )


def _check_empty(profiles: ProfileList) -> None:
    """Check that a card still has no operational profile before an unrequested download.

    Raises:
        Conflict: the card has an operational profile, or its list is not fully readable.
    """
    if not profiles.certainly_unprovided:
        raise Conflict(
            "lpad no longer requests a first profile: the card now contains an operational profile, or an"
            " unreadable one; see 'lpactl profiles'"
        )


def _is_default(run: Run) -> bool:
    """Return whether the profile comes from the default SM-DP+: there is neither a code nor an event."""
    return run.secret("activation_code") is None and run.change.params_of(DownloadParams).event is None


def _order(run: Run, context: Context, euicc: Euicc, deadline: Deadline) -> tuple[ServerAddress, Order]:
    code_text = run.secret("activation_code")
    confirmation_code = run.secret("confirmation_code")
    event = run.change.params_of(DownloadParams).event
    if event is not None:
        order = Order(matching_id=event.event_id, confirmation_code=confirmation_code)
        return ServerAddress.parse(event.server), order
    if code_text is not None:
        code = ActivationCode.parse(code_text)
        return code.address, Order.from_activation_code(code, confirmation_code=confirmation_code)
    if context.card.port.default_smdp is not None:
        address = context.card.port.default_smdp
    else:
        run.step("read-addresses")
        named = card_reading.read_addresses(euicc, deadline=deadline).default_smdp
        if not named:
            raise Conflict(
                "cannot download from the default SM-DP+: neither the settings nor the card name one;"
                " set it with 'lpactl default-smdp ADDRESS'"
            )
        address = ServerAddress.parse(named)
    return address, Order(confirmation_code=confirmation_code)


def device_of(context: Context) -> DeviceInfo:
    """Return the device's TAC, IMEI and capabilities, as servers get them."""
    imei = context.card.imei()
    told = context.card.port.tac
    if imei is None and told is None:
        log.info("no IMEI is known, so lpad sends the server the TAC 00000000, which some operators refuse")
    return DeviceInfo(
        tac=imei.tac if imei else told.to_bytes() if told else UNKNOWN_TAC,
        capabilities=context.card.port.capabilities or DeviceCapabilities(),
        imei=imei,
    )


class _Listener:
    """Turns a download's reports and questions into steps, progress and questions of the change."""

    def __init__(self, run: Run, context: Context, address: ServerAddress, eid: str) -> None:
        self._run = run
        self._address = address
        self._eid = eid
        self._context = context
        self.policy = context.install_policy()
        self._first_code = run.secret("confirmation_code")
        self.offered: Profile | None = None

    def step(self, step: Step) -> None:
        if step is Step.AUTHENTICATE_CLIENT:
            # From here on the server knows the order, and counts the attempt.
            self._run.on_record(step.value, noting(Notes, sessions=(self._run.notes.sessions or 0) + 1))
        elif step is Step.GET_BOUND_PROFILE_PACKAGE:
            self._run.on_record(step.value)
        elif step is Step.LOAD_BOUND_PROFILE_PACKAGE:
            iccid = self.offered.iccid if self.offered else ""
            held = not self._context.snapshot().listed.lacks_name(iccid)
            last = self._context.outbox.last_number(self._eid)
            notes = noting(DownloadNotes, iccid=iccid, held_before=held, last_number=last)
            # The settings are stored before the card has the profile, so that its first enable finds them
            # even after a power cut.
            _keep_network(self._run, self._context, iccid)
            self._run.irreversible(step.value, notes)
        elif step is Step.CANCEL_SESSION:
            self._run.give_way()
            self._run.follow(step.value)
        else:
            self._run.step(step.value)

    def owes_cancellation(self, transaction_id: str, response: bytes) -> None:
        self._context.owed.owe(self._address, self._eid, transaction_id=transaction_id, response=response)

    def bytes_loaded(self, sent: int, total: int) -> None:
        self._run.progress(sent, total)
        self._run.check()

    def confirm(self, offer: Offer) -> Decision:
        self.offered = card_reading.offered_profile(offer)
        icon = card_reading.offered_icon(offer)
        if icon is not None:
            self._context.keep_icon(self.offered.iccid, icon)
        if not (self._run.change.params_of(DownloadParams).confirm or self.policy.demands_consent(offer)):
            return Decision.ACCEPT
        shown = card_reading.shown(self.offered)
        before = download_question_answers.decided_before(self._run, shown)
        if before is not None:
            return before
        answer = self._ask(QuestionKind.CONSENT, shown)
        decision = (
            Decision.TIMEOUT
            if answer is None
            else download_question_answers.DECISIONS[answer.decision or "reject"]
        )
        self._run.decided(
            decision.value, rule=CONFIRM, sentence=download_question_answers.SENTENCES[decision]
        )
        return decision

    def confirmation_code(self, *, refused: bool) -> str | None:
        first, self._first_code = self._first_code, None
        if first is not None and not refused:
            return first
        answer = self._ask(
            QuestionKind.CONFIRMATION_CODE, card_reading.shown(self.offered), code_refused=refused
        )
        return answer.confirmation_code if answer is not None else None

    def _ask(
        self, kind: QuestionKind, shown: ShownProfile | None, *, code_refused: bool = False
    ) -> Answer | None:
        # A borrowed modem has no connection while lpad holds it.
        hold = self._context.card.hold
        return self._run.ask(
            kind,
            profile=shown,
            code_refused=code_refused,
            within=self._context.timeouts.answer,
            held=HELD if hold is None else min(HELD, hold),
        )
