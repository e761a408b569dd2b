"""The known events: which of them are wanted, their results, and how long lpad remembers them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from msgspec.structs import replace
from msgspec.structs import replace as other

from lpad.base.errors import Declined, PolicyRefused, ServerUnreachable
from lpad.base.server_address import ServerAddress
from lpad.codec.es11_event_entries import EventEntry
from lpad.engine.change.change import Change, Failure, Kind, State, now
from lpad.engine.change.params import DownloadParams, EventParams
from lpad.engine.change.results import DownloadResult
from lpad.engine.change.steady_clock import EARLIEST, Moment
from lpad.engine.discovery.smds_event_states import (
    MOST_ATTEMPTS,
    MOST_EVENTS,
    REMEMBERED,
    EventState,
    KnownEvent,
    after_discovery,
    after_downloads,
    next_wanted,
    to_enable,
)
from lpad.engine.discovery.smds_event_store import EventStore
from lpad.engine.journal import Journal
from lpad.lpa.discovery import AskedServer, Discovered, FoundEvent

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.base.errors import LpadError

SMDS, SMDP = ServerAddress("smds.example.com"), ServerAddress("smdp.example.com")
ICCID = "8900101000000000017"
START = Moment(wall=EARLIEST, boot=0, boot_id="", steady=EARLIEST + 1000)
DAY = 86_400.0


def later(seconds: float) -> Moment:
    return replace(START, steady=START.steady + seconds)


def found(*event_ids: str, forbidden: bool = False, error: LpadError | None = None) -> Discovered:
    refused = PolicyRefused("the settings do not allow it", rule="servers") if forbidden else None
    events = tuple(FoundEvent(EventEntry(each, SMDP), SMDS, refused) for each in event_ids)
    return Discovered((AskedServer(SMDS, events=len(events), error=error),), events, 0)


def listed(
    *event_ids: str, known: tuple[KnownEvent, ...] = (), install: bool = True, at: Moment = START
) -> tuple[KnownEvent, ...]:
    return after_discovery(known, found(*event_ids), discovery=7, install=install, at=at)


def download(event_id: str, state: State, *, number: int = 8, **details: object) -> Change:
    event = EventParams(server=str(SMDP), event_id=event_id)
    change = Change(
        id=number,
        euicc="modem",
        kind=Kind.DOWNLOAD,
        params=DownloadParams(event=event),
        state=state,
        created_at=now(),
    )
    return replace(change, **details)


def failed(error: LpadError, **details: object) -> dict[str, Any]:
    error.details.update(details)  # type: ignore[typeddict-item]  # a test's own
    return {"error": Failure.of(error)}


def states(known: tuple[KnownEvent, ...]) -> dict[str, EventState]:
    return {each.event_id: each.state for each in known}


def test_a_look_installs_nothing() -> None:
    """Without `install`, events are listed, and none is wanted."""
    known = listed("A", "B", install=False)
    assert states(known) == {"A": EventState.LISTED, "B": EventState.LISTED}
    assert next_wanted(known) is None


def test_a_list_that_is_not_whole_forgets_nothing() -> None:
    """If a list has unread entries, a missing event may be among them, so it is not forgotten."""
    known = listed("A", "B")
    partly = replace(found("A"), left_off=1)
    kept = after_discovery(known, partly, discovery=8, install=True, at=later(DAY))
    assert states(kept) == {"A": EventState.WANTED, "B": EventState.WANTED}
    gone = after_discovery(kept, found("A"), discovery=9, install=True, at=later(2 * DAY))
    assert states(gone) == {"A": EventState.WANTED}


def test_an_odd_event_in_the_journal_hides_no_other(tmp_path: Path) -> None:
    """An unreadable event leaves the others as they are, so that no deleted profile is installed again."""
    journal = Journal(tmp_path / "journal.db")
    kept = KnownEvent(server=str(SMDP), event_id="A", listed_by=str(SMDS), state=EventState.INSTALLED)
    written = [msgspec.to_builtins(kept), {"state": "of a later lpad"}, 7]
    journal.memos.put("events 89", written)
    store = EventStore(journal.memos)
    assert store.known("89") == (kept,)
    store.put("89", (*store.known("89"), other(kept, event_id="B")))
    assert [each.event_id for each in store.known("89")] == ["A", "B"]
    journal.close()


def test_events_are_downloaded_one_by_one() -> None:
    """The download of the first wanted event begins; no other begins before it has ended."""
    known = listed("A", "B")
    first = next_wanted(known)
    assert first is not None
    assert first.event_id == "A"
    known = after_downloads(known, [download("A", State.RUNNING)], at=START)
    assert next_wanted(known) is None
    result = DownloadResult(iccid=ICCID, enabled=True)
    known = after_downloads(known, [download("A", State.DONE, result=result)], at=START)
    assert (known[0].state, known[0].iccid) == (EventState.INSTALLED, ICCID)
    second = next_wanted(known)
    assert second is not None
    assert second.event_id == "B"
    assert not to_enable(second, known)


def test_the_next_is_enabled_only_if_the_first_fails() -> None:
    """A profile whose guard was not met is not enabled, so the next event's profile is enabled."""
    known = listed("A", "B", "C")
    error = failed(ServerUnreachable("the modem did not register"), installed=ICCID)
    known = after_downloads(known, [download("A", State.FAILED, **error)], at=START)
    assert (known[0].state, known[0].enabled) == (EventState.INSTALLED, False)
    assert to_enable(known[1], known)
    error = failed(ServerUnreachable("no answer"))
    known = after_downloads(known, [download("B", State.FAILED, number=9, **error)], at=START)
    assert to_enable(known[2], known)


