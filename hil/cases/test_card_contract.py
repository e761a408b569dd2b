"""The contract that any card at any place must fulfil, tested through the daemon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hil.place.place import PATIENCE

if TYPE_CHECKING:
    from hil.place.place import Place

MORE_THAN_CHANNELS = 20
"""A card has at most 19 logical channels in addition to the basic one; leaked channels would use them up."""


def test_reading_changes_nothing(place: Place) -> None:
    """Two readings of a card give the same EID and the same profiles."""
    before = place.client.profiles(place.name), place.until_ready().eid
    assert (place.client.profiles(place.name), place.until_ready().eid) == before


def test_no_channel_is_left_open(place: Place) -> None:
    """The card can be read more often than it has channels."""
    for _ in range(MORE_THAN_CHANNELS):
        assert place.client.refresh(place.name, wait=PATIENCE).check().state == "done"


def test_every_question_is_answered(place: Place) -> None:
    """The card answers all questions of a probe, except that it may refuse the one that fills a block."""
    report = place.client.probe(place.name, wait=PATIENCE).check().result
    assert report is not None
    assert report["error"] is None
    refused = {each["what"] for each in report["timings"] if each["refused"] is not None}
    assert refused <= {"GetProfilesInfo in a block of 255 bytes"}, "some cards refuse a list of so many tags"


def test_the_way_carries_long_answers(place: Place) -> None:
    """The card's information arrives with its version and CIs, in however many pieces."""
    info = place.until_ready().info
    assert info is not None
    assert info.svn is not None
    assert info.ci_ids_for_verification
