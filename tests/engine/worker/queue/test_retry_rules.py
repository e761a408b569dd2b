"""Downloads with temporary errors: retried by class of error, across restarts, never installed twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from engine.clocks import TODAY, YEAR, Clocks
from engine.lab import CARD, FIRST, Lab, result_of
from lpad.base.backoff import Backoff
from lpad.base.errors import (
    CardMalformed,
    CardRefused,
    CardUnreachable,
    ClockNotSet,
    JournalUnavailable,
    LpadError,
    ServerFailed,
    ServerMalformed,
    ServerRefused,
    ServerUnreachable,
    ServerUntrusted,
)
from lpad.engine.change.change import Change, Kind, PauseReason, Question, QuestionKind, State, now
from lpad.engine.change.notes import NOTHING, DownloadNotes, Notes, Noting, noting
from lpad.engine.change.params import DownloadParams
from lpad.engine.environment.clock_and_network import Environment
from lpad.engine.environment.wall_clock_validity import Clock
from lpad.engine.running.elapsed_retry_time import TriedTime, UncountedTime
from lpad.engine.worker.queue import awaiting_retry, retry_rules
from lpad.engine.worker.queue.retry_rules import BACKOFF, Course, Retry, course_of, retry_after
from lpad.simulator.smdp.functions.faults import Fault, FaultKind, TlsIdentity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from lpad.engine.journal import StoredNotification

AUTHENTICATE_STEP = "authenticate-client"
INITIATE, AUTHENTICATE, GET = "initiateAuthentication", "authenticateClient", "getBoundProfilePackage"


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let attempts follow one another immediately."""
    at_once: Mapping[Course, Backoff] = {course: Backoff((0.01,)) for course in BACKOFF}
    monkeypatch.setattr(retry_rules, "BACKOFF", at_once)
    monkeypatch.setattr(awaiting_retry, "REST", 0.0)


@pytest.fixture
def patient(lab: Lab) -> Lab:
    """A lab whose downloads are retried for an hour."""
    lab.patient(retry=3600)
    return lab


def download(lab: Lab, **params: Any) -> Change:
    made = lab.order()
    return lab.submit(Kind.DOWNLOAD, secrets={"activation_code": lab.code(made)}, **params)


def paused_for(lab: Lab, change: Change, reason: PauseReason) -> Change:
    return lab.until(
        lambda: lab.engine.change(change.id),
        lambda seen: seen.state.ended or (seen.pause is not None and seen.pause.reason is reason),
    )


def fault(
    lab: Lab, function: str, kind: FaultKind, value: str | int | None = None, *, times: int = 1
) -> None:
    lab.server.faults.add(Fault(function=function, kind=kind, value=value, times=times))


@pytest.mark.parametrize(
    ("error", "course"),
    [
        (ServerUnreachable("no route"), Course.NETWORK),
        (ServerUnreachable("429", http_status=429), Course.SERVER),
        (ServerFailed("503", http_status=503), Course.SERVER),
        (ServerUnreachable("404", retryable=False, http_status=404), Course.STOP),
        (ServerRefused("not released", remedy="retry"), Course.SERVER),
        (ServerRefused("unknown transaction", remedy="restart-session"), Course.ANEW),
        (ServerRefused("wrong code", remedy="confirmation-code"), Course.STOP),
        (ServerRefused("matching ID", remedy="permanent"), Course.STOP),
        (ServerMalformed("a web page", retryable=True), Course.GARBLED),
        (ServerMalformed("contradicts itself"), Course.STOP),
        (ServerUntrusted("CA", cause="unknown-ca"), Course.STOP),
        (ServerUntrusted("1970", cause="clock-not-set"), Course.TIME),
        (ServerUntrusted("dates", cause="certificate-not-yet-valid"), Course.STOP),
        (ClockNotSet("1970"), Course.TIME),
        (JournalUnavailable("full"), Course.JOURNAL),
        (CardUnreachable("gone"), Course.CARD),
        (CardRefused("interrupted", reason="installFailedDueToInterruption"), Course.CARD),
        (CardRefused("full", reason="installFailedDueToInsufficientMemoryForProfile"), Course.STOP),
        (CardRefused("session", reason="noSessionContext"), Course.ANEW),
        (CardMalformed("rubbish"), Course.STOP),
    ],
)
def test_each_class_of_error_has_its_course(error: LpadError, course: Course) -> None:
    """By its error, a download is retried later, begins a new session, or ends because a user must act."""
    assert course_of(error) is course


