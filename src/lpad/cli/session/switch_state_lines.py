"""How switches, their guards and the data connection are shown: lines of `changes` and `status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from lpad.client import Change, Euicc

_SWITCHING = frozenset({"enable", "disable", "download", "provision", "reset"})
_LAYERS = ("card", "modem", "registered", "bearer", "address", "path")
"""The layers of the connection, from the lowest up."""
_HOOKS = ("pre-switch", "post-switch", "confirmed", "rolled-back")
"""Steps that run the owner's hooks; versions before 0.3 reported their failures with the layer `modem`."""
_PROGRAMS = {"hook": "the hooks", "command": "the network command"}
"""The owner's programs, in words; none is a layer of the connection."""


def guard_rows(change: Change) -> list[tuple[str, object]]:
    """Return the names and values with which a change's guard is shown; empty without a guard."""
    if change.guard is None:
        return []
    return [
        ("guard", change.guard.phase),
        ("guarded until", f"{change.guard.until:%Y-%m-%d %H:%M:%S} UTC"),
        ("previous profile", change.guard.previous or "none"),
        ("failed layer", change.guard.layer),
        ("cause", change.guard.cause),
        *(
            (f"  {each.condition}", "met" if each.met else each.seen or "not seen yet")
            for each in change.guard.requirements
        ),
    ]


def on_trial(changes: Iterable[Change]) -> list[str]:
    """Return a line for each running guarded switch."""
    return [
        f"{change.euicc}: change {change.id} has profile {change.params.get('iccid', 'it downloaded')}"
        f" on trial ({change.guard.phase}) until {change.guard.until:%Y-%m-%d %H:%M:%S} UTC: "
        + ", ".join(each.condition for each in change.guard.requirements if not each.met)
        + f"; 'lpactl cancel {change.id}' rolls the switch back"
        for change in changes
        if change.guard is not None and not change.ended
    ]


def layer_lines(changes: Iterable[Change]) -> list[str]:
    """Return lines about each card's last ended switch: its failed layer, and the owner's failed programs.

    Args:
        changes: the newest first.
    """
    last: dict[str, Change] = {}
    for change in changes:
        if change.ended and change.kind in _SWITCHING and (change.kind != "download" or _switched(change)):
            last.setdefault(change.euicc, change)
    lines = [
        f"{change.euicc}: the failed layer of the last switch (change {change.id}) is '{layer}'"
        + (f": {cause}" if cause else "")
        + f"; 'lpactl changes {change.id}' shows it"
        for change in last.values()
        for layer, cause in list(_failed_layers(change))[:1]
    ]
    return lines + [
        f"{change.euicc}: {program} failed {where} the last switch (change {change.id}): {told};"
        f" 'lpactl changes {change.id}' shows it"
        for change in last.values()
        for program, where, told in _failed_programs(change)
    ]


def network_failures(change: Change) -> list[Mapping[str, str]]:
    """Return the failed steps of a change's network settings, from the change's result."""
    return list(((change.result or {}).get("network") or {}).get("failures", ()))


def _switched(change: Change) -> bool:
    return change.guard is not None or bool((change.result or {}).get("enabled"))


def _failed_programs(change: Change) -> Iterator[tuple[str, str, str]]:
    """Yield each failed program of the owner in words, with its step and the error's sentence."""
    error = change.error
    if error is not None and (named := _PROGRAMS.get(str(error.details.get("layer")))):
        yield named, "before", error.sentence
    for each in network_failures(change):
        program = "hook" if each["step"] in _HOOKS else each["layer"]
        if program in _PROGRAMS:
            yield _PROGRAMS[program], f"at '{each['step']}' of", each["told"]


def _failed_layers(change: Change) -> Iterator[tuple[str, str | None]]:
    """Yield a change's failed layers, the guard's first, each with the network's cause."""
    if change.guard is not None and change.guard.layer:
        yield change.guard.layer, change.guard.cause
    if change.error is not None and change.error.details.get("layer") in _LAYERS:
        yield str(change.error.details["layer"]), str(change.error.details.get("cause") or "")
    network = (change.result or {}).get("network") or {}
    failures = [
        each for each in network_failures(change) if each["layer"] in _LAYERS and each["step"] not in _HOOKS
    ]
    for each in sorted(failures, key=lambda each: _LAYERS.index(each["layer"])):
        yield each["layer"], each.get("cause")
    yield from ((layer, None) for layer in ("bearer", "address") if network.get(layer) == "down")


def rescue_line(euicc: Euicc) -> str | None:
    """Return a line that shows the rescue after a stuck guarded switch; None without a rescue."""
    status = euicc.rescue
    if status is None:
        return None
    wanted = ", ".join(iccid or "none" for iccid in status.wanted)
    return (
        f"{euicc.name}: change {status.change} failed (switch-stuck); lpad keeps trying to enable"
        f" {wanted}: {status.attempts} attempts since {status.since:%Y-%m-%d %H:%M:%S} UTC, the next at"
        f" {status.next_at:%Y-%m-%d %H:%M:%S} UTC or when the card comes back; 'lpactl enable PROFILE' with"
        " another profile ends the attempts"
    )


def leftovers_line(euicc: Euicc) -> str | None:
    """Return a line about deleted profiles whose network settings the applier still has; None without any."""
    if not euicc.network_leftovers:
        return None
    last = euicc.network_leftovers[-1]
    named = ", ".join(each.iccid for each in euicc.network_leftovers)
    return (
        f"{euicc.name}: the applier '{last.applier}' still has the network settings of the deleted profile"
        f"{'' if len(euicc.network_leftovers) == 1 else 's'} {named}: {last.told}; lpad tries again"
    )


def modem_line(euicc: Euicc) -> str | None:
    """Return a line that shows unsuccessful restarts of the modem; None if there were none."""
    status = euicc.modem_restarts
    if status is None:
        return None
    times = "once" if status.times == 1 else f"{status.times} times"
    following = (
        "lpad plans no further restart"
        if status.next_at is None
        else f"the next restart is at {status.next_at:%Y-%m-%d %H:%M:%S} UTC at the earliest"
    )
    return (
        f"{euicc.name}: lpad has restarted the modem {times} because the modem does not read the enabled"
        f" profile; the last restart was at {status.last_at:%Y-%m-%d %H:%M:%S} UTC ({status.last_step});"
        f" {following}; 'lpactl"
        " restart-modem' restarts it now"
    )


def failover_line(euicc: Euicc) -> str | None:
    """Return a line that shows the state of a card's failover; None if the card has none."""
    status = euicc.failover
    if status is None:
        return None
    parts = [f"{euicc.name}: failover: {status.standing}", status.profile, status.seen]
    if status.since is not None:
        parts.append(f"since {status.since:%Y-%m-%d %H:%M:%S} UTC")
    if status.until is not None:
        parts.append(f"until {status.until:%Y-%m-%d %H:%M:%S} UTC")
    return ", ".join(part for part in parts if part)
