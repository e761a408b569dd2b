"""After a restart, the card's state determines how each change that was cut off ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from engine.lab import CARD, FIRST, SECOND, Lab, params_of, result_of
from engine.networking import Spy, networking
from lpad.engine.change.change import Change, Kind, Question, QuestionKind, State, now
from lpad.engine.change.notes import (
    NOTHING,
    DownloadNotes,
    DropNotes,
    NotedLimit,
    Notes,
    Noting,
    ProfileNotes,
    ResetNotes,
    noting,
)
from lpad.engine.change.params import DisableParams, DownloadParams
from lpad.engine.change.steady_clock import Moment
from lpad.engine.change.time_limit import TimeLimit
from lpad.engine.policy.network_policy import NetworkPolicy
from lpad.engine.recovery import interrupted_changes
from lpad.engine.running.change_question_answer import Answer
from lpad.network.owner_hooks import Hooks
from lpad.simulator.smdp.functions.faults import Fault, FaultKind
from network.runner_bench import runner

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki

GONE = "8900101000000000090"


def cut_off(
    lab: Lab,
    kind: Kind,
    *,
    notes: Noting = NOTHING,
    at: Callable[[Change], Change] = Change.run,
    **params: Any,
) -> Change:
    """Store a change as a killed daemon leaves it, start lpad again, and return the settled change."""
    lab.stop()
    journal = lab.journal()
    change = journal.changes.add(CARD, params_of(kind, **params), secrets={})
    journal.changes.save(at(change), notes=notes)
    journal.close()
    lab.start()
    return lab.ended(change.id)


def was_interrupted(change: Change) -> bool:
    return (
        change.state is State.FAILED
        and change.error is not None
        and change.error.retryable
        and change.error.details == {"interrupted": True}
    )


@pytest.mark.parametrize(
    ("wanted", "found", "done"),
    [
        (Kind.ENABLE, Kind.ENABLE, True),
        (Kind.ENABLE, None, False),
        (Kind.DISABLE, None, True),
        (Kind.DISABLE, Kind.ENABLE, False),
    ],
)
def test_a_switch_is_settled_by_the_cards_state(
    lab: Lab, wanted: Kind, found: Kind | None, *, done: bool
) -> None:
    """A switch is done if the card is in the wanted state, and failed if it is not."""
    iccid = lab.install()
    if found is not None:
        lab.carry_out(found, iccid=iccid)
    change = cut_off(lab, wanted, iccid=iccid, notes=noting(ProfileNotes, iccid=iccid))
    assert (change.state is State.DONE) is done
    assert was_interrupted(change) is not done


def test_a_deletion_is_settled_by_the_cards_profiles(lab: Lab) -> None:
    """After a cut, a deletion is done if the profile is gone, and has failed if it is still on the card."""
    iccid = lab.install()
    assert was_interrupted(cut_off(lab, Kind.DELETE, iccid=iccid))
    assert cut_off(lab, Kind.DELETE, iccid="8900101000000000090").state is State.DONE


@pytest.mark.parametrize(
    ("kind", "notes", "params"),
    [
        (Kind.DELETE, noting(ProfileNotes, iccid=GONE), {"iccid": GONE}),
        (Kind.RESET, noting(ResetNotes, reset=True, iccids=(GONE,)), {"test_profiles": True}),
    ],
)
def test_a_deleted_profile_is_forgotten(
    tmp_path: Path, pki: Pki, kind: Kind, notes: Noting, params: dict[str, Any]
) -> None:
    """If a cut follows the deletion, the applier and the hooks are notified at the next start."""
    out = tmp_path / "out"
    (tmp_path / "runner").mkdir()
    spy = Spy()
    with runner(tmp_path / "runner") as serving:
        serving.script(serving.hooks / "10-tells", f'echo "$LPAD_EVENT $LPAD_ICCID" >> {out}')
        with networking(tmp_path, pki, spy, hooks=Hooks(serving.client)) as lab:
            change = cut_off(lab, kind, notes=notes, **params)
            assert change.state is State.DONE
            assert result_of(change)["settled"]
            assert spy.asked == [("forget", GONE)]
    assert out.read_text(encoding="utf-8") == f"deleted {GONE}\n"


def test_a_profile_that_is_still_there_is_not_forgotten(tmp_path: Path, pki: Pki) -> None:
    """A deletion that the card has not carried out is reported to no program."""
    spy = Spy()
    with networking(tmp_path, pki, spy) as lab:
        assert was_interrupted(
            cut_off(lab, Kind.DELETE, iccid=SECOND, notes=noting(ProfileNotes, iccid=SECOND))
        )
        assert spy.asked == []


def test_the_end_of_lpad_does_not_hide_a_deletion(tmp_path: Path, pki: Pki) -> None:
    """A hook that is killed with lpad is notified of the deletion again at the next start."""
    out = tmp_path / "out"
    (tmp_path / "runner").mkdir()
    with runner(tmp_path / "runner") as serving:
        hook = serving.script(serving.hooks / "10-hangs", f"touch {out}.began; sleep 600")
        with networking(tmp_path, pki, Spy(), hooks=Hooks(serving.client), limit=600) as lab:
            change = lab.submit(Kind.DELETE, iccid=SECOND)
            lab.until_true(out.with_name("out.began").exists)
            lab.stop()
            serving.script(hook, f'echo "$LPAD_EVENT $LPAD_ICCID" >> {out}')
            lab.start()
            assert lab.ended(change.id).state is State.DONE
    assert out.read_text(encoding="utf-8") == f"deleted {SECOND}\n"


def test_hooks_hear_of_a_download_that_arrived(tmp_path: Path, pki: Pki) -> None:
    """If a cut follows the installation, the hooks are notified at the next start."""
    out = tmp_path / "out"
    (tmp_path / "runner").mkdir()
    with runner(tmp_path / "runner") as serving:
        serving.script(serving.hooks / "10-tells", f'echo "$LPAD_EVENT $LPAD_ICCID" >> {out}')
        with networking(tmp_path, pki, Spy(), hooks=Hooks(serving.client)) as lab:
            notes = noting(DownloadNotes, iccid=SECOND, held_before=False)
            assert cut_off(lab, Kind.DOWNLOAD, notes=notes, enable=False).state is State.DONE
    assert out.read_text(encoding="utf-8") == f"downloaded {SECOND}\n"


def test_a_nickname_is_settled_by_the_cards(lab: Lab) -> None:
    """An interrupted rename is settled by the nickname on the card."""
    iccid = lab.install()
    assert was_interrupted(cut_off(lab, Kind.RENAME, iccid=iccid, nickname="home"))
    lab.carry_out(Kind.RENAME, iccid=iccid, nickname="home")
    assert cut_off(lab, Kind.RENAME, iccid=iccid, nickname="home").state is State.DONE


def test_an_address_is_settled_by_the_cards(lab: Lab) -> None:
    """An interrupted change of the default SM-DP+ address is settled by the address on the card."""
    assert was_interrupted(cut_off(lab, Kind.SET_DEFAULT_SMDP, default_smdp="a.example.com"))
    lab.carry_out(Kind.SET_DEFAULT_SMDP, default_smdp="a.example.com")
    assert cut_off(lab, Kind.SET_DEFAULT_SMDP, default_smdp="a.example.com").state is State.DONE


def test_a_reset_is_settled_by_the_remaining_profiles(lab: Lab) -> None:
    """A reset is done if it had begun and none of its profiles is left."""
    what: dict[str, Any] = {"operational_profiles": True, "test_profiles": False, "default_smdp": False}
    assert cut_off(lab, Kind.RESET, notes=noting(ResetNotes, reset=True), **what).state is State.DONE
    assert was_interrupted(cut_off(lab, Kind.RESET, **what))
    lab.install()
    assert was_interrupted(cut_off(lab, Kind.RESET, notes=noting(ResetNotes, reset=True), **what))


def test_a_download_that_arrived(lab: Lab) -> None:
    """An interrupted download is done if its profile is on the card and was not there before."""
    iccid = lab.install()
    notes = noting(DownloadNotes, iccid=iccid, held_before=False)
    change = cut_off(lab, Kind.DOWNLOAD, notes=notes, enable=False)
    assert change.state is State.DONE
    assert change.result is not None
    assert (result_of(change)["iccid"], result_of(change)["settled"]) == (iccid, True)


def test_a_download_that_arrived_but_was_not_enabled(lab: Lab) -> None:
    """If the profile arrived but was not enabled, the change fails; the error states what is left to do."""
    iccid = lab.install()
    change = cut_off(
        lab, Kind.DOWNLOAD, notes=noting(DownloadNotes, iccid=iccid, held_before=False), enable=True
    )
    assert change.state is State.FAILED
    assert change.error is not None
    assert change.error.details == {"interrupted": True, "installed": iccid}
    assert change.error.sentence.endswith("is installed, but not enabled; enable it")


@pytest.mark.parametrize("announced", [False, True])
def test_the_hooks_hear_of_each_installed_profile_once(lab: Lab, *, announced: bool) -> None:
    """Hooks are notified of an installed profile once, even if its change fails as it is not enabled."""
    iccid = lab.install()
    (lab.folder / "runner").mkdir()
    with runner(lab.folder / "runner") as serving:
        out = lab.folder / "out"
        serving.script(serving.hooks / "10-tells", f'echo "$LPAD_EVENT $LPAD_ICCID" >> {out}')
        lab._ports = (replace(lab.port, network=NetworkPolicy(hooks=Hooks(serving.client))),)
        notes = noting(DownloadNotes, iccid=iccid, held_before=False, announced=announced)
        change = cut_off(lab, Kind.DOWNLOAD, notes=notes, enable=True)
        assert change.error is not None
        assert change.error.details == {"interrupted": True, "installed": iccid}
        heard = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
        assert heard == ([] if announced else [f"downloaded {iccid}"])


def test_a_download_that_did_not_arrive(lab: Lab) -> None:
    """An interrupted download whose profile is not on the card fails, and can be requested again."""
    assert was_interrupted(
        cut_off(lab, Kind.DOWNLOAD, notes=noting(DownloadNotes, iccid=FIRST, held_before=False))
    )
    assert was_interrupted(cut_off(lab, Kind.DOWNLOAD))


def test_a_download_that_the_card_refused(lab: Lab) -> None:
    """If the card refused an interrupted download, the error has the reason in the card's result."""
    lab.install()
    lab.carry_out(Kind.DELETE, iccid=FIRST)
    lab.server.faults.add(Fault(function="handleNotification", kind=FaultKind.DROP_BEFORE, times=9))
    lab.server.faults.add(Fault(function="getBoundProfilePackage", kind=FaultKind.BPP_BIT_FLIP, value=3))
    order = lab.order()
    lab.carry_out(Kind.DOWNLOAD, secrets={"activation_code": lab.code(order)})
    change = cut_off(lab, Kind.DOWNLOAD, notes=noting(DownloadNotes, iccid=FIRST, held_before=False))
    assert change.error is not None
    assert change.error.kind == "card-refused"


