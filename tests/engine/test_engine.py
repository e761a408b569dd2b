"""Changes carried out on a simulated card, through a modem's port and a simulated SM-DP+."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from card.csim_line import open_csim_link
from engine.lab import CARD, FIRST, LONG, SECOND, Lab, result_of
from lpad.base.deadline import Deadline
from lpad.base.errors import CardUnreachable, Conflict, NotFound
from lpad.base.identifiers import Eid
from lpad.base.server_address import ServerAddress
from lpad.engine.change.change import Kind, QuestionKind, State
from lpad.engine.change.params import RefreshParams
from lpad.engine.operations.operations import OPERATIONS
from lpad.engine.running.change_question_answer import Answer
from lpad.engine.running.change_store import ChangeStore
from lpad.engine.snapshot.snapshot import CardState
from lpad.simulator.euicc.card import SoftCard
from lpad.simulator.euicc.chip.behaviour import CardBehaviour
from lpad.simulator.modem.pty_modem import PtyModem
from lpad.simulator.smdp.store.order import OrderState
from lpad.simulator.smdp.store.profile_metadata import Owner, ProfileMetadata, ProfilePolicyRule

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.card.link.link import Link
    from lpad.engine.change.change import Change
    from lpad.engine.change.results import Outcome
    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run
    from lpad.engine.snapshot.snapshot import Snapshot
    from lpad.simulator.pki.pki import Pki


def ready(lab: Lab) -> Snapshot:
    return lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.state is CardState.READY)


def good(change: Change) -> Change:
    assert change.error is None, change.error
    assert change.state is State.DONE
    return change


def failure(change: Change) -> str:
    assert change.error is not None, change
    return change.error.kind


def states(lab: Lab) -> dict[str, str | None]:
    return {profile.iccid: profile.state for profile in lab.engine.snapshot(CARD).profiles}


def test_a_card_is_read_when_the_engine_starts(lab: Lab) -> None:
    """EID, memory, addresses and the modem's IMEI are known without a request."""
    seen = ready(lab)
    assert seen.eid == str(lab.card.eid)
    assert seen.imei == "490154203237518"
    assert seen.info is not None
    assert seen.info.memory.free_non_volatile
    assert seen.addresses is not None
    assert seen.profiles == ()


def test_a_profile_is_downloaded_and_enabled(lab: Lab) -> None:
    """One change downloads a profile by its activation code, enables it, and delivers its notifications."""
    order = lab.order()
    change = good(lab.carry_out(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)}, enable=True))
    assert change.result is not None
    assert (result_of(change)["iccid"], result_of(change)["enabled"]) == (FIRST, True)
    assert states(lab) == {FIRST: "enabled"}
    assert lab.card.profiles[0].package == lab.server.orders.profile(order)
    lab.until(lambda: lab.engine.card(CARD).notifications(), lambda left: not left)
    events = [(each.event, each.verified) for each in lab.server.notifications]
    assert events == [("install", True), ("install", True), ("enable", True)]
    assert lab.card.notifications == ()


def test_a_download_makes_one_connection(lab: Lab) -> None:
    """The download and its notifications go over one TCP connection and one TLS handshake."""
    lab.install()
    assert (lab.server.counters.tcp_connects, lab.server.counters.tls_handshakes) == (1, 1)


def test_steps_and_bytes_are_reported(lab: Lab) -> None:
    """Listeners see each step and the bytes that the card has received, up to all of them."""
    subscription = lab.engine.subscribe(lambda: None)
    lab.install()
    events = subscription.take()
    sent = [event.data for event in events if event.type == "progress"]
    assert sent[-1]["sent"] == sent[-1]["total"]
    assert len(sent) > 3
    last = next(event for event in reversed(events) if event.type == "change")
    assert last.data["state"] == "done"


