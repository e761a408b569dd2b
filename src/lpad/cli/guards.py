"""How lpactl shows the guard of a switch."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from lpad.client import Change


def guard_rows(change: Change) -> list[tuple[str, object]]:
    """Return names and values that tell of a change's guard; none where it has none."""
    if change.guard is None:
        return []
    return [
        ("guard", change.guard.phase),
        ("guarded until", f"{change.guard.until:%Y-%m-%d %H:%M:%S} UTC"),
        ("profile before", change.guard.previous or "none"),
        *(
            (f"  {each.condition}", "met" if each.met else each.seen or "not seen yet")
            for each in change.guard.requirements
        ),
    ]


def on_trial(changes: Iterable[Change]) -> list[str]:
    """Return a line for each guarded switch that is under way."""
    return [
        f"{change.euicc}: change {change.id} has profile {change.params.get('iccid')} on trial"
        f" ({change.guard.phase}) until {change.guard.until:%Y-%m-%d %H:%M:%S} UTC: "
        + ", ".join(each.condition for each in change.guard.requirements if not each.met)
        for change in changes
        if change.guard is not None and not change.ended
    ]
