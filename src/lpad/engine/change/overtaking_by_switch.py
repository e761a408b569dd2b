"""Overtaking: a switch interrupts a running change that has done nothing irreversible, and runs first.

A switch often restores the device's connection. An overtaken change releases the card and starts again
automatically.
"""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace

from lpad.engine.change.change import Change, Failure, Kind, Pause, PauseReason, now
from lpad.engine.change.params import DownloadParams
from lpad.protocol.download_state_table import Step

SWITCHES = frozenset({Kind.ENABLE, Kind.DISABLE})
"""The kinds of change that overtake others: switches, even those of failover and of the rescue."""

SWITCHING = SWITCHES | {Kind.DOWNLOAD, Kind.PROVISION, Kind.RESET}
"""The kinds of change after which another profile, or no profile, may be enabled."""

OVERTAKEN = frozenset(
    {
        Kind.DOWNLOAD,
        Kind.PROVISION,
        Kind.DISCOVER,
        Kind.LINE,
        Kind.CHECK_TRUST,
        Kind.DELIVER_NOTIFICATIONS,
    }
)
"""The kinds of change that may be overtaken: those that wait for servers. Other changes end soon."""

PATIENCE = 3
"""After being overtaken this many times, a download waits for a time without switches, because the server
counts attempts."""

QUIET = 600.0
"""Seconds without a switch for which a download waits once `PATIENCE` switches have overtaken it."""


def switches(change: Change) -> bool:
    """Return whether an unfinished change may switch profiles before another switch could overtake it."""
    if not isinstance(change.params, DownloadParams):
        return change.kind in SWITCHING
    began = any(step.name == Step.LOAD_BOUND_PROFILE_PACKAGE for step in change.steps)
    return change.guard is not None or (began and change.params.enable)


def after_overtaking(change: Change) -> Change:
    """Return the record of a running change after a switch has overtaken it."""
    counted = replace(change, overtaken=change.overtaken + 1)
    if change.kind.downloads and counted.overtaken >= PATIENCE:
        return counted.put_off(until_quiet(counted))
    return counted.requeued()


def until_quiet(change: Change) -> Pause:
    """Return the pause of a download that must wait for a time without switches."""
    present = now()
    sentence = (
        f"switches have overtaken this download {change.overtaken} times; lpad restarts it when"
        f" {QUIET / 60:.0f} minutes have passed without a switch"
    )
    return Pause(
        reason=PauseReason.OVERTAKEN,
        since=present,
        retry_at=present + timedelta(seconds=QUIET),
        error=Failure(kind="overtaken", sentence=sentence, retryable=True),
    )