def test_verbs_are_idempotent(lab: Lab) -> None:
    """A repeated enable, disable, rename or default address is done, and reports that nothing has changed."""
    iccid = lab.install()
    verbs: tuple[tuple[Kind, dict[str, Any]], ...] = (
        (Kind.ENABLE, {}),
        (Kind.DISABLE, {}),
        (Kind.RENAME, {"nickname": "home"}),
        (Kind.SET_DEFAULT_SMDP, {"default_smdp": "smdp.example.com"}),
    )
    for kind, params in verbs:
        first = good(lab.carry_out(kind, iccid=iccid, **params))
        again = good(lab.carry_out(kind, iccid=iccid, **params))
        assert [each.result and result_of(each)["already"] for each in (first, again)] == [False, True]


def test_switching_disables_the_other_profile(lab: Lab) -> None:
    """After a switch the card reports the new profile enabled and the old one disabled."""
    first, second = lab.install(), lab.install(iccid=SECOND, name="Second")
    good(lab.carry_out(Kind.ENABLE, iccid=first))
    good(lab.carry_out(Kind.ENABLE, iccid=second))
    assert states(lab) == {first: "disabled", second: "enabled"}


def test_without_refresh_the_switch_is_verified_as_well(lab: Lab) -> None:
    """If lpad asks for no REFRESH, the card switches immediately; lpad reads it again to verify this."""
    lab.start(replace(lab.port, refresh=False))
    iccid = lab.install()
    good(lab.carry_out(Kind.ENABLE, iccid=iccid))
    assert states(lab) == {iccid: "enabled"}


def test_a_card_that_hides_its_profiles_during_the_switch(tmp_path: Path, pki: Pki) -> None:
    """During a switch, lpad waits while the card answers ProfileChangeOngoing."""
    with Lab(tmp_path, pki, behaviour=CardBehaviour(profiles_hidden_during_switch=True)) as lab:
        iccid = lab.install()
        good(lab.carry_out(Kind.ENABLE, iccid=iccid))
        assert states(lab) == {iccid: "enabled"}


def test_an_answer_lost_on_the_way_is_not_a_failure(lab: Lab) -> None:
    """If the answer to EnableProfile is lost, the card's state shows that the profile was enabled."""
    iccid = lab.install()
    lab.card.faults.corrupt(0xBF31, lambda _answer: 0x6F00)
    change = good(lab.carry_out(Kind.ENABLE, iccid=iccid))
    assert result_of(change) == {"iccid": iccid, "already": False}
    assert states(lab) == {iccid: "enabled"}


def test_a_switch_that_the_card_refuses(lab: Lab) -> None:
    """If the card refuses a switch, the change has the card's error code, and the snapshot the old state."""
    iccid = lab.install()
    lab.card.faults.refuse(0xBF31, 3)
    change = lab.carry_out(Kind.ENABLE, iccid=iccid)
    assert failure(change) == "card-refused"
    assert change.error is not None
    assert change.error.details["reason"] == "disallowedByPolicy"
    assert states(lab) == {iccid: "disabled"}


def test_an_enabled_profile_is_not_deleted(lab: Lab) -> None:
    """The deletion of an enabled profile fails; the error explains that it must be disabled first."""
    iccid = lab.install()
    good(lab.carry_out(Kind.ENABLE, iccid=iccid))
    change = lab.carry_out(Kind.DELETE, iccid=iccid)
    assert failure(change) == "conflict"
    assert change.error is not None
    assert "disable it" in change.error.sentence
    assert states(lab) == {iccid: "enabled"}


def test_a_profile_is_deleted(lab: Lab) -> None:
    """The profile is deleted, and the server gets the notification."""
    iccid = lab.install()
    good(lab.carry_out(Kind.DELETE, iccid=iccid))
    assert states(lab) == {}
    lab.until(lambda: lab.engine.card(CARD).notifications(), lambda left: not left)
    assert lab.server.notifications[-1].event == "delete"


def test_changes_of_a_missing_profile_are_not_found(lab: Lab) -> None:
    """Changes of a missing profile end with not-found, except a deletion with `missing_ok`."""
    for kind in (Kind.ENABLE, Kind.DISABLE, Kind.DELETE):
        assert failure(lab.carry_out(kind, iccid=FIRST)) == "not-found"
    assert failure(lab.carry_out(Kind.RENAME, iccid=FIRST, nickname="x")) == "not-found"
    change = good(lab.carry_out(Kind.DELETE, iccid=FIRST, missing_ok=True))
    assert result_of(change) == {"iccid": FIRST, "already": True}