def test_an_enabled_profile_of_another_discovery_counts_not() -> None:
    """A later discovery enables its profile if requested, whatever earlier discoveries enabled."""
    known = listed("A")
    result = DownloadResult(iccid=ICCID, enabled=True)
    known = after_downloads(known, [download("A", State.DONE, result=result)], at=START)
    again = after_discovery(known, found("A", "B"), discovery=20, install=True, at=later(DAY))
    assert to_enable(again[1], again)


@pytest.mark.parametrize(("unasked", "enables"), [(True, False), (False, True)])
def test_a_repeated_event_takes_the_device_from_no_profile(*, unasked: bool, enables: bool) -> None:
    """Without a request, a repeated event's profile is not enabled if another's was enabled meanwhile."""
    known = listed("A", "B")
    error = failed(ServerUnreachable("no answer"))
    known = after_downloads(known, [download("A", State.FAILED, **error)], at=START)
    result = DownloadResult(iccid=ICCID, enabled=True)
    known = after_downloads(known, [download("B", State.DONE, number=9, result=result)], at=START)
    known = after_discovery(
        known, found("A", "B"), discovery=20, install=True, unasked=unasked, at=later(2 * DAY)
    )
    assert states(known) == {"A": EventState.WANTED, "B": EventState.INSTALLED}
    assert to_enable(known[0], known) is enables


def test_an_installed_event_is_not_tried_again() -> None:
    """A profile that a user deletes does not come back while the server still lists its event."""
    result = DownloadResult(iccid=ICCID)
    known = after_downloads(listed("A"), [download("A", State.DONE, result=result)], at=START)
    known = listed("A", known=known, at=later(20 * DAY))
    assert states(known) == {"A": EventState.INSTALLED}
    known = listed("A", known=known, at=later(45 * DAY))  # The server lists the event all the time.
    assert states(known) == {"A": EventState.INSTALLED}


def test_a_repeated_download_that_fails_makes_no_installed_event_fail() -> None:
    """If a caller repeats an installed event without success, the event still counts as installed."""
    result = DownloadResult(iccid=ICCID)
    known = after_downloads(listed("A"), [download("A", State.DONE, result=result)], at=START)
    known = after_downloads(known, [download("A", State.RUNNING, number=9)], at=START)
    assert states(known) == {"A": EventState.DOWNLOADING}
    lost = after_downloads(known, [], at=START)
    change = download("A", State.FAILED, number=9, **failed(ServerUnreachable("no answer")))
    repeated = after_downloads(known, [change], at=START)
    for seen in (lost, repeated):
        assert states(listed("A", known=seen, at=later(20 * DAY))) == {"A": EventState.INSTALLED}
    assert (repeated[0].change, repeated[0].why) == (9, "no answer")


