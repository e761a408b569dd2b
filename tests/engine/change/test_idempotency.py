"""Requests that are sent twice."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from engine.holding import held
from engine.lab import CARD
from lpad.base.errors import KeyReused, TooManyChanges
from lpad.engine.change.change import Kind, State
from lpad.engine.change.idempotency import IdempotencyKey
from lpad.engine.change.params import DownloadParams, RefreshParams
from lpad.engine.journal import idempotency_keys
from lpad.engine.running.change_question_answer import Answer
from lpad.engine.worker.queue.queue_shares import PLACES

if TYPE_CHECKING:
    from engine.lab import Lab

MOST_KEYS = 30
"""A limit that replaces lpad's own, because each key is a write to the disk."""


def key(name: str, *, uid: int = 0, request: bytes = b"r") -> IdempotencyKey:
    return IdempotencyKey.of(uid, name, request=request)


def test_the_same_key_leads_to_the_same_change(lab: Lab) -> None:
    """The same key of the same caller leads to the same change, while it is in progress and after its end."""
    first = lab.engine.submit(CARD, RefreshParams(), key=key("a"))
    again = lab.engine.submit(CARD, RefreshParams(), key=key("a"))
    assert (first.repeated, again.repeated, again.change.id) == (False, True, first.change.id)
    lab.ended(first.change.id)
    again = lab.engine.submit(CARD, RefreshParams(), key=key("a"))
    assert (again.change.id, again.change.state) == (first.change.id, State.DONE)
    others = lab.engine.submit(CARD, RefreshParams(), key=key("a", uid=1))
    assert not others.repeated
    with pytest.raises(KeyReused) as caught:
        lab.engine.submit(CARD, RefreshParams(), key=key("a", request=b"other"))
    assert caught.value.details == {"change": first.change.id}


def test_a_key_survives_a_restart(lab: Lab) -> None:
    """The journal keeps a request's key with its change, so that it outlasts a restart."""
    first = lab.engine.submit(CARD, RefreshParams(), key=key("a"))
    lab.ended(first.change.id)
    lab.stop()
    again = lab.engine.submit(CARD, RefreshParams(), key=key("a"))
    assert (again.repeated, again.change.id) == (True, first.change.id)


def test_one_key_from_many_threads_is_one_change(lab: Lab) -> None:
    """The same request from many threads at the same time starts one change."""
    found: list[int] = []

    def submit() -> None:
        found.append(lab.engine.submit(CARD, RefreshParams(), key=key("a")).change.id)

    threads = [threading.Thread(target=submit) for _ in range(20)]
    lab.engine  # noqa: B018 - started before the race
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 20
    assert len(set(found)) == 1


def test_an_answer_is_taken_once(lab: Lab) -> None:
    """An answer that is repeated with the same key, as after a lost response, is not a conflict."""
    secrets = {"activation_code": lab.code(lab.order())}
    change = lab.submit(Kind.DOWNLOAD, secrets=secrets, confirm=True)
    lab.asked(change.id)
    first = lab.engine.answer(change.id, Answer(decision="accept"), key=key("a"))
    again = lab.engine.answer(change.id, Answer(decision="accept"), key=key("a"))
    assert (first.repeated, again.repeated) == (False, True)
    assert lab.ended(change.id).state is State.DONE
    assert lab.engine.answer(change.id, Answer(decision="accept"), key=key("a")).repeated


def test_a_download_under_way_is_not_begun_twice(lab: Lab) -> None:
    """A download requested again with the same content leads to the same change until that has ended."""
    secrets = {"activation_code": lab.code(lab.order())}
    first = lab.submit(Kind.DOWNLOAD, secrets=secrets, confirm=True)
    lab.asked(first.id)
    assert lab.submit(Kind.DOWNLOAD, secrets=secrets, confirm=True).id == first.id
    other = lab.submit(Kind.DOWNLOAD, secrets=secrets, confirm=False)
    assert other.id != first.id
    others_code = lab.submit(Kind.DOWNLOAD, secrets=secrets | {"confirmation_code": "1"}, confirm=True)
    assert others_code.id not in (first.id, other.id)
    lab.engine.answer(first.id, Answer(decision="postpone"))
    lab.ended(first.id)
    assert lab.submit(Kind.DOWNLOAD, secrets=secrets, confirm=True).id > others_code.id


def test_a_request_after_a_cancellation_gets_a_new_change(lab: Lab) -> None:
    """A caller that cancels and asks again gets a new change."""
    secrets = {"activation_code": lab.code(lab.order())}
    first = lab.submit(Kind.DOWNLOAD, secrets=secrets, confirm=True)
    lab.asked(first.id)
    lab.engine.cancel(first.id)
    second = lab.submit(Kind.DOWNLOAD, secrets=secrets, confirm=True)
    assert second.id != first.id
    lab.asked(second.id)
    lab.engine.answer(second.id, Answer(decision="accept"))
    assert lab.ended(second.id).state is State.DONE


def test_other_changes_may_be_asked_for_twice(lab: Lab) -> None:
    """Only downloads are recognised by their content: the same switch, requested twice, is two changes."""
    first = lab.submit(Kind.ENABLE, iccid="8900101000000000017")
    assert lab.submit(Kind.ENABLE, iccid="8900101000000000017").id != first.id


def test_the_queue_and_the_keys_have_an_end(lab: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full queue refuses further changes, and a change refuses further keys; repetitions are accepted."""
    monkeypatch.setattr(idempotency_keys, "MOST_KEYS", MOST_KEYS)
    secrets = {"activation_code": lab.code(lab.order())}
    with held(lab):
        first = lab.submit(Kind.DOWNLOAD, secrets=secrets, confirm=True)
        kept = lab.engine.submit(CARD, RefreshParams(), key=key("kept")).change
        for _ in range(PLACES // 2 - 2):
            lab.submit(Kind.REFRESH)
        with pytest.raises(TooManyChanges):
            lab.submit(Kind.REFRESH)
        assert lab.engine.submit(CARD, RefreshParams(), key=key("kept")).change.id == kept.id
    lab.asked(first.id)
    params = DownloadParams(confirm=True)
    for number in range(MOST_KEYS):
        asked = lab.engine.submit(CARD, params, secrets=secrets, key=key(str(number)))
        assert asked.change.id == first.id
    with pytest.raises(TooManyChanges):
        lab.engine.submit(CARD, params, secrets=secrets, key=key("beyond"))
    lab.engine.cancel(first.id)
