"""The verdict on one cut: the records of card and server, compared with lpad's promises."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

from faults.cut_trials.scenario import FIRST, SECOND, Holding, iccid
from faults.device.device import CARD, WEBHOOK, Late, apn_of

if TYPE_CHECKING:
    from faults.cut_trials.scenario import Scenario
    from faults.device.device import Device
    from faults.device.webhook_receiver import Reported
    from lpad.client import Change

_SESSION = 10.0
"""Seconds within which every session ends."""


def violations(device: Device, scenario: Scenario, change: Change | None, *, lost: bool = False) -> list[str]:
    """Return one sentence for each violated check; empty if no check is violated.

    Args:
        device: the device after the cut, when nothing is left to do.
        scenario: the scenario.
        change: the ended change; None if lpad never accepted it, or lost its record.
        lost: whether the change's record was lost with a damaged journal; the card may have carried out the
            change or not.
    """
    return [
        *_profiles(device),
        *([] if lost and holds(device, scenario.after) else _outcome(device, scenario, change)),
        *_notifications(device),
        *_channels(device),
        *_orders(device),
        *(_network(device) if scenario.applier != "none" else []),
        *(_hooks(device, lost=lost) if scenario.hooks else []),
        *(_events(device, change, lost=lost) if scenario.reporting else []),
    ]


def holds(device: Device, wanted: Holding) -> bool:
    """Return whether the card has exactly the wanted profiles, and the wanted one is enabled."""
    profiles = device.card.profiles
    enabled = [str(each.iccid) for each in profiles if each.enabled]
    return {str(each.iccid) for each in profiles} == set(map(iccid, wanted.profiles)) and enabled == (
        [] if wanted.enabled is None else [iccid(wanted.enabled)]
    )


def _network(device: Device) -> list[str]:
    """Return a violation if the modem's APN is not that of the enabled profile.

    A modem has no APN before lpad has written one to its port.
    """
    enabled = next((str(each.iccid) for each in device.card.profiles if each.enabled), None)
    if enabled is None:
        return []
    bare = device.applier == "at" and enabled == iccid(FIRST)
    fitting = {apn_of(enabled)} | ({""} if bare else set())
    with suppress(Late):
        device.until("the APN is the profile's", lambda: device.apn in fitting)
    found = device.apn
    return [] if found in fitting else [f"profile {enabled} is enabled, and the modem's APN is '{found}'"]


def _hooks(device: Device, *, lost: bool) -> list[str]:
    """Return the violations if the events that the hooks recorded do not fit the card's content.

    The last recorded switch must be to the enabled profile, and each deletion must be recorded.
    """
    assert device.runner is not None, "the scenario has hooks"
    runner = device.runner
    there = {str(each.iccid): each.enabled for each in device.card.profiles}
    enabled = next((each for each, on in there.items() if on), iccid(FIRST))

    def wrong() -> list[str]:
        switches = [iccid(FIRST), *runner.events("post-switch")]
        found = []
        if switches[-1] != enabled:
            found.append(f"the last switch that the hooks recorded is to profile {switches[-1]}")
        gone = {iccid(number) for number in (FIRST, SECOND)} - there.keys()
        if not lost and (unheard := gone - set(runner.events("deleted"))):
            found.append(f"the hooks were not called for the deletion of {sorted(unheard)}")
        return found

    with suppress(Late):
        device.until("the hooks have recorded the card's content", lambda: not wrong())
    return wrong()


def _events(device: Device, change: Change | None, *, lost: bool) -> list[str]:
    """Return the violations if the backend lacks events, or got them out of order, or one with two IDs."""
    device.uplink.come_back()

    def delivered() -> bool:
        (webhook,) = device.client.webhooks.all()
        if webhook.attempts:
            device.client.webhooks.resume(WEBHOOK)  # otherwise a pause may last for minutes
        return webhook.pending == 0

    try:
        device.until("the backend has all events", delivered)
    except Late:
        return ["events never reached the backend"]
    (webhook,) = device.client.webhooks.all()
    reported = device.backend.reported
    found = []
    if device.backend.unsigned:
        found.append(f"{device.backend.unsigned} requests had a wrong signature")
    first = list(dict.fromkeys(each.sequence for each in reported))
    if first != sorted(first):
        found.append(f"the backend got events in the order {first}")
    if len({(each.sequence, each.id) for each in reported}) != len(first):
        found.append("an event was sent with two IDs")
    repairs = device.client.system().health.journal.repairs
    if not any("events" in each.lost for each in repairs):
        missing = set(range(first[0] if first else webhook.position + 1, webhook.position + 1)) - set(first)
        if missing:
            found.append(f"the backend never got the events {sorted(missing)}")
        if change is not None and not lost:
            found += _told(change, [each.type for each in _once(reported) if each.change == change.id])
    return found


def _once(reported: list[Reported]) -> list[Reported]:
    """Return the events without repetitions."""
    return list({each.id: each for each in reported}.values())


def _told(change: Change, types: list[str]) -> list[str]:
    """Return a violation if the events of a guarded switch do not fit its result."""
    short = [each.removeprefix("org.lpad.").removesuffix(".v1") for each in types if "network" not in each]
    if change.state == "done":
        result = change.result or {}
        fitting = [["switch.started", "switch.confirmed", "profile.enabled"]]
        if result.get("already"):
            fitting.append([])
    else:
        fitting = [[], ["switch.started", "switch.rolled-back"], ["switch.started", "switch.stuck"]]
        fitting.append(["switch.started"])  # the card refused, or was exchanged
    return [] if short in fitting else [f"the change is {change.state}, and its events are {short}"]


def _profiles(device: Device) -> list[str]:
    profiles = device.card.profiles
    found = []
    if sum(each.enabled for each in profiles) > 1:
        found.append("more than one profile is enabled")
    if len({each.iccid for each in profiles}) < len(profiles):
        found.append("a profile is on the card twice")
    told = {(each.iccid, each.state == "enabled") for each in device.client.profiles(CARD)}
    if told != {(str(each.iccid), each.enabled) for each in profiles}:
        found.append("the profiles that lpad lists differ from those on the card")
    return found


def _outcome(device: Device, scenario: Scenario, change: Change | None) -> list[str]:
    if change is None:
        return [] if holds(device, scenario.before) else ["the card was altered, but there is no change"]
    if not change.ended:
        return [f"the change is still {change.state}"]
    done = change.state == "done"
    error = f" ({change.error.kind}: {change.error.sentence})" if change.error else ""
    if done and not scenario.may_be_done:
        return ["the change is done, which is impossible"]
    if not holds(device, _wanted(device, scenario, change)):
        return [f"the change is {change.state}{error}, but the card's content contradicts this"]
    return []


def _wanted(device: Device, scenario: Scenario, change: Change) -> Holding:
    wanted = scenario.after if change.state == "done" else scenario.before
    switches = [each for each in device.client.changes() if each.id > change.id and each.kind == "enable"]
    if scenario.switched is not None and any(each.state == "done" for each in switches):
        return replace(wanted, enabled=scenario.switched)
    return wanted


def _notifications(device: Device) -> list[str]:
    received = device.server.received
    arrived = {digest for queue in received.values() for _, digest in queue}
    found = [
        f"notification {number} never reached its server"
        for digest, number in device.slot.issued.items()
        if digest not in arrived
    ]
    for address, queue in received.items():
        numbers = [number for number, _ in queue]
        if any(one > other for one, other in pairwise(numbers)):
            found.append(f"{address} received its notifications in the order {numbers}")
    return found


def _orders(device: Device) -> list[str]:
    """Return a violation unless the platform has exactly one order for the wish."""
    made = 1 if device.platform is None else device.platform.orders
    return [] if made == 1 else [f"the platform has {made} orders for one wish"]


def _channels(device: Device) -> list[str]:
    """Return a violation if a channel is still open after sessions in progress have had time to end."""
    try:
        device.until("no channel is open", lambda: not device.open_channels, patience=_SESSION)
    except Late:
        return [f"logical channels {device.open_channels} stay open"]
    return []
