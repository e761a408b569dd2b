"""The pause of a wish whose platform is not ready, cannot be reached or receives too many requests."""

from __future__ import annotations

from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeVar

from lpad.base.errors import (
    PlatformBusy,
    PlatformUnclear,
    ServerFailed,
    ServerMalformed,
    ServerUnreachable,
)
from lpad.base.untrusted_number import noted_number
from lpad.engine.change.change import Failure, Pause, PauseReason, now
from lpad.engine.change.notes import Notes, noting
from lpad.engine.provisioning import query_times
from lpad.engine.provisioning.platform_waiting import waiting_for_platform
from lpad.engine.running.run import Postponed

if TYPE_CHECKING:
    from collections.abc import Callable

    from lpad.base.errors import LpadError
    from lpad.engine.fulfilment.wish_progress import OpenWish
    from lpad.engine.provisioning.platforms import NamedPlatform

_Answer = TypeVar("_Answer")

DAY = 86_400.0
_DOUBTFUL = (PlatformUnclear, ServerUnreachable, ServerFailed, ServerMalformed)
"""Errors after which it is unclear whether the platform carried out the request."""


def asked(wish: OpenWish, ask: Callable[[], _Answer], *, doubt: bool = False) -> _Answer:
    """Return the platform's answer; temporary failures postpone the change.

    Args:
        wish: the wish.
        ask: makes one call.
        doubt: whether the call changes something, so that the step stays stored until the outcome is known.

    Raises:
        Postponed: the platform cannot be reached, is busy, fails, or its answer is unclear.
        PlatformRefused, ServerUntrusted, Cancelled: see `Platform`.
    """
    wish.context.platforms.hints.looked(wish.record.platform)
    try:
        return ask()
    except PlatformBusy as error:
        if doubt:
            wish.keep(unfinished_step="")
        least = noted_number(error.details.get("retry_after"), default=0.0, most=DAY)
        if error.details.get("http_status") == HTTPStatus.TOO_MANY_REQUESTS:
            told = least if "retry_after" in error.details else None
            wish.keep(spread=query_times.wider(wish.record.spread, told=told))
        raise _troubled(wish, error, least=least) from error
    except _DOUBTFUL as error:
        raise _troubled(wish, error, least=0.0) from error


def later(
    wish: OpenWish,
    sentence: str,
    *,
    least: float,
    error: LpadError | None = None,
    reason: PauseReason = PauseReason.PLATFORM,
) -> Postponed:
    """Return the error that pauses the change until the next check; the pauses grow, and are randomly spread.

    Args:
        wish: the wish.
        sentence: the reason for the wait.
        least: the minimum number of seconds to wait.
        error: the failure of this turn; None: the platform is just not ready yet.
        reason: the reason of a pause after an error, which decides the events that may end it early.
    """
    looks = wish.record.looks + 1
    wait = query_times.wait(looks, least=least, spread=wish.record.spread)
    due = wish.steady() + wait
    wish.keep(looks=looks, next_look_at=due)
    if error is None:
        pause = waiting_for_platform(sentence, wait=wait)
    else:
        present = now()
        retry_at = present + timedelta(seconds=wait)
        pause = Pause(reason=reason, since=present, retry_at=retry_at, error=Failure.of(error))
    return Postponed(pause, failed=error is not None, notes=noting(Notes, due=due))


def await_place(wish: OpenWish, platform: NamedPlatform) -> None:
    """Check that lpad may now query a platform because of a hint.

    Raises:
        Postponed: lpad has queried the platform recently.
    """
    wait = wish.context.platforms.hints.take(platform.name, platform.can.look_every)
    if wait:
        due = wish.steady() + wait
        wish.keep(next_look_at=due)
        told = f"lpad has queried the platform '{platform.name}', and will query it again in {wait:.0f} s"
        pause = waiting_for_platform(told, wait=wait)
        raise Postponed(pause, failed=False, notes=noting(Notes, due=due))


def _troubled(wish: OpenWish, error: LpadError, *, least: float) -> Postponed:
    reason = PauseReason.NETWORK if isinstance(error, ServerUnreachable) else PauseReason.PLATFORM
    return later(wish, error.sentence, least=least, error=error, reason=reason)
