"""Lines of the status, one for each thing that runs, waits or is wrong."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from lpad.cli.terminal.output import duration
from lpad.cli.terminal.step_words import step_words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from lpad.client import Change, Euicc, Outbox, ProfileList
    from lpad.client.views import SeenLayer

_ABOVE_THE_MODEM = {
    "registered": ("registered", "not registered"),
    "bearer": ("up", "down"),
    "address": ("up", "down"),
    "path": ("up", "down"),
}
"""The layers of the status, each with the words for its two states; card and modem have their own lines."""
_STATES = ("enabled", "disabled")
_NAMES = {"registered": "registration"}


def running_lines(changes: Iterable[Change], *, verbose: bool = False) -> list[str]:
    """Return a line for each queued or running change that waits for no answer and no new attempt."""
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


def wish_line(euicc: Euicc) -> str | None:
    """Return a line about a card's open wish; None if the card has none."""
    wish = euicc.wish
    if wish is None:
        return None
    state = f"profile {wish.profile}, line {wish.line}" if wish.profile is not None else "no reservation yet"
    parts = [f"{euicc.name}: asked the platform '{wish.platform}' for a profile ({state})"]
    if wish.stalled:
        parts.append("the order takes longer than expected")
    if wish.spent is not None:
        parts.append(f"another order would be needed: {wish.spent}")
    if wish.next_look_at is not None:
        parts.append(f"lpad checks again at {wish.next_look_at:%Y-%m-%d %H:%M:%S} UTC")
    return "; ".join(parts)


def outbox_line(euicc: str, outbox: Outbox) -> str | None:
    """Return a line about problems in a card's outbox; None if there are none."""
    found = outbox.notifications
    waiting = [each for each in found if each.state in ("pending", "sending") and each.attempts]
    refused = [each for each in found if each.state == "refused"]
    uncopied = [each for each in found if each.state == "uncopied"]
    told = []
    if waiting:
        oldest = duration(max(each.age_seconds for each in waiting))
        told.append(f"{len(waiting)} could not be delivered yet; the oldest has waited for {oldest}")
    if uncopied:
        told.append(f"{len(uncopied)} cannot be copied from the card")
    if refused:
        told.append(f"{len(refused)} were refused and set aside")
    told += unread_lines(outbox)
    return f"{euicc}: notifications: {'; '.join(told)} ('lpactl notifications')" if told else None


def unread_lines(outbox: Outbox) -> list[str]:
    """Return at most one sentence, about the unreadable part of the card's own list of notifications."""
    if outbox.list_error is not None:
        return [f"the card's list cannot be read, and may contain more notifications ({outbox.list_error})"]
    told = f"{outbox.unreadable} of the entries in the card's list cannot be read"
    return [told] if outbox.unreadable else []


def registration_lines(
    euiccs: Iterable[Euicc], lists: Iterable[ProfileList | None], changes: Sequence[Change]
) -> list[str]:
    """Return a line for each card with the registration and the layers above it as last seen, with their age.

    lpad does not query the modem for these lines. After a restart of lpad, the registration is the one that
    the last switch observed. States that were seen with a profile that is no longer enabled are left out.

    Args:
        euiccs: the cards.
        lists: the profiles of each card; None: unknown.
        changes: the newest first.
    """
    lines = []
    for euicc, listed in zip(euiccs, lists, strict=True):
        enabled = _enabled(listed)
        layers = [each for each in euicc.layers if _holds(each.iccid, enabled)]
        seen = [_layer(each) for each in layers if each.layer in _ABOVE_THE_MODEM]
        if not any(each.layer == "registered" for each in layers):
            seen = [*_of_the_last_switch(euicc, enabled, changes), *seen]
        if seen:
            lines.append(f"{euicc.name}: {'; '.join(seen)}")
    return lines


def _layer(seen: SeenLayer) -> str:
    up, down = _ABOVE_THE_MODEM[seen.layer]
    told = seen.told if seen.layer == "registered" and seen.told else up if seen.up else down
    cause = f" ({seen.cause})" if seen.cause else ""
    return f"{_NAMES.get(seen.layer, seen.layer)} as last seen {_age(seen.seen_at)} ago: {told}{cause}"


def _enabled(listed: ProfileList | None) -> frozenset[str | None] | None:
    """Return the ICCIDs of the enabled profiles; None if some are unknown."""
    if listed is None or listed.unreadable or any(each.state not in _STATES for each in listed.profiles):
        return None
    return frozenset(each.iccid for each in listed.profiles if each.state == "enabled")


def _holds(iccid: str | None, enabled: frozenset[str | None] | None) -> bool:
    """Return whether an observation made with a profile may still be true."""
    return enabled is None or (bool(enabled) if iccid is None else iccid in enabled)


def _of_the_last_switch(
    euicc: Euicc, enabled: frozenset[str | None] | None, changes: Sequence[Change]
) -> list[str]:
    for change in changes:
        seen = _seen(change) if change.euicc == euicc.name else None
        if seen is not None and change.ended_at is not None:
            if not _holds((change.result or {}).get("iccid"), enabled):
                return []
            return [f"registration as last seen {_age(change.ended_at)} ago (change {change.id}): {seen}"]
    return []


def _age(moment: datetime) -> str:
    return duration(max(0.0, (datetime.now(UTC) - moment).total_seconds()))


def _seen(change: Change) -> str | None:
    """Return the last registration that a change observed; None if it observed none."""
    told = (change.result or {}).get("registration")
    requirements = change.guard.requirements if change.guard is not None else ()
    watched = next((each.seen for each in requirements if each.condition == "registered"), None)
    return str(told or watched) if told or watched else None
