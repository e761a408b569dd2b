"""Appliers and hooks that fail, hang or raise stop neither a failover nor a rescue."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from engine.guarding import enabled, stuck
from engine.lab import CARD, FIRST, SECOND, Lab
from engine.networking import NO, NOT_YET, Spy, networking
from lpad.base.backoff import Backoff
from lpad.base.guard_condition import Condition
from lpad.engine.change.change import FAILOVER, RESCUE, State
from lpad.engine.change.results import SwitchResult
from lpad.engine.policy.health_rules import FailoverPolicy, HealthRule
from lpad.engine.policy.network_policy import OnFailure
from lpad.engine.switch import condition_watch
from lpad.engine.unattended import rescue
from lpad.network.owner_hooks import Hooks
from network.runner_bench import runner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.engine.change.change import Change
    from lpad.network.applier_interface import Outcome
    from lpad.simulator.pki.pki import Pki

STEPS = ("prepare", "apply", "connect", "verify", "undo")
APPLIERS = ("fails", "is not ready", "raises")
HOOKS = {"a hook fails": "exit 1", "a hook hangs": "sleep 600", "a hook is killed": "kill -9 $$"}


class Raising(Spy):
    """An applier in which every step raises an error."""

    def _note(self, step: str, iccid: str) -> Outcome:
        super()._note(step, iccid)
        raise RuntimeError


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condition_watch, "STEADY", 0.1)
    monkeypatch.setattr(condition_watch, "FIRST_PAUSE", 0.1)
    monkeypatch.setattr(rescue, "BACKOFF", Backoff((0.2,)))
    monkeypatch.setattr(rescue, "REST", 0.2)


@pytest.fixture(params=[*APPLIERS, *HOOKS])
def troubled(tmp_path: Path, pki: Pki, request: pytest.FixtureRequest) -> Iterator[Lab]:
    """A lab whose applier or hooks fail at every step."""
    with trouble(tmp_path, pki, request.param) as lab:
        yield lab


@contextmanager
def trouble(folder: Path, pki: Pki, kind: str) -> Iterator[Lab]:
    (folder / "runner").mkdir()
    with runner(folder / "runner") as serving:
        if kind in HOOKS:
            serving.script(serving.hooks / "10-trouble", HOOKS[kind])
            with networking(folder, pki, Spy(), hooks=Hooks(serving.client), limit=0.5) as lab:
                yield lab
            return
        outcome: Outcome = NOT_YET if kind == "is not ready" else NO
        answers = {step: [outcome] * 99 for step in STEPS}
        with networking(folder, pki, Raising() if kind == "raises" else Spy(answers=answers)) as lab:
            yield lab


def test_failover_continues_despite_failing_appliers(troubled: Lab) -> None:
    """Failover enables and keeps the next profile, and the change reports each failed step."""
    troubled.modem.register(FIRST, 3)
    rules = tuple(
        HealthRule(iccid=each, conditions=(Condition.parse("registered"),), interval=0.2, lasting=0.2)
        for each in (FIRST, SECOND)
    )
    order = FailoverPolicy(rules=rules, within=60, cooldown=3600)
    troubled.engine.become([replace(troubled._ports[0], failover=order)])
    change = _last(troubled, FAILOVER)
    assert change.state is State.DONE, change.error
    assert enabled(troubled) == SECOND
    assert isinstance(change.result, SwitchResult)
    assert change.result.network is not None
    failed = [each.step for each in change.result.network.failures]
    assert failed[0] in {"pre-switch", "prepare-network"}
    assert len(failed) >= 2


def test_rescue_continues_despite_failing_appliers(troubled: Lab) -> None:
    """A switch that ended stuck is rescued as soon as the card allows it, even if appliers and hooks fail."""
    (usual,) = troubled._ports
    ignoring = replace(usual.network, on_failure=OnFailure.IGNORE)
    troubled.engine.become([replace(usual, network=ignoring)])
    stuck(troubled)
    troubled.engine.become([usual])
    troubled.card.faults.forget()
    troubled.until_true(lambda: troubled.engine.card(CARD).rescue() is None)
    change = _last(troubled, RESCUE)
    assert change.state is State.DONE, change.error
    assert enabled(troubled) == FIRST
    assert isinstance(change.result, SwitchResult)
    assert change.result.network is not None
    assert change.result.network.failures


def _last(lab: Lab, origin: str) -> Change:
    """Return the newest change of the given origin once the change has ended."""

    def newest() -> Change | None:
        return next((each for each in lab.engine.changes() if each.origin == origin), None)

    found = lab.until(newest, lambda change: change is not None and change.state.ended)
    assert found is not None
    return found
