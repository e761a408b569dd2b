"""The events of a change: those that follow from its new record, but not from its previous record on disk.

The journal stores the new record and its events in one transaction, so each event of a change exists exactly
once, whatever interrupts the change.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from lpad.base.errors import Cancelled, SwitchRolledBack, SwitchStuck
from lpad.base.frozen import Frozen
from lpad.engine.change.change import Kind, State
from lpad.engine.change.params import EnableParams
from lpad.engine.change.results import DeleteResult, DownloadResult, ResetResult, SwitchResult
from lpad.engine.events import event_types as types
from lpad.engine.events.event_data import ProfileData, SwitchData
from lpad.engine.events.happening import Happening
from lpad.protocol.download_state_table import Step

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from lpad.engine.change.change import Change
    from lpad.engine.events.event_types import EventType


class Known(Frozen, kw_only=True):
    """A change's hidden data: its card's EID, and the profile that it installs or switches to."""

    eid: str | None = None
    iccid: str | None = None


def happenings(change: Change, before: Change | None, *, known: Callable[[], Known]) -> list[Happening]:
    """Return the events of a record.

    Args:
        change: the record to store.
        before: the record on disk; None for a new change.
        known: returns the hidden data; called only if there is an event.
    """
    return list(_Record(change, before, known).events())


class _Record:
    def __init__(self, change: Change, before: Change | None, known: Callable[[], Known]) -> None:
        self._change = change
        self._before = before
        self._ask = known

    @cached_property
    def _known(self) -> Known:
        return self._ask()

    def events(self) -> Iterator[Happening]:
        change = self._change
        if change.kind.downloads and self._began(Step.LOAD_BOUND_PROFILE_PACKAGE.value):
            yield from self._of_wanted(types.PROFILE_DOWNLOADED)
        on_trial = change.guard is not None
        new_on_trial = on_trial and (self._before is None or self._before.guard is None)
        if new_on_trial:
            if change.kind.downloads:  # a switch to a profile proves that the profile is installed
                yield from self._of_wanted(types.PROFILE_INSTALLED)
            if self._wanted is not None:
                yield self._switch(types.SWITCH_STARTED, self._wanted)
        if change.state.ended:
            if change.kind.downloads and not on_trial:
                yield from self._installed()
            yield from self._done() if change.state is State.DONE else self._failed()

    def _began(self, step: str) -> bool:
        """Return whether the new record begins the step with this name."""
        before = self._before
        return self._change.step == step and (before is None or len(before.steps) < len(self._change.steps))

    @property
    def _wanted(self) -> str | None:
        """The profile that the change installs or enables; None if there is none, or it is not known yet."""
        if isinstance(self._change.params, EnableParams):
            return self._change.params.iccid
        return self._known.iccid if self._change.kind.downloads else None

    def _of_wanted(self, type_: EventType) -> Iterator[Happening]:
        if self._wanted is not None:
            yield self._profile(type_, self._wanted)

    def _installed(self) -> Iterator[Happening]:
        result, error = self._change.result, self._change.error
        if isinstance(result, DownloadResult):
            yield self._profile(types.PROFILE_INSTALLED, result.iccid)
        elif error is not None and isinstance(installed := error.details.get("installed"), str):
            yield self._profile(types.PROFILE_INSTALLED, installed)

    def _done(self) -> Iterator[Happening]:
        result = self._change.result
        match result:
            case DownloadResult() if result.enabled:
                yield from self._enabled(result)
            case SwitchResult() if self._change.kind is Kind.DISABLE:
                if not result.already:
                    yield self._profile(types.PROFILE_DISABLED, result.iccid)
            case SwitchResult() if not result.already:
                yield from self._enabled(result)
            case DeleteResult() if not result.already:
                yield self._profile(types.PROFILE_DELETED, result.iccid)
            case ResetResult():
                for iccid in result.deleted:
                    yield self._profile(types.PROFILE_DELETED, iccid)

    def _enabled(self, result: DownloadResult | SwitchResult) -> Iterator[Happening]:
        previous = result.previous if isinstance(result.previous, str) else None
        if result.guard is not None:
            yield self._switch(types.SWITCH_CONFIRMED, result.iccid, previous=previous)
        yield self._profile(types.PROFILE_ENABLED, result.iccid, previous=previous)

    def _failed(self) -> Iterator[Happening]:
        error, guard = self._change.error, self._change.guard
        if error is None:
            return
        details = {name: value for name, value in error.details.items() if isinstance(value, str) and value}
        wanted = details.get("installed") or self._wanted
        if guard is None or wanted is None or "reason" not in details:
            return
        # A cancelled switch is rolled back, too.
        rolled_back = error.kind in (SwitchRolledBack.kind, Cancelled.kind)
        if not rolled_back and error.kind != SwitchStuck.kind:
            return
        yield self._switch(
            types.SWITCH_ROLLED_BACK if rolled_back else types.SWITCH_STUCK,
            wanted,
            enabled=details.get("enabled"),
            layer=details.get("layer"),
            cause=details["reason"],
        )

    def _profile(self, type_: EventType, iccid: str, *, previous: str | None = None) -> Happening:
        data = ProfileData(
            euicc=self._change.euicc,
            eid=self._known.eid,
            iccid=iccid,
            change=self._change.id,
            previous=previous,
            settled=bool(getattr(self._change.result, "settled", False)),
        )
        return Happening(type=type_, data=data, euicc=self._change.euicc)

    def _switch(
        self,
        type_: EventType,
        iccid: str,
        *,
        previous: str | None = None,
        enabled: str | None = None,
        layer: str | None = None,
        cause: str | None = None,
    ) -> Happening:
        guard = self._change.guard
        data = SwitchData(
            euicc=self._change.euicc,
            eid=self._known.eid,
            iccid=iccid,
            change=self._change.id,
            previous=previous or (guard.previous if guard is not None else None),
            enabled=enabled,
            layer=layer,
            cause=cause,
        )
        return Happening(type=type_, data=data, euicc=self._change.euicc)
