"""The layers of the connection as events, in the hub's stream and in the outbox of events."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from engine.guarding import REGISTERED, ended, guarding, listening, rolled_back, unused_port
from engine.lab import FIRST, SECOND, result_of
from engine.networking import networking
from lpad.engine.change.change import Kind
from lpad.engine.switch import condition_watch
from lpad.simulator.modem.pdp_contexts import Subscription

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from engine.lab import Lab
    from lpad.simulator.pki.pki import Pki

    Told = Callable[[], list[tuple[str, str, str]]]


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(condition_watch, "STEADY", 0.3)
    monkeypatch.setattr(condition_watch, "FIRST_PAUSE", 0.1)


@contextmanager
def heard(lab: Lab) -> Iterator[Told]:
    """Yield a function that returns the reports on layers so far, once the outbox has the same ones."""
    stored = lab.engine.events.last()
    subscription = lab.engine.subscribe(lambda: None)
    found: list[tuple[str, str, str]] = []

    def told() -> list[tuple[str, str, str]]:
        lab.until_true(lambda: in_outbox()[-len(published()) or None :] == found)
        return found

    def published() -> list[tuple[str, str, str]]:
        for each in subscription.take():
            if each.type == "layer":
                state = "up" if each.data["up"] else "down"
                found.append((str(each.data["layer"]), state, str(each.data["iccid"])))
        return found

    def in_outbox() -> list[tuple[str, str, str]]:
        return [
            (
                str(each.body.data["layer"]),
                each.type.split("layer-")[1].split(".")[0],
                str(each.body.data["iccid"]),
            )
            for each in lab.engine.events.after(stored, limit=999)
            if "network.layer" in each.type
        ]

    yield told
    subscription.close()


def test_a_kept_switch(tmp_path: Path, pki: Pki) -> None:
    """Each layer comes up once, the lowest first, and a repeated state is not reported."""
    with networking(tmp_path, pki) as lab, heard(lab) as told, listening() as at:
        change = ended(lab, REGISTERED, "bearer", "address", f"tcp:127.0.0.1:{at}")
        assert change.error is None, change.error
        layers = ("card", "modem", "registered", "bearer", "address", "path")
        assert told() == [(layer, "up", SECOND) for layer in layers]
        lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert len(told()) == len(layers)


@pytest.mark.parametrize(
    ("subscription", "layer", "cause"),
    [
        (Subscription(emm_cause=11), "registered", "EMM cause 11, PLMN not allowed"),
        (Subscription(apns=("other",)), "registered", "ESM cause 27, missing or unknown APN"),
        (Subscription(addresses=False), "address", None),
    ],
)
def test_a_switch_that_is_rolled_back(
    tmp_path: Path, pki: Pki, subscription: Subscription, layer: str, cause: str | None
) -> None:
    """The layer that fails goes down once, with its cause, and the previous profile's layers come up."""
    with networking(tmp_path, pki, subscriptions={SECOND: subscription}) as lab, heard(lab) as told:
        stored = lab.engine.events.last()
        rolled_back(ended(lab, REGISTERED, "bearer", "address", within=6))
        found = told()
        assert (layer, "down", SECOND) in found
        assert found.count((layer, "down", SECOND)) == 1
        back = found[found.index(("modem", "up", FIRST)) + 1 :]
        again = [("bearer", "up", FIRST), ("address", "up", FIRST)] if layer == "address" else []
        assert [each for each in back if each[0] != "registered"] == again
        down = [
            each.body.data.get("cause")
            for each in lab.engine.events.after(stored, limit=999)
            if "layer-down" in each.type and each.body.data["layer"] == layer
        ]
        assert down == [cause]


def test_an_unanswered_reachability_check(tmp_path: Path, pki: Pki) -> None:
    """However often a check fails, the path goes down once; one successful check of two is not enough."""
    with networking(tmp_path, pki) as lab, heard(lab) as told, listening() as at:
        conditions = (REGISTERED, f"tcp:127.0.0.1:{at}", f"tcp:127.0.0.1:{unused_port()}")
        rolled_back(ended(lab, *conditions, within=4))
        assert [each for each in told() if each[0] == "path"] == [("path", "down", SECOND)]


def test_without_an_applier(tmp_path: Path, pki: Pki) -> None:
    """Without an applier, a switch reports card, modem and registration, the last after a single query."""
    with guarding(tmp_path, pki) as lab, heard(lab) as told:
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert change.error is None
        assert told() == [(layer, "up", SECOND) for layer in ("card", "modem", "registered")]
        assert result_of(change)["registration"].startswith("CEREG 1 (registered at home)")


def test_a_modem_that_still_searches(tmp_path: Path, pki: Pki) -> None:
    """While the modem searches, the layer `registered` is reported neither as up nor as down."""
    with guarding(tmp_path, pki, registration={SECOND: 2}) as lab, heard(lab) as told:
        change = lab.carry_out(Kind.ENABLE, iccid=SECOND)
        assert result_of(change)["registration"].startswith("CEREG 2 (searching)")
        assert [layer for layer, _, _ in told()] == ["card", "modem"]
