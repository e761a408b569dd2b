"""A case that only reaches the card: `script/hil --restore` runs it to restore the card."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hil.place.place import Place


def test_restore_only(place: Place) -> None:
    """The right card is ready."""
    assert place.until_ready().eid == place.eid
