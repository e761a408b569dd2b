"""Trials: a cut happens at its place, lpad recovers, and a wrong outcome is reported."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from faults.cut_trials.trial import Stage
from faults.device.watched_peers import WatchedServer
from faults.device.webhook_receiver import WebhookReceiver
from faults.injected.cut_kinds import Counted, Cut
from lpad.simulator.euicc.card import SoftCard

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

STEPS: Mapping[Counted, int] = {
    Counted.WRITES: 20,
    Counted.COMMITS: 5,
    Counted.APDUS: 20,
    Counted.LINES: 20,
    Counted.MESSAGES: 2,
}
"""A lower bound for the steps of a switch."""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """A stage for trials of switches."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    root: Path = tmp_path_factory.mktemp("faults")
    for name in ("bases", "trials"):
        (root / name).mkdir()
    stage = Stage(root / "bases", root / "trials", "127.0.78.1", port)
    stage.prepare("enable")
    return stage


def test_the_steps_are_counted(stage: Stage) -> None:
    """A trial counts a switch's writes, commits, APDUs, AT lines and messages to the server."""
    counts = stage.count("enable")
    assert all(counts[counted] >= least for counted, least in STEPS.items()), counts


@pytest.mark.parametrize(
    "cut",
    [
        "kill-write:9", "torn-write:3", "flip:5", "disk-kill:4", "kill-apdu:12", "kill-sent:1",
        "kill-received:1", "mains:12", "power-before:12",
        "power-after:12", "port-before:9", "port-after:9", "server-before:1:reset", "server-after:1:503",
        "server-before:2:garbage", "server-before:1:untrusted",
    ],
)  # fmt: skip
def test_lpad_recovers_from_each_kind_of_cut(stage: Stage, cut: str) -> None:
    """Lpad recovers from one cut of each kind; script/faults makes all of them."""
    outcome = stage.run("enable", Cut.parse(cut))
    assert outcome.met
    assert outcome.violations == (), outcome.log


@pytest.mark.parametrize("scenario", ["webhook", "webhook-offline"])
@pytest.mark.parametrize("cut", ["kill-write:12", "torn-write:6", "disk-kill:5", "mains:14"])
def test_no_event_is_lost(stage: Stage, scenario: str, cut: str) -> None:
    """After a cut in a guarded switch, the backend gets each event in order, always with one ID."""
    if not (stage.bases / scenario).exists():
        stage.prepare(scenario)
    outcome = stage.run(scenario, Cut.parse(cut))
    assert outcome.met
    assert outcome.violations == (), outcome.log


def test_a_lost_event_is_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial in which the backend did not record an event is reported."""
    if not (stage.bases / "webhook").exists():
        stage.prepare("webhook")
    kept = vars(WebhookReceiver)["reported"].fget
    monkeypatch.setattr(
        WebhookReceiver, "reported", property(lambda server: kept(server)[:1] + kept(server)[2:])
    )
    outcome = stage.run("webhook", Cut.parse("kill-write:30"))
    assert any("never got the events" in each for each in outcome.violations), outcome


def test_a_cut_that_does_not_happen_is_reported(stage: Stage) -> None:
    """A cut whose place is never reached is reported as not met, and not as a violation."""
    outcome = stage.run("enable", Cut.parse("kill-apdu:5000"))
    assert not outcome.met
    assert outcome.violations == ()


def test_a_lost_notification_is_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial in which the last notification did not reach the server is reported."""
    kept = vars(WatchedServer)["received"].fget
    monkeypatch.setattr(
        WatchedServer,
        "received",
        property(lambda server: {address: queue[:-1] for address, queue in kept(server).items()}),
    )
    outcome = stage.run("enable", Cut.parse("kill-sent:1"))
    assert any("never reached its server" in each for each in outcome.violations), outcome


def test_a_wrong_order_is_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial in which the server gets the notifications in the wrong order is reported."""
    kept = vars(WatchedServer)["received"].fget
    monkeypatch.setattr(
        WatchedServer,
        "received",
        property(lambda server: {address: queue[::-1] for address, queue in kept(server).items()}),
    )
    outcome = stage.run("enable", Cut.parse("kill-sent:1"))
    assert any("in the order" in each for each in outcome.violations), outcome


def test_an_untrue_outcome_is_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial whose change is done although the card lacks the profile is reported."""
    monkeypatch.setattr(SoftCard, "profiles", property(lambda _card: ()))
    outcome = stage.run("enable", Cut.parse("kill-sent:1"))
    assert any("contradicts this" in each for each in outcome.violations), outcome
    assert any("differ from those on the card" in each for each in outcome.violations), outcome
