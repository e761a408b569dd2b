"""Trials with network settings and hooks: lpad recovers from cuts, and a missed hook is reported."""

from __future__ import annotations

import socket
from contextlib import suppress
from typing import TYPE_CHECKING

import pytest

from faults.cut_trials import trial
from faults.cut_trials.scenario import SCENARIOS
from faults.cut_trials.trial import Stage
from faults.device.watched_runner import WatchedRunner
from faults.injected.cut_kinds import Cut
from lpad.client import ApiError, Client

if TYPE_CHECKING:
    from pathlib import Path

STEPS = {
    "network-guarded": {
        *("pre-switch", "prepare-network", "enable-profile", "verify", "apply-network", "post-switch"),
        *("watch", "confirmed"),
    },
    "network-rollback": {"undo-network", "go-back", "apply-network", "post-switch", "rolled-back"},
    "networkmanager": {"prepare-network", "apply-network", "connect-network", "watch"},
    "delete": {"delete-profile", "verify", "deleted"},
}
"""The steps of each scenario at which something is sent to card, modem, NetworkManager or hooks.

`return-modem` sends nothing: ModemManager has the modem back once lpad has left the bus. lpad is cut off
there, too, but may have begun the next step.
"""


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """A stage for the scenarios with network settings and hooks."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    root: Path = tmp_path_factory.mktemp("faults")
    for name in ("bases", "trials"):
        (root / name).mkdir()
    return Stage(root / "bases", root / "trials", "127.0.79.1", port)


def prepared(stage: Stage, key: str) -> Stage:
    if not (stage.bases / key).exists():
        stage.prepare(key)
    return stage


@pytest.mark.parametrize("key", STEPS)
def test_every_step_has_cuts(stage: Stage, key: str) -> None:
    """Each step of a scenario is in progress at one of the points at which the daemon can be cut off."""
    prepared(stage, key)
    seen: set[str] = set()
    with stage._device(key, "steps", small_disk=False) as device, Client(str(device.socket)) as other:
        trial._begin(device, SCENARIOS[key])

        def look() -> None:
            with suppress(ApiError):
                seen.update(each.steps[-1].name for each in other.changes() if each.steps and not each.ended)

        device.step_counter.on_step = look
        device.arm(None)
        change = SCENARIOS[key].act(device)
        device.until("it has ended", lambda: device.client.change(change.id).ended)
        device.disarm()
        device.stop()
    assert STEPS[key] <= seen


@pytest.mark.parametrize(
    ("key", "cut"),
    [
        ("network-guarded", "kill-run:1"),
        ("network-guarded", "kill-run:2"),
        ("network-rollback", "kill-run:3"),
        ("delete", "kill-run:1"),
        ("delete", "kill-write:12"),
    ],
)
def test_lpad_recovers_from_cuts_of_network_steps(stage: Stage, key: str, cut: str) -> None:
    """Lpad recovers from some cuts during hooks and network steps of a switch or a deletion."""
    outcome = prepared(stage, key).run(key, Cut.parse(cut))
    assert outcome.met
    assert outcome.violations == (), outcome.log


def test_a_deletion_that_no_hook_heard_of_is_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial in which no hook was notified of a deletion is reported."""
    monkeypatch.setattr(WatchedRunner, "events", lambda _runner, _name: [])
    outcome = prepared(stage, "delete").run("delete", Cut.parse("kill-run:1"))
    assert any("were not called" in each for each in outcome.violations), outcome