def test_certificate_dates_are_doubted_under_an_unset_clock() -> None:
    """If no time server has set the clock, a certificate that is not yet valid is tried later."""
    error = ServerUntrusted("dates", cause="certificate-not-yet-valid")
    assert course_of(error, synchronised=False) is Course.TIME


def test_a_certificate_that_had_expired_before_lpad_was_made_is_expired() -> None:
    """A certificate that expired before lpad was built ends a download, whatever the clock shows."""
    error = ServerUntrusted("dates", cause="certificate-expired", certain=True)
    assert course_of(error, synchronised=False) is Course.STOP


def test_a_switch_that_took_the_network_ends_no_download() -> None:
    """An overtaken download waits a limited time for the new network, even if it is not to be retried."""
    tried = Tried(retry_for=0)
    away = ServerUnreachable("no connection")
    assert tried.fails(away) is None
    tried.change = replace(tried.change, overtaken=1)
    retry = tried.fails(away)
    assert retry is not None
    assert retry.pause.reason is PauseReason.NETWORK
    assert tried.fails(ServerUnreachable("out of order", http_status=503)) is None
    tried.clocks.pass_by(retry_rules.AFTER_SWITCH + 1)
    assert tried.fails(away) is None


def test_dates_are_doubted_for_as_long_as_the_download_is_tried() -> None:
    """Under an unconfirmed clock, a certificate's date error ends the download only after its `retry_for`."""
    tried = Tried(retry_for=3600)
    expired = ServerUntrusted("dates", cause="certificate-expired")
    retry = tried.fails(expired, synchronised=False)
    assert retry is not None
    assert retry.pause.reason is PauseReason.TIME
    assert wait_of(retry) <= 3600
    tried.clocks.pass_by(3601)
    assert tried.fails(expired, synchronised=False) is None
    patient = Tried(when_online=True, retry_for=60)
    patient.fails(expired, synchronised=False)
    patient.clocks.pass_by(61)
    assert patient.fails(expired, synchronised=False) is None


class Tried:
    """A download on a simulated device, whose attempts fail with the errors that the test gives."""

    def __init__(
        self, *, wall: float = TODAY, when_online: bool = False, retry_for: float | None = None
    ) -> None:
        self.clocks = Clocks(wall=wall)
        self.clock = self.clocks.clock()
        self.waits = UncountedTime(self.clock)
        self.notes = DownloadNotes()
        params = DownloadParams(when_online=when_online, retry_for=retry_for)
        self.change = Change(
            id=1, euicc=CARD, kind=Kind.DOWNLOAD, params=params, created_at=now(), state=State.RUNNING
        )

    def fails(self, error: LpadError, *, card_there: bool = True, synchronised: bool = True) -> Retry | None:
        """Let an attempt fail with this error; return the retry, or None if the download ends."""
        moment = self.clock.now()
        uncounted = self.waits.take(self.change)
        retry = retry_after(
            self.change,
            error,
            notes=self.notes,
            tried=TriedTime.until(moment.ran, notes=self.notes, uncounted=uncounted),
            moment=moment,
            card_there=card_there,
            synchronised=synchronised,
        )
        if retry is not None:
            self.notes = retry.notes.on(self.notes)
        return retry

    def restarted(self) -> None:
        """Stop lpad, let a night pass, boot the device in 1970 and start lpad."""
        last = self.clock.now()
        self.clocks.pass_by(8 * 3600)
        self.clocks.reboot(wall=100.0)
        self.clock = self.clocks.clock()
        self.clock.go_on(last)
        self.waits = UncountedTime(self.clock)

    def spent(self) -> float:
        return TriedTime.until(self.clock.now().ran, notes=self.notes, uncounted=0).spent