def test_a_memory_reset_takes_enabled_profiles_too(lab: Lab) -> None:
    """A memory reset deletes all operational profiles, even enabled ones; a second one finds nothing."""
    iccid = lab.install()
    good(lab.carry_out(Kind.ENABLE, iccid=iccid))
    what: dict[str, Any] = {"operational_profiles": True, "test_profiles": False, "default_smdp": False}
    assert result_of(good(lab.carry_out(Kind.RESET, **what))) == {"already": False, "deleted": [iccid]}
    assert states(lab) == {}
    assert result_of(good(lab.carry_out(Kind.RESET, **what))) == {"already": True}


def test_the_default_smdp_of_the_card_is_used(lab: Lab) -> None:
    """A download without activation code goes to the address in the card, and finds the order by EID."""
    lab.order(eid=lab.card.eid)
    assert failure(lab.carry_out(Kind.DOWNLOAD, default=True)) == "conflict"
    good(lab.carry_out(Kind.SET_DEFAULT_SMDP, default_smdp=lab.server.address))
    change = good(lab.carry_out(Kind.DOWNLOAD, default=True))
    assert change.result is not None
    assert result_of(change)["iccid"] == FIRST


def test_the_settings_default_smdp_comes_first(lab: Lab) -> None:
    """A default SM-DP+ address in the settings replaces the one in the card."""
    lab.start(replace(lab.port, default_smdp=ServerAddress.parse(lab.server.address)))
    lab.order(eid=lab.card.eid)
    good(lab.carry_out(Kind.DOWNLOAD, default=True))