def test_a_notification_that_was_being_dropped(lab: Lab) -> None:
    """A notification counts as dropped if its removal was requested and the outbox no longer has it."""
    asked = noting(DropNotes, eid=str(lab.card.eid))
    done = cut_off(lab, Kind.DROP_NOTIFICATION, seq=7, notes=asked)
    assert done.state is State.DONE
    assert (result_of(done)["seq"], result_of(done)["settled"]) == (7, True)
    assert was_interrupted(cut_off(lab, Kind.DROP_NOTIFICATION, seq=7))


def test_an_unanswered_question(lab: Lab) -> None:
    """A change whose time to answer has passed before lpad's restart ends as unanswered."""
    question = Question(kind=QuestionKind.CONSENT, until=now())
    change = cut_off(lab, Kind.DOWNLOAD, at=lambda change: change.run().wait(question))
    assert change.error is not None
    assert (change.error.kind, change.error.details) == ("declined", {"decision": "timeout"})


def test_a_question_of_an_earlier_release(lab: Lab) -> None:
    """A change that waited when an earlier release ended continues waiting, without its sessions."""
    secrets = {"activation_code": lab.code(lab.order())}
    asked = lab.asked(lab.submit(Kind.DOWNLOAD, secrets=secrets, confirm=True).id)
    lab.stop()
    journal = lab.journal()
    with journal.changes._database.writing() as db:  # The earlier release stored no other notes.
        db.execute("DELETE FROM changes")
    before = journal.changes.add(CARD, DownloadParams(confirm=True), secrets=secrets)
    journal.changes.save(replace(asked, id=before.id), notes=noting(Notes, sessions=1))
    journal.close()
    lab.start()
    assert lab.carry_out(Kind.REFRESH).state is State.DONE  # The card is free for other changes.
    waiting = lab.engine.change(before.id)
    assert (waiting.state, waiting.question is not None) == (State.WAITING, True)
    lab.engine.answer(before.id, Answer(decision="accept"))
    assert lab.asked(before.id).state is State.DONE