NO_ROUTE = ServerUnreachable("no route")
LATER = ServerRefused("later", remedy="retry")


def wait_of(retry: Retry | None) -> float:
    """Return the seconds that a pause is meant to last."""
    assert retry is not None
    assert retry.pause.retry_at is not None
    return (retry.pause.retry_at - retry.pause.since).total_seconds()


def test_patience_has_an_end() -> None:
    """A download is tried for `retry_for` seconds of running time, with a last attempt at the end."""
    tried = Tried(retry_for=300)
    attempts = 0
    while (retry := tried.fails(NO_ROUTE)) is not None:
        attempts += 1
        tried.clocks.pass_by(wait_of(retry))
    assert 4 < attempts < 12
    assert tried.spent() == pytest.approx(300)


def test_a_network_that_comes_and_goes_uses_up_only_the_time_that_passes() -> None:
    """A new network every ten seconds ends long pauses early; 300 s of `retry_for` stay 300 s."""
    tried = Tried(retry_for=300)
    for _ in range(30):
        assert tried.fails(NO_ROUTE) is not None
        tried.clocks.pass_by(10)
    assert tried.fails(NO_ROUTE) is None


@pytest.mark.parametrize("jump", [2 * YEAR, -YEAR, -TODAY])
def test_a_clock_that_jumps_neither_ends_nor_prolongs_it(jump: float) -> None:
    """A jump of the clock does not change the time of a download: only lpad's running time counts."""
    tried = Tried(retry_for=3600)
    tried.fails(NO_ROUTE)
    tried.clocks.pass_by(60)
    tried.clocks.wall += jump
    assert tried.spent() == pytest.approx(60)
    assert tried.fails(NO_ROUTE) is not None


def test_the_time_is_summed_across_restarts() -> None:
    """The time of a download is summed across restarts; a night without lpad does not count."""
    tried = Tried(retry_for=300)
    for _ in range(3):
        assert tried.fails(NO_ROUTE) is not None
        tried.clocks.pass_by(99)
        tried.restarted()
    assert tried.spent() == pytest.approx(297)
    assert wait_of(tried.fails(NO_ROUTE)) == pytest.approx(3)


def test_waits_for_an_answer_or_a_turn_are_not_counted() -> None:
    """Neither the wait for a user's answer nor the wait in the queue uses up a download's time."""
    tried = Tried(retry_for=300)
    tried.fails(LATER)
    tried.clocks.pass_by(30)
    tried.waits.awaits_turn(tried.change)
    tried.clocks.pass_by(1000)
    tried.waits.observe(tried.change)  # the change runs now
    tried.clocks.pass_by(5)
    question = Question(kind=QuestionKind.CONSENT, until=now())
    tried.waits.observe(replace(tried.change, state=State.WAITING, question=question))
    tried.clocks.pass_by(2000)
    tried.waits.observe(tried.change)
    tried.clocks.pass_by(7)
    tried.fails(LATER)
    assert tried.spent() == pytest.approx(42)


def test_a_network_that_is_waited_for_is_not_counted() -> None:
    """With `when_online` a download waits for a network without a time limit; other errors have one."""
    tried = Tried(when_online=True, retry_for=300)
    for _ in range(20):
        assert tried.fails(NO_ROUTE) is not None
        tried.clocks.pass_by(3600)
    assert tried.spent() == 0
    assert tried.fails(LATER) is not None
    tried.clocks.pass_by(301)
    assert tried.fails(LATER) is None
    assert tried.fails(ServerRefused("no", remedy="permanent")) is None


def test_a_wait_for_the_clock_is_not_an_attempt() -> None:
    """A wait for the clock to be set does not use up a download's time."""
    tried = Tried(wall=100.0, retry_for=300)
    assert tried.fails(ClockNotSet("1970")) is not None
    tried.clocks.pass_by(3600)
    assert tried.fails(ClockNotSet("1970")) is not None
    tried.clocks.wall = TODAY
    assert wait_of(tried.fails(NO_ROUTE)) < 300
    tried.clocks.pass_by(20)
    assert tried.spent() == pytest.approx(20)