class TestQuestions:
    """Changes that wait for the caller."""

    def test_a_missing_confirmation_code_is_asked_for(self, lab: Lab) -> None:
        """A download without its confirmation code waits for the code, and then continues."""
        order = lab.order(confirmation_code="code-1234")
        change = lab.asked(lab.submit(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)}).id)
        assert change.question is not None
        assert change.question.kind is QuestionKind.CONFIRMATION_CODE
        assert not change.question.code_refused
        lab.engine.answer(change.id, Answer(confirmation_code="code-1234"))
        good(lab.ended(change.id))

    def test_a_refused_confirmation_code_is_asked_for_again(self, lab: Lab) -> None:
        """After a wrong code, lpad asks again with the reason; the next code is tried in a new session."""
        order = lab.order(confirmation_code="code-1234")
        secrets = {"activation_code": lab.code(order), "confirmation_code": "0000"}
        change = lab.asked(lab.submit(Kind.DOWNLOAD, secrets=secrets).id)
        assert change.question is not None
        assert change.question.code_refused
        lab.engine.answer(change.id, Answer(confirmation_code="code-1234"))
        good(lab.ended(change.id))

    def test_an_unanswered_change_fails(self, lab: Lab) -> None:
        """Once the time to answer has passed, the change fails; the order stays open for another attempt."""
        lab.patient(answer=0.05)
        order = lab.order(confirmation_code="code-1234")
        change = lab.carry_out(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)})
        assert failure(change) == "confirmation-code-required"
        secrets = {"activation_code": lab.code(order), "confirmation_code": "code-1234"}
        good(lab.carry_out(Kind.DOWNLOAD, secrets=secrets))

    def test_consent_shows_the_profile(self, lab: Lab) -> None:
        """A change with `confirm` waits with the profile's name and number."""
        order = lab.order()
        change = lab.asked(
            lab.submit(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)}, confirm=True).id
        )
        assert change.question is not None
        assert change.question.profile is not None
        assert (change.question.profile.iccid, change.question.profile.name) == (FIRST, "First")
        lab.engine.answer(change.id, Answer(decision="accept"))
        good(lab.ended(change.id))

    @pytest.mark.parametrize(
        ("decision", "state"), [("reject", OrderState.CANCELLED), ("postpone", OrderState.RELEASED)]
    )
    def test_declining(self, lab: Lab, decision: str, state: OrderState) -> None:
        """A rejected order ends, a postponed one stays open; the change's error is `declined` either way."""
        order = lab.order()
        change = lab.asked(
            lab.submit(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)}, confirm=True).id
        )
        lab.engine.answer(change.id, Answer(decision=decision))
        assert failure(lab.ended(change.id)) == "declined"
        assert lab.server.orders.get(order.id).state is state
        assert states(lab) == {}

    def test_policy_rules_need_consent_by_default(self, lab: Lab) -> None:
        """A profile that cannot be disabled or deleted is not installed without consent."""
        metadata = ProfileMetadata(
            iccid=FIRST, name="Locked", rules=(ProfilePolicyRule.PPR1,), owner=Owner("00101")
        )
        order = lab.order(metadata=metadata)
        change = lab.asked(lab.submit(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)}).id)
        assert change.question is not None
        assert change.question.kind is QuestionKind.CONSENT
        assert change.question.profile is not None
        assert change.question.profile.policy_rules == ("ppr1",)
        lab.engine.answer(change.id, Answer(decision="accept"))
        good(lab.ended(change.id))

    def test_answers_that_do_not_fit(self, lab: Lab) -> None:
        """An answer of the wrong kind, a second answer, and an answer to an ended change are conflicts."""
        order = lab.order()
        change = lab.asked(
            lab.submit(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)}, confirm=True).id
        )
        with pytest.raises(Conflict, match="consent"):
            lab.engine.answer(change.id, Answer(confirmation_code="1"))
        lab.engine.answer(change.id, Answer(decision="accept"))
        with pytest.raises(Conflict):
            lab.engine.answer(change.id, Answer(decision="accept"))
        lab.ended(change.id)
        with pytest.raises(Conflict):
            lab.engine.answer(change.id, Answer(decision="accept"))
        with pytest.raises(NotFound):
            lab.engine.answer(999, Answer(decision="accept"))

    def test_secrets_are_in_no_record_and_no_event(self, lab: Lab) -> None:
        """Neither the confirmation code nor the matching ID appears in the change's record or in an event."""
        subscription = lab.engine.subscribe(lambda: None)
        order = lab.order(confirmation_code="code-9137")
        secrets = {"activation_code": lab.code(order), "confirmation_code": "code-9137"}
        change = good(lab.carry_out(Kind.DOWNLOAD, secrets=secrets))
        told = repr([change, subscription.take()])
        assert order.matching_id not in told
        assert "code-9137" not in told


