"""Rolling back a switch whose guard was not met: to the previous profile, or through the fallback order."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from msgspec.structs import replace

from lpad.base.errors import (
    Cancelled,
    CardBusy,
    CardError,
    CardMalformed,
    CardStatus,
    CardUnreachable,
    Conflict,
    InvalidValue,
    LpadError,
    NotFound,
    SwitchRolledBack,
    SwitchStuck,
    internal_error,
)
from lpad.base.frozen import Frozen
from lpad.base.guard_condition import Condition
from lpad.base.untrusted_number import noted_number
from lpad.engine.change.guard import Phase, Turn
from lpad.engine.change.notes import SwitchNotes, noting
from lpad.engine.running.condition_check import LAYERS
from lpad.engine.running.run import Suspended
from lpad.engine.switch.applier_and_hook_steps import NetworkSteps
from lpad.engine.switch.network_step_reporting import StepsOfRun
from lpad.engine.switch.registration_query import look_at_registration
from lpad.engine.switch.verified_switch import Purpose, switch
from lpad.network.connection_layer_names import Layer
from lpad.network.owner_hooks import HookEvent

if TYPE_CHECKING:
    from lpad.base.error_details.request_and_switch import SwitchDetails
    from lpad.engine.change.guard import Guard
    from lpad.engine.running.operation_context import Context
    from lpad.engine.running.run import Run

log = logging.getLogger(__name__)

_MOST_CANDIDATES = 10_000
_UNCLEAR = frozenset({"candidates", "unreadable"})
"""Keys in the details of an error about an ambiguous or possibly unreadable profile."""
TRIES = 3
"""The number of attempts with a profile before lpad tries the next one, if the card disappears or returns
invalid answers."""


class Reason(Frozen, kw_only=True):
    """The reason for a rollback.

    `kind` is stable: time-limit, refused, taken-back, cut-off, not-enabled, no-modem, sim-locked,
    not-evaluated or internal-error.
    """

    kind: str
    sentence: str
    layer: str | None = None
    """The lowest layer that failed; None: unknown, for example after a refusal."""
    cause: str | None = None
    """The network's own reason."""