def test_pauses_noted_by_an_earlier_lpad_count() -> None:
    """The pauses that an earlier lpad has summed count as elapsed time."""
    tried = Tried(retry_for=300)
    tried.notes = DownloadNotes(waited=290.0)
    assert wait_of(tried.fails(NO_ROUTE)) <= 10


def test_a_card_is_waited_for_as_long_as_all_is() -> None:
    """A download waits for an absent card only until its `retry_for` is used up, and then ends."""
    gone = CardUnreachable("gone")
    tried = Tried(retry_for=60)
    assert wait_of(tried.fails(gone, card_there=False)) == pytest.approx(60)
    tried.clocks.pass_by(20)
    assert wait_of(tried.fails(gone, card_there=False)) == pytest.approx(40)
    tried.clocks.wall = 100.0
    tried.clocks.pass_by(41)
    assert tried.fails(gone, card_there=False) is None


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    ("function", "kind", "value"),
    [
        (INITIATE, FaultKind.DROP_BEFORE, None),
        (INITIATE, FaultKind.HTTP_STATUS, 500),
        (AUTHENTICATE, FaultKind.DROP_AFTER, None),
        (AUTHENTICATE, FaultKind.REFUSE, "8.2/3.7"),
        (AUTHENTICATE, FaultKind.REFUSE, "8.10.1/3.9"),
        (INITIATE, FaultKind.BODY_HTML, None),
        (AUTHENTICATE, FaultKind.BODY_MALFORMED, None),
        (GET, FaultKind.BODY_EMPTY, None),
        (GET, FaultKind.HTTP_STATUS, 503),
        (GET, FaultKind.DROP_BEFORE, None),
        (GET, FaultKind.REFUSE, "8.10.1/3.9"),
    ],
)
def test_a_download_continues_after_a_temporary_error(
    patient: Lab, function: str, kind: FaultKind, value: str | int | None
) -> None:
    """After a temporary error the download continues with a new session, and installs its profile once."""
    fault(patient, function, kind, value)
    change = patient.ended(download(patient).id)
    assert change.state is State.DONE, change.error
    assert change.attempts == 1
    assert [str(profile.iccid) for profile in patient.card.profiles] == [FIRST]


@pytest.mark.usefixtures("soon")
def test_a_forgotten_session_is_repeated_once(patient: Lab) -> None:
    """If a server forgets the session, the download is repeated once; if this happens again, it fails."""
    fault(patient, GET, FaultKind.REFUSE, "8.10.1/3.9", times=9)
    change = patient.ended(download(patient).id)
    assert change.state is State.FAILED
    assert change.attempts == 1


def test_a_permanent_refusal_ends_immediately(patient: Lab) -> None:
    """A permanent refusal ends the download immediately, and the error's sentence gives the remedy."""
    fault(patient, AUTHENTICATE, FaultKind.REFUSE, "8.2.6/3.8")
    change = patient.ended(download(patient).id)
    assert change.attempts == 0
    assert change.error is not None
    assert "activation code" in change.error.sentence


def test_a_waiting_download_leaves_the_card_to_others(patient: Lab) -> None:
    """While a download waits, other changes run; its next attempt and last error are shown."""
    fault(patient, INITIATE, FaultKind.HTTP_STATUS, 503, times=99)
    change = paused_for(patient, download(patient), PauseReason.SERVER)
    assert change.state is State.WAITING
    assert change.question is None
    assert change.pause is not None
    assert change.pause.retry_at is not None
    assert change.pause.error.kind == "server-failed"
    assert patient.carry_out(Kind.REFRESH).state is State.DONE
    assert patient.engine.cancel(change.id).state is State.CANCELLED
    assert patient.engine.change(change.id).pause is None


