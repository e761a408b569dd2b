"""Trials over MBIM and QMI: the daemon is killed, or the port disappears, between two messages."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import pytest

from faults.cut_trials.trial import Stage
from faults.injected.cut_kinds import Cut

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Stage:
    """A stage for trials of switches over MBIM and QMI."""
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    root: Path = tmp_path_factory.mktemp("faults")
    for name in ("bases", "trials"):
        (root / name).mkdir()
    return Stage(root / "bases", root / "trials", "127.0.79.1", port)


@pytest.mark.parametrize("scenario", ["mbim", "qmi"])
@pytest.mark.parametrize("cut", ["kill-line:4", "port-after:5", "mains:12"])
def test_lpad_recovers_from_cuts_at_a_control_port(stage: Stage, scenario: str, cut: str) -> None:
    """Lpad recovers from some cuts during a switch over MBIM or QMI; script/faults makes all cuts."""
    if not (stage.bases / scenario).exists():
        stage.prepare(scenario)
    outcome = stage.run(scenario, Cut.parse(cut))
    assert outcome.met
    assert outcome.violations == (), outcome.log