def test_settling_waits_for_the_card(lab: Lab) -> None:
    """While the card is absent the result is unknown; when the card is back, the change is settled."""
    iccid = lab.install()
    lab.stop()
    lab.modem.vanish()
    journal = lab.journal()
    change = journal.changes.add(CARD, DisableParams(iccid=iccid), secrets={})
    journal.changes.save(change.run(), notes=noting(ProfileNotes, iccid=iccid))
    journal.close()
    lab.start()
    lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.error is not None)
    assert lab.engine.change(change.id).state is State.RUNNING
    lab.modem.come_back()
    lab.carry_out(Kind.REFRESH)
    assert lab.engine.change(change.id).state is State.DONE


def killed_without_card(lab: Lab, kind: Kind, **params: Any) -> Change:
    """Have lpad killed while a change runs, and started again without its card; return the change."""
    lab.stop()
    lab.modem.vanish()
    journal = lab.journal()
    change = journal.changes.add(CARD, params_of(kind, **params), secrets={})
    journal.changes.save(change.run(), notes=NOTHING)
    journal.close()
    lab.start()
    lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.error is not None)
    return change


@pytest.mark.parametrize("again", [False, True])
def test_settling_waits_for_so_long_and_no_longer(lab: Lab, *, again: bool) -> None:
    """After a limited wait, the change ends with an unknown result; a restart does not begin a new wait."""
    iccid = lab.install()
    lab.patient(absence=3)
    change = killed_without_card(lab, Kind.DISABLE, iccid=iccid)
    assert lab.engine.change(change.id).state is State.RUNNING
    if again:
        lab.patient(absence=3600)
        lab.stop()
        lab.start()
    ended = lab.ended(change.id)
    assert ended.error is not None
    assert ended.error.kind == "card-unreachable"
    assert ended.error.details == {"interrupted": True, "outcome": "unknown"}
    lab.modem.come_back()
    assert lab.carry_out(Kind.REFRESH).state is State.DONE