def test_a_waiting_download_survives_restarts(patient: Lab) -> None:
    """A waiting download keeps its pause and attempts across restarts, and continues when due."""
    patient.clocks = Clocks()  # The pause ends when the test ends it, not while lpad stops.
    fault(patient, INITIATE, FaultKind.HTTP_STATUS, 503)
    waiting = paused_for(patient, download(patient), PauseReason.SERVER)
    patient.stop()
    patient.start()
    early = patient.engine.change(waiting.id)
    assert (early.state, early.attempts) == (State.WAITING, 1)
    assert early.pause == waiting.pause
    patient.stop()
    patient.clocks.pass_by(120)
    patient.start()
    change = patient.ended(waiting.id)
    assert (change.state, change.attempts) == (State.DONE, 1)
    assert [str(profile.iccid) for profile in patient.card.profiles] == [FIRST]


@pytest.mark.usefixtures("soon")
def test_a_network_that_comes_ends_the_wait(patient: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A download that waits for the network begins when a network is reported, however long that takes."""
    monkeypatch.setattr(retry_rules, "BACKOFF", {course: Backoff((3600,)) for course in BACKOFF})
    fault(patient, INITIATE, FaultKind.DROP_BEFORE)
    change = paused_for(patient, download(patient, when_online=True), PauseReason.NETWORK)
    assert change.state is State.WAITING
    patient.engine.network_is_back()
    assert patient.ended(change.id).state is State.DONE


@pytest.mark.usefixtures("soon")
def test_a_card_that_comes_back_is_looked_at_first(patient: Lab) -> None:
    """A download waits for a modem port that has disappeared, then continues, and installs one profile."""
    order = patient.order(size=20000)
    change = patient.submit(Kind.DOWNLOAD, secrets={"activation_code": patient.code(order)})
    patient.until(
        lambda: patient.engine.change(change.id), lambda seen: seen.progress is not None or seen.state.ended
    )
    patient.modem.vanish()
    waiting = paused_for(patient, change, PauseReason.CARD)
    assert waiting.state is State.WAITING
    assert waiting.pause is not None
    assert waiting.pause.retry_at is not None  # At this time the download would end.
    assert (waiting.pause.retry_at - waiting.pause.since).total_seconds() > 3000
    patient.modem.come_back()
    patient.card.reset()
    patient.carry_out(Kind.REFRESH)
    assert patient.ended(change.id).state is State.DONE
    assert [str(profile.iccid) for profile in patient.card.profiles] == [FIRST]


def cut_off(lab: Lab, notes: Noting, **params: Any) -> Change:
    """Write a running download with these notes to the journal, start lpad, and return the ended change."""
    order = lab.order()
    lab.stop()
    journal = lab.journal()
    secrets = {"activation_code": lab.code(order)}
    change = journal.changes.add(CARD, DownloadParams(retry_for=3600, **params), secrets=secrets)
    journal.changes.save(change.run(), notes=notes)
    journal.close()
    lab.start()
    return lab.ended(change.id)


@pytest.mark.usefixtures("soon")
@pytest.mark.parametrize(
    "notes",
    [
        NOTHING,
        noting(Notes, sessions=1),
        noting(DownloadNotes, sessions=1, iccid=FIRST, held_before=False, last_number=-1),
    ],
)
def test_cut_off_before_the_card_answered(patient: Lab, notes: Noting) -> None:
    """A download that was cut off without a trace on the card is carried out with a new session."""
    change = cut_off(patient, notes)
    assert change.state is State.DONE, change.error
    assert [str(profile.iccid) for profile in patient.card.profiles] == [FIRST]


def test_cut_off_after_the_card_installed(patient: Lab) -> None:
    """If the profile was installed before the cut, it is not downloaded again, but enabled as requested."""
    patient.install()
    notes = noting(DownloadNotes, iccid=FIRST, held_before=False, last_number=-1, sessions=1)
    change = cut_off(patient, notes, enable=True)
    assert change.state is State.DONE
    assert change.result is not None
    assert result_of(change)["settled"] is True
    assert result_of(change)["enabled"] is True
    assert [profile.enabled for profile in patient.card.profiles] == [True]


def test_cut_off_after_the_card_refused(patient: Lab) -> None:
    """If the card's notifications show a permanent refusal of this download, it is not tried again."""
    patient.install()
    patient.carry_out(Kind.DELETE, iccid=FIRST)
    fault(patient, "handleNotification", FaultKind.DROP_BEFORE, times=9)
    fault(patient, GET, FaultKind.BPP_BIT_FLIP, 3)
    order = patient.order()
    refused = patient.carry_out(Kind.DOWNLOAD, secrets={"activation_code": patient.code(order)})
    assert refused.error is not None
    assert refused.error.kind == "card-refused"
    last = max(each.seq for each in installations(patient)) - 1
    notes = noting(DownloadNotes, iccid=FIRST, held_before=False, last_number=last, sessions=1)
    change = cut_off(patient, notes)
    assert change.error is not None
    assert change.error.kind == "card-refused"


@pytest.mark.usefixtures("soon")
def test_an_earlier_refusal_of_the_card_does_not_end_a_later_attempt(patient: Lab) -> None:
    """A refusal of an earlier download among the card's notifications does not end a later attempt."""
    fault(patient, "handleNotification", FaultKind.DROP_BEFORE, times=9)
    fault(patient, GET, FaultKind.BPP_BIT_FLIP, 3)
    order = patient.order()
    patient.carry_out(Kind.DOWNLOAD, secrets={"activation_code": patient.code(order)})
    last = max(each.seq for each in installations(patient))
    notes = noting(DownloadNotes, iccid=FIRST, held_before=False, last_number=last)
    change = cut_off(patient, notes)
    assert change.state is State.DONE, change.error


def test_a_download_that_ends_the_daemon_each_time_fails_in_the_end(patient: Lab) -> None:
    """A download is not resumed forever: after some restarts it fails, and reports this."""
    change = cut_off(patient, noting(Notes, restarts=10, sessions=1))
    assert change.state is State.FAILED
    assert change.error is not None
    assert change.error.details == {"interrupted": True}
    assert patient.card.profiles == ()


def test_stopped_in_the_middle(patient: Lab) -> None:
    """A download that is interrupted because lpad stops continues after the next start."""
    order = patient.order()
    secrets = {"activation_code": patient.code(order)}
    fault(patient, AUTHENTICATE, FaultKind.DELAY, 1)
    change = patient.submit(Kind.DOWNLOAD, secrets=secrets)
    patient.until(
        lambda: patient.engine.change(change.id),
        lambda seen: seen.step == AUTHENTICATE_STEP or seen.state.ended,
    )
    patient.stop()
    journal = patient.journal()
    left = journal.changes.get(change.id)
    journal.close()
    assert left.pause is not None
    assert left.pause.reason is PauseReason.RESTART
    patient.start()
    assert patient.ended(change.id).state is State.DONE


def test_without_a_clock_a_download_waits(patient: Lab) -> None:
    """While the clock is not set, a download waits with this reason; then it continues."""
    clock = Clock(unset_before=now().timestamp() + 3600)
    patient.environment = Environment(clock=clock)
    change = paused_for(patient, download(patient), PauseReason.TIME)
    assert change.state is State.WAITING
    assert change.pause is not None
    assert (change.pause.error.kind, change.pause.retry_at) == ("clock-not-set", None)
    clock._unset_before = 0.0
    clock._on_set()
    assert patient.ended(change.id).state is State.DONE


class UnconfirmedClock(Clock):
    """A clock that no time server has confirmed."""

    @property
    def synchronised(self) -> bool:
        return False


def test_an_expired_certificate_under_an_unconfirmed_clock_states_how_to_find_out(patient: Lab) -> None:
    """The error about a certificate's dates gives the clock's date, and asks the user to check it."""
    patient.environment = Environment(clock=UnconfirmedClock())
    patient.server.show(TlsIdentity.EXPIRED)
    change = paused_for(patient, download(patient), PauseReason.TIME)
    assert change.pause is not None
    assert change.pause.retry_at is not None
    sentence = change.pause.error.sentence
    assert f"{now():%Y-%m-%d}" in sentence
    assert "check that date" in sentence


def installations(lab: Lab) -> list[StoredNotification]:
    """Return the copies of the card's install notifications, once there is at least one."""
    return lab.until(
        lambda: [each for each in lab.engine.card(CARD).notifications() if each.event == "install"], bool
    )
