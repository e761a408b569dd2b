"""The text of the report page: failures with their reasons, and changes since the previous run."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from hil.evidence.place_record import Outcome, PlaceFindings, Timed
from hil.evidence.report_page import page

BEGAN = datetime(2026, 11, 21, 22, tzinfo=UTC)


def findings(place: str, *outcomes: Outcome, switch: float = 1.0, broken: str | None = None) -> PlaceFindings:
    return PlaceFindings(
        place=place,
        began=BEGAN,
        ended=BEGAN + timedelta(minutes=3),
        features=["pcsc"],
        outcomes=list(outcomes),
        changes=[
            Timed(1, "enable", "done", switch, [("enable-profile", switch)]),
            Timed(2, "enable", "done", 300.0, [("enable-profile", 1.0), ("guard", 299.0)], guarded=True),
        ],
        broken=broken,
    )


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_a_failure_is_shown_without_active_content() -> None:
    """The report page shows a failure with place, case and reason, and escapes HTML in the reason."""
    outcome = Outcome(
        "switching · ten_switches", "failed", 3.0, "AssertionError: <b>the card & the modem</b>"
    )
    html = page(BEGAN, [findings("desk", outcome), findings("shelf")], before=[])
    assert "2 places, 1 failed" in html
    assert (
        "desk switching · ten_switches AssertionError: &lt;b&gt;the card &amp; the modem&lt;/b&gt;"
        in words(html)
    )
    assert "desk 1 failed" in words(html)
    assert "shelf all well" in words(html)


def test_a_place_that_broke() -> None:
    """The report page shows why a place is broken, and marks the cases skipped because of this."""
    reason = "off to powered failed: no card is in the reader"
    skipped = Outcome("identity · eid", "skipped", 0.0, f"desk: {reason}")
    html = page(BEGAN, [findings("desk", skipped, broken=reason)], before=[])
    assert f"desk broken {reason}" in words(html)
    assert f'title="skipped, 0.0 s: desk: {reason}">○' in html


def test_compared_with_the_last_run() -> None:
    """The report page lists changed outcomes, slower switches and places missing since the last run."""
    good, bad = (Outcome("identity · eid", outcome) for outcome in ("passed", "failed"))
    html = page(
        BEGAN,
        [findings("desk", bad, switch=2.0), findings("shelf", good)],
        before=[findings("desk", good), findings("shelf", bad), findings("window", good)],
    )
    text = words(html)
    assert "desk: identity · eid failed, was passed" in text
    assert "shelf: identity · eid passed, was failed" in text
    assert "2.00 s, was 1.00 s" in text
    assert "Not in this run: window" in text
    assert "Every case ended as in the previous run." not in text


def test_an_empty_run() -> None:
    """A run without cases has a report page, too."""
    text = words(page(BEGAN, [], before=[]))
    assert "0 places, no case" in text
    assert "Nothing was downloaded." in text
    assert "There was no previous run." in text