class Rollback:
    """One rollback, which may be interrupted and resumed."""

    def __init__(
        self, run: Run, context: Context, guard: Guard, reason: Reason, *, iccid: str, network: NetworkSteps
    ) -> None:
        self._run = run
        self._context = context
        self._guard = guard if guard.phase is Phase.GOING_BACK else guard.after(Turn.UNMET)
        self._guard = replace(
            self._guard, layer=reason.layer or guard.layer, cause=reason.cause or guard.cause
        )
        self._reason = reason
        self._network = network
        self._iccid = iccid
        policy = context.card.port.policy
        before: list[str | None] = [guard.previous]
        if guard.previous is None and policy.keep_enabled:
            before = []
        self._order = [
            *before,
            *(each for each in policy.fallback if each not in (guard.previous, self._iccid)),
        ]
        self._failures: list[str] = []
        self._back = network

    def run(self) -> LpadError:
        """Try the profiles in order until one is enabled; return the change's final error.

        Raises:
            Suspended: the card is lost or faulty; lpad tries again once the card can be read.
            Conflict: another card has replaced the card.
        """
        self._run.bind()
        self._leave()
        # If the numbers were damaged on the disk, the order begins again.
        notes = self._run.notes_of(SwitchNotes)
        number, tries = (
            int(noted_number(each, default=0, most=_MOST_CANDIDATES))
            for each in (notes.candidate, notes.tries)
        )
        while number < len(self._order):
            if tries < TRIES and not self._is_unwanted(number):
                self._note(candidate=number, tries=tries + 1)
                try:
                    self._enable(self._order[number], first=number == 0)
                except (CardUnreachable, CardBusy, CardStatus, CardMalformed) as error:
                    # A card that was just reset may return anything; only a clear refusal skips this
                    # profile.
                    self._failed(number, error)
                    if tries + 1 < TRIES:
                        raise Suspended(f"cannot roll back for now: {error.sentence}", cause=error) from error
                except (CardError, NotFound, Conflict) as error:
                    if isinstance(error, Conflict) and not error.details.keys() & _UNCLEAR:
                        raise  # another card has replaced the card
                    self._failed(number, error)
                except LpadError:
                    raise
                except Exception as error:
                    # After a fault in lpad, the next profile is tried, because it may not cause the same
                    # fault.
                    log.exception("change %d: internal-error", self._run.change.id)
                    self._failed(number, internal_error("enabling it", error))
                else:
                    self._back.end(HookEvent.ROLLED_BACK)
                    self._run.show_guard(self._guard.after(Turn.RETURNED))
                    return self._returned(self._order[number])
            number, tries = number + 1, 0
        self._network.end()
        self._run.show_guard(self._guard.after(Turn.EXHAUSTED))
        return self._stuck()

    def stayed(self) -> LpadError:
        """Return the final error of an unmet guard without a switch: the profile was already enabled."""
        if self._guard.layer in tuple(Layer):
            self._network.saw(Layer(self._guard.layer), up=False, cause=self._guard.cause)
        self._network.end()
        self._run.show_guard(self._guard.after(Turn.RETURNED))
        seen = self._guard.told()
        sentence = (
            f"the guard of profile {self._iccid} was not met: {self._reason.sentence}"
            f"{f' ({seen})' if seen else ''}{self._told_layer()}; the profile was already enabled, so lpad"
            " has switched nothing"
        )
        class_ = Cancelled if self._reason.kind == "taken-back" else SwitchRolledBack
        enabled = self._context.snapshot().listed.enabled_address
        return class_(sentence, **self._details(enabled=enabled))

    def _leave(self) -> None:
        """Report the layer that failed, and undo the network settings of the rejected profile."""
        if self._guard.layer in tuple(Layer):
            self._network.saw(Layer(self._guard.layer), up=False, cause=self._guard.cause)
        self._network.until = None
        self._network.undo()

    def _note(self, *, candidate: int, tries: int) -> None:
        # A full disk must not stop the rollback: after a restart, the earlier journal entry also leads to it.
        notes = noting(
            SwitchNotes,
            candidate=candidate,
            tries=tries,
            reason=self._reason.kind,
            why=self._reason.sentence,
        )
        self._run.guarded(self._guard, notes, needed=False)

    def _enable(self, iccid: str | None, *, first: bool) -> None:
        step = "go-back" if first else "fall-back"
        notes = self._run.notes_of(SwitchNotes)
        if iccid is None:
            purpose = Purpose(step=step, aid=notes.aid)
            switch(self._run, self._context, iccid=self._iccid, enabled=False, purpose=purpose)
        else:
            aid = notes.previous_aid if iccid == self._guard.previous else None
            purpose = Purpose(step=step, aid=aid)
            switch(self._run, self._context, iccid=iccid, enabled=True, purpose=purpose)
            self._back = NetworkSteps(StepsOfRun(self._run), self._context, iccid)
            if not (iccid == self._guard.previous and self._back.restores):
                self._back.apply()
            self._back.connect()
            self._back.look()  # reports the layers as events
            look_at_registration(self._context, self._back.connection)

    def _is_unwanted(self, number: int) -> bool:
        """Return whether a profile of the fallback order is the rejected profile under another name."""
        listed = self._context.snapshot().listed
        return listed.means(self._order[number], listed.named(self._iccid))

    def _failed(self, number: int, error: LpadError) -> None:
        wanted = self._order[number]
        name = f"profile {wanted}" if wanted else "none"
        log.warning("change %d: cannot return to %s: %s", self._run.change.id, name, error.sentence)
        self._failures.append(f"{name}: {error.sentence}")

    def _returned(self, iccid: str | None) -> LpadError:
        if iccid is None:
            now = "lpad disabled it, because no profile was enabled before"
        elif iccid == self._guard.previous:
            now = f"lpad enabled the previous profile {iccid} again"
        else:
            now = f"the previous profile could not be enabled, so lpad enabled profile {iccid}"
            now += " of the fallback order"
        failures = [f"{each.step}: {each.told}" for each in self._back.failures]
        if iccid is not None and failures:
            now += f"; its network settings are not in force ({'; '.join(failures)})"
        class_ = Cancelled if self._reason.kind == "taken-back" else SwitchRolledBack
        return class_(f"{self._told()}; {now}", **self._details(enabled=iccid))

    def _stuck(self) -> LpadError:
        card = self._context.snapshot()
        enabled = card.listed.enabled_address
        remedy = "enable another profile manually"
        if card.eid is not None and self._order:
            self._context.stuck(self._run.change, card.eid, wanted=tuple(self._order), unwanted=self._iccid)
            remedy = f"lpad keeps trying, see 'lpactl status'; or {remedy}"
        now = f"profile {enabled} is enabled" if enabled else "no profile is enabled"
        if enabled is None and not card.listed.complete:
            now = "a profile that cannot be read may be enabled"
        return SwitchStuck(
            f"{self._told()}; neither the previous profile nor one of the fallback order could be enabled;"
            f" according to the last list of profiles, {now}; {remedy}",
            **self._details(enabled=enabled),
        )

    def _told(self) -> str:
        seen = self._guard.told()
        switch = f"the guarded switch to profile {self._iccid}"
        if self._run.change.kind.downloads:
            switch = f"profile {self._iccid} is installed, but the guarded switch to it"
        seen = f" ({seen})" if seen else ""
        return f"{switch} was not kept: {self._reason.sentence}{seen}{self._told_layer()}"

    def _told_layer(self) -> str:
        """Return the failed layer, and the profile's line if that may be the cause; empty: unknown."""
        layer = f"; the failed layer is '{self._guard.layer}'" if self._guard.layer else ""
        return f"{layer}; {cause}" if (cause := self._of_line()) else layer

    def _of_line(self) -> str:
        """Return why the profile's line may be the cause of an unmet guard, in words; empty: it is not."""
        if self._guard.layer in (None, Layer.CARD, Layer.MODEM):
            return ""
        profile = self._context.snapshot().listed.named(self._iccid)
        return self._context.lines.cause(profile.iccid if profile is not None else self._iccid)

    def _details(self, *, enabled: str | None) -> SwitchDetails:
        return {
            "enabled": enabled or "",
            "previous": self._guard.previous or "",
            "reason": self._reason.kind,
            "seen": self._guard.told(),
            "unmet": ", ".join(each.condition for each in self._guard.unmet),
            "failed": "; ".join(self._failures),
            "layer": self._guard.layer or "",
            "cause": self._guard.cause or "",
        }


def failed_layer(guard: Guard) -> str | None:
    """Return the lowest layer of a guard's unmet conditions; None if no unmet condition has a layer."""
    unmet = []
    for each in guard.unmet:
        try:
            unmet.append(Condition.parse(each.condition).kind)
        except InvalidValue:  # only another version of lpad knows this condition
            continue
    found = {LAYERS[kind] for kind in unmet if kind in LAYERS}
    return next((layer.value for layer in Layer if layer in found), None)
