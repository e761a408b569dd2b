"""Lines of the status about what runs, and about the registration as lpad last saw it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lpad.cli.session.step_words import step_words
from lpad.cli.terminal.output import duration

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lpad.client import Change, Euicc


def running_lines(changes: Iterable[Change], *, verbose: bool = False) -> list[str]:
    """Return a line for each change that is queued or runs, and waits for nothing."""
    lines = []
    for change in changes:
        if change.ended or change.pause is not None or change.question is not None:
            continue
        step = f": {step_words(change.steps[-1].name, verbose=verbose)}" if change.steps else ""
        state = "runs" if change.state == "running" else f"is {change.state}"
        lines.append(
            f"{change.euicc}: change {change.id} ({change.kind}) {state}{step}; 'lpactl changes {change.id}'"
            " shows it"
        )
    return lines


def registration_lines(euiccs: Iterable[Euicc], changes: Sequence[Change]) -> list[str]:
    """Return a line for each card whose last switch has seen the modem's registration, with its age.

    lpad does not ask the modem for this.

    Args:
        euiccs: the cards.
        changes: the newest first.
    """
    lines = []
    for euicc in euiccs:
        for change in changes:
            seen = _seen(change) if change.euicc == euicc.name else None
            if seen is not None and change.ended_at is not None:
                age = duration(max(0.0, (datetime.now(UTC) - change.ended_at).total_seconds()))
                lines.append(
                    f"{euicc.name}: registration as last seen {age} ago (change {change.id}): {seen}"
                )
                break
    return lines


def _seen(change: Change) -> str | None:
    """Return the registration that a change observed last; None if it observed none."""
    told = (change.result or {}).get("registration")
    requirements = change.guard.requirements if change.guard is not None else ()
    watched = next((each.seen for each in requirements if each.condition == "registered"), None)
    return str(told or watched) if told or watched else None