class TestCancelling:
    """Changes that are cancelled."""

    def test_a_queued_change_is_cancelled_immediately(self, lab: Lab) -> None:
        """A cancelled queued change never runs."""
        order = lab.order()
        first = lab.asked(
            lab.submit(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)}, confirm=True).id
        )
        second = lab.submit(Kind.REFRESH)
        assert lab.engine.cancel(second.id).state is State.CANCELLED
        lab.engine.answer(first.id, Answer(decision="accept"))
        good(lab.ended(first.id))
        assert lab.engine.change(second.id).started_at is None

    def test_an_answer_in_the_moment_in_which_the_card_is_left(
        self, lab: Lab, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """An answer counts even if it arrives while the download gives up its session for another change."""
        code = lab.code(lab.order())
        first = lab.asked(lab.submit(Kind.DOWNLOAD, secrets={"activation_code": code}, confirm=True).id)
        answering = threading.Thread(target=lab.engine.answer, args=(first.id, Answer(decision="accept")))
        show = ChangeStore.show

        def showing(store: ChangeStore, change: Change, **more: Any) -> Change:
            leaves = change.id == first.id and change.steps and change.steps[-1].name == "cancel-session"
            if leaves and answering.ident is None:
                answering.start()
                answering.join(0.5)  # The answer arrives if no lock prevents it.
            return show(store, change, **more)

        monkeypatch.setattr(ChangeStore, "show", showing)
        lab.submit(Kind.REFRESH)
        good(lab.ended(first.id))
        assert answering.ident is not None
        answering.join()

    def test_a_waiting_change_is_cancelled_and_the_session_too(self, lab: Lab) -> None:
        """If a waiting change is cancelled, the server is informed, and its order can be downloaded again."""
        order = lab.order()
        secrets = {"activation_code": lab.code(order)}
        change = lab.asked(lab.submit(Kind.DOWNLOAD, secrets=secrets, confirm=True).id)
        lab.engine.cancel(change.id)
        ended = lab.ended(change.id)
        assert (ended.state, failure(ended)) == (State.CANCELLED, "cancelled")
        lab.until_true(lambda: lab.server.counters.requests["cancelSession"] == 1)
        assert states(lab) == {}
        with pytest.raises(Conflict):
            lab.engine.cancel(change.id)

    def test_a_change_is_cancelled_between_two_segments(self, lab: Lab) -> None:
        """A download that is cancelled between two segments installs no profile; the next download works."""
        order = lab.order(size=60_000)
        secrets = {"activation_code": lab.code(order)}
        change = lab.submit(Kind.DOWNLOAD, secrets=secrets)
        lab.until(lambda: lab.engine.change(change.id), lambda c: c.progress is not None or c.state.ended)
        lab.engine.cancel(change.id)
        assert lab.ended(change.id).state is State.CANCELLED
        assert states(lab) == {}
        good(lab.carry_out(Kind.DOWNLOAD, secrets={"activation_code": lab.code(lab.order(iccid=SECOND))}))
        assert states(lab) == {SECOND: "disabled"}

    def test_stopping_does_not_wait_for_an_answer(self, lab: Lab) -> None:
        """SIGTERM ends the sessions with card and server; after a restart the change continues to wait."""
        order = lab.order()
        change = lab.asked(
            lab.submit(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)}, confirm=True).id
        )
        lab.stop()
        assert lab.card.open_channels == ()
        lab.start()
        again = lab.engine.change(change.id)
        assert (again.state, again.question and again.question.kind) == (State.WAITING, QuestionKind.CONSENT)
        lab.engine.answer(change.id, Answer(decision="accept"))
        good(lab.ended(change.id))

    def test_a_queued_change_survives_a_restart(self, lab: Lab) -> None:
        """A change that never ran is carried out after the next start, with its secrets."""
        order = lab.order(iccid=SECOND, name="Second")
        lab.engine  # noqa: B018 - starts it
        blocking = lab.order()
        waiting = lab.asked(
            lab.submit(Kind.DOWNLOAD, secrets={"activation_code": lab.code(blocking)}, confirm=True).id
        )
        queued = lab.submit(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)})
        lab.stop()
        lab.start()
        good(lab.ended(queued.id))
        assert lab.engine.change(waiting.id).state is State.WAITING
        assert states(lab) == {SECOND: "disabled"}