def test_an_installed_event_is_forgotten_when_it_is_no_longer_listed() -> None:
    """An installed event is forgotten a month after the SM-DS has stopped listing it."""
    result = DownloadResult(iccid=ICCID)
    known = after_downloads(listed("A"), [download("A", State.DONE, result=result)], at=START)
    assert states(listed(known=known, at=later(REMEMBERED - 1))) == {"A": EventState.INSTALLED}
    assert listed(known=known, at=later(REMEMBERED)) == ()


def test_a_failed_event_is_tried_again_but_not_forever() -> None:
    """Each failure makes the wait longer; after the last, only a user's request leads to an attempt."""
    known, at, number = listed("A"), START, 8
    for attempt in range(1, MOST_ATTEMPTS + 1):
        change = download("A", State.FAILED, number=number, **failed(ServerUnreachable("no answer")))
        known = after_downloads(known, [change], at=at)
        assert (known[0].state, known[0].attempts) == (EventState.FAILED, attempt)
        assert listed("A", known=known, at=at)[0].state is EventState.FAILED
        at, number = replace(at, steady=at.steady + 2 * DAY), number + 1
        known = listed("A", known=known, at=at)
    assert known[0].state is EventState.FAILED
    result = DownloadResult(iccid=ICCID)
    known = after_downloads(known, [download("A", State.DONE, number=number, result=result)], at=at)
    assert known[0].state is EventState.INSTALLED


def test_a_cancelled_event_does_not_come_back() -> None:
    """An event that a user has cancelled is not tried again without a request."""
    change = download("A", State.CANCELLED, **failed(Declined("rejected")))
    known = after_downloads(listed("A"), [change], at=START)
    assert listed("A", known=known, at=later(20 * DAY))[0].state is EventState.FAILED


def test_a_forbidden_event() -> None:
    """A forbidden event is never wanted, and is listed again once the settings allow its server."""
    known = after_discovery((), found("A", forbidden=True), discovery=7, install=True, at=START)
    assert (states(known), next_wanted(known)) == ({"A": EventState.FORBIDDEN}, None)
    assert known[0].why == "the settings do not allow it"
    known = listed("A", known=known, install=False)
    assert (known[0].state, known[0].why) == (EventState.LISTED, None)


def test_an_event_that_is_listed_no_more() -> None:
    """An unused event is forgotten if its server answers without it, and kept if the server fails."""
    known = listed("A")
    assert listed(known=known) == ()
    silent = found(error=ServerUnreachable("no answer"))
    assert after_discovery(known, silent, discovery=9, install=False, at=START) == known


def test_a_cut_between_request_and_record() -> None:
    """A download that was queued before a power cut is found by its event, and not queued again."""
    known = after_downloads(listed("A"), [download("A", State.QUEUED)], at=START)
    assert (known[0].state, next_wanted(known)) == (EventState.DOWNLOADING, None)


def test_a_download_whose_record_is_gone() -> None:
    """If a download's record is gone, its event does not stay in the state `downloading` forever."""
    known = after_downloads(listed("A"), [download("A", State.RUNNING)], at=START)
    assert after_downloads(known, [], at=START)[0].state is EventState.FAILED


@pytest.mark.parametrize("state", [EventState.INSTALLED, EventState.LISTED])
def test_the_number_of_remembered_events_is_limited(state: EventState) -> None:
    """Thousands of events do not fill the journal; currently listed ones take precedence."""
    old = tuple(
        KnownEvent(server="x.example", event_id=f"{n}", listed_by="y.example", state=state, seen=START.steady)
        for n in range(3 * MOST_EVENTS)
    )
    known = after_discovery(old, found("A"), discovery=7, install=True, at=START)
    assert len(known) == MOST_EVENTS
    assert known[0].event_id == "A"
    assert other(known[0], seen=0.0).state is EventState.WANTED
