"""Trials of a profile from a platform: a cut leads to one order; a second order is reported."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from faults.cut_trials.trial import Stage
from faults.device.watched_platform import WatchedPlatform
from faults.injected.cut_kinds import Cut

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.simulator.platform.platform_base import Faulty
    from lpad.simulator.platform.request_and_answer import Answer, Request

SCENARIO = "provision-draft"


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """A stage for trials of profiles from a platform."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    root: Path = tmp_path_factory.mktemp("faults")
    for name in ("bases", "trials"):
        (root / name).mkdir()
    stage = Stage(root / "bases", root / "trials", "127.0.78.2", port)
    stage.prepare(SCENARIO)
    return stage


@pytest.mark.parametrize("cut", ["kill-sent:3", "server-after:3:stalled"])
def test_a_cut_at_the_order_leads_to_one_order(stage: Stage, cut: str) -> None:
    """After a cut at the order, there is still one order; script/faults makes all cuts."""
    outcome = stage.run(SCENARIO, Cut.parse(cut))
    assert outcome.met
    assert outcome.violations == (), outcome.log


def test_a_second_order_is_found(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """A platform with two orders for one wish is reported."""
    carry_out = WatchedPlatform.carry_out

    def twice(platform: WatchedPlatform, request: Request) -> tuple[Answer, Faulty]:
        found = platform.vendor.named(request)
        if found is not None and found[0] == "order":
            platform.stock.orders += 1
        return carry_out(platform, request)

    monkeypatch.setattr(WatchedPlatform, "carry_out", twice)
    outcome = stage.run(SCENARIO, Cut.parse("kill-write:1"))
    assert outcome.violations == ("the platform has 2 orders for one wish",), outcome