class TestAbsence:
    """Cards that are absent."""

    def test_an_absent_card_is_a_state(self, lab: Lab) -> None:
        """If a card is absent, its state has the reason, and a change fails with the same error."""
        lab.modem.vanish()
        lab.start()
        seen = lab.until(lambda: lab.engine.snapshot(CARD), lambda s: s.state is CardState.ABSENT)
        assert seen.error is not None
        assert seen.error.kind == "card-unreachable"
        change = lab.carry_out(Kind.REFRESH)
        assert failure(change) == "card-unreachable"
        assert change.error is not None
        assert change.error.retryable

    def test_the_next_change_finds_a_card_that_came_back(self, lab: Lab) -> None:
        """If an absent card is back, the next change uses it without waiting for the next check."""
        lab.modem.vanish()
        lab.start()
        lab.until(lambda: lab.engine.snapshot(CARD), lambda s: s.state is CardState.ABSENT)
        lab.modem.come_back()
        good(lab.carry_out(Kind.REFRESH))
        assert ready(lab).eid == str(lab.card.eid)

    def test_a_port_that_goes_away_during_a_change(self, lab: Lab) -> None:
        """If the port disappears during a change, the change fails; once the port is back, the next works."""
        iccid = lab.install()
        lab.modem.once("AT+CSIM", vanish=True)
        assert failure(lab.carry_out(Kind.ENABLE, iccid=iccid)) == "card-unreachable"
        assert lab.engine.snapshot(CARD).state is CardState.ABSENT
        lab.modem.come_back()
        good(lab.carry_out(Kind.ENABLE, iccid=iccid))

    def test_the_worker_survives_unexpected_errors(self, lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
        """An unexpected exception is an internal error of its change, and the next change works."""

        def enable(_run: Run, _context: Context) -> Outcome:
            raise KeyError("iccid")

        monkeypatch.setitem(OPERATIONS, Kind.ENABLE, enable)
        lab.engine  # noqa: B018 - starts it
        ready(lab)
        change = lab.carry_out(Kind.ENABLE, iccid=FIRST)
        assert failure(change) == "internal-error"
        good(lab.carry_out(Kind.REFRESH))
        assert lab.engine.healthy

    def test_opening_may_fail_in_any_way(self, lab: Lab) -> None:
        """Whatever error a link raises when it is opened, the engine continues to work."""
        attempts = []

        def open_link(_deadline: Deadline) -> Link:
            attempts.append(1)
            if len(attempts) == 1:
                raise ValueError("an unexpected error")
            if len(attempts) == 2:
                raise CardUnreachable("no port")
            return open_csim_link(str(lab.folder / "tty"))

        lab.start(replace(lab.port, open_link=open_link))
        seen = lab.until(lambda: lab.engine.snapshot(CARD), lambda s: s.state is CardState.FAULTY)
        assert seen.error is not None
        assert seen.error.kind == "internal-error"
        assert failure(lab.carry_out(Kind.REFRESH)) == "card-unreachable"
        good(lab.carry_out(Kind.REFRESH))


def test_two_cards_work_in_parallel(lab: Lab, tmp_path: Path) -> None:
    """While one card's change waits, the other card's is carried out."""
    with (
        SoftCard(tmp_path / "other", pki=lab.pki, eid=Eid.parse("89049032123451234512345678901300")) as card,
        PtyModem(card, path=tmp_path / "other-tty"),
    ):
        path = str(tmp_path / "other-tty")
        other = replace(lab.port, name="other", open_link=lambda _deadline: open_csim_link(path))
        lab.start(lab.port, other)
        order = lab.order()
        waiting = lab.asked(
            lab.submit(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)}, confirm=True).id
        )
        good(lab.ended(lab.engine.submit("other", RefreshParams()).change.id))
        lab.engine.answer(waiting.id, Answer(decision="accept"))
        good(lab.ended(waiting.id))
        assert [each.name for each in lab.engine.snapshots()] == [CARD, "other"]
        lab.stop()


def test_an_unknown_card(lab: Lab) -> None:
    """A card that the settings do not name is not found, and the error lists the cards that they name."""
    with pytest.raises(NotFound, match=CARD):
        lab.engine.snapshot("nix")
    with pytest.raises(NotFound):
        lab.engine.submit("nix", RefreshParams())


def test_icons_are_kept(lab: Lab) -> None:
    """A profile's icon is available after the download, and is read from the card after a restart."""
    picture = b"\x89PNG\r\n\x1a\n" + bytes(200)
    lab.install(metadata=ProfileMetadata(iccid=FIRST, name="First", icon=picture))
    assert lab.engine.card(CARD).icon(FIRST).data == picture
    lab.stop()
    lab.start()
    ready(lab)
    assert lab.engine.card(CARD).icon(FIRST).media_type == "image/png"
    with pytest.raises(NotFound):
        lab.engine.card(CARD).icon(SECOND)


def test_stopping_is_quick_while_idle(lab: Lab) -> None:
    """An idle engine stops within its deadline, and all its threads have ended."""
    ready(lab)
    lab.engine.stop(deadline=Deadline.after(LONG))
    assert not lab.engine.healthy
