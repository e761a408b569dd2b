"""The pause of a change until lpad queries a platform again, which a hint may shorten."""

from __future__ import annotations

from datetime import timedelta

from lpad.engine.change.change import Failure, Pause, PauseReason, now

_KIND = "platform-waiting"
"""The kind of a pause without an error: the platform is not ready yet."""


def waiting_for_platform(sentence: str, *, wait: float) -> Pause:
    """Return the pause of a change that queries its platform again in `wait` seconds."""
    present = now()
    return Pause(
        reason=PauseReason.PLATFORM,
        since=present,
        retry_at=present + timedelta(seconds=wait),
        error=Failure(kind=_KIND, sentence=sentence, retryable=True),
    )


def may_be_hastened(pause: Pause) -> bool:
    """Return whether a hint may shorten a pause: only a wait for a planned query, not one after an error."""
    return pause.reason is PauseReason.PLATFORM and pause.error.kind == _KIND