def test_a_card_is_given_time_to_start_after_a_long_night(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the device was off beyond the limit, lpad still gives its modem time to start."""
    monkeypatch.setattr(interrupted_changes, "STARTING", 20.0)
    iccid = lab.install()
    lab.patient(absence=3)
    change = killed_without_card(lab, Kind.DISABLE, iccid=iccid)
    lab.stop()  # The limit passes while lpad is stopped.
    lab.until_true(lambda: TimeLimit.read(_noted(lab, change)).left(Moment.now()) == 0)
    lab.start()
    lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.error is not None)
    lab.modem.come_back()
    assert lab.carry_out(Kind.REFRESH).state is State.DONE
    assert lab.engine.change(change.id).state is State.DONE


def test_a_download_is_waited_for_as_long_as_it_is_tried(lab: Lab) -> None:
    """A download that may be retried for longer is not ended by the wait for an absent card."""
    lab.patient(absence=0.2)
    lab.stop()
    code = lab.code(lab.order())
    lab.modem.vanish()
    journal = lab.journal()
    changes = [
        journal.changes.add(CARD, params, secrets={"activation_code": code})
        for params in (DownloadParams(retry_for=3600), DownloadParams(when_online=True))
    ]
    for change in changes:
        journal.changes.save(change.run())
    journal.close()
    lab.start()
    lab.until(lambda: lab.engine.snapshot(CARD), lambda seen: seen.error is not None)
    other = killed_without_card(lab, Kind.REFRESH)
    assert lab.ended(other.id).state is State.FAILED
    assert [lab.engine.change(change.id).state for change in changes] == [State.RUNNING, State.RUNNING]
    lab.modem.come_back()
    assert lab.carry_out(Kind.REFRESH).state is State.DONE
    assert lab.ended(changes[0].id).state is State.DONE


def _noted(lab: Lab, change: Change) -> NotedLimit:
    journal = lab.journal()
    noted = journal.changes.private(change).notes.absence_at_start
    journal.close()
    assert noted is not None
    return noted


def test_reading_and_delivering_need_no_settling(lab: Lab) -> None:
    """A refresh that was cut off is completed by the start itself; a delivery can be requested again."""
    assert cut_off(lab, Kind.REFRESH).state is State.DONE
    assert was_interrupted(cut_off(lab, Kind.DELIVER_NOTIFICATIONS))
    assert was_interrupted(cut_off(lab, Kind.PROBE))
    assert was_interrupted(cut_off(lab, Kind.CHECK_TRUST, address="smdp.example.com"))
