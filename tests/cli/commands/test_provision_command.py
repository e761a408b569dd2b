"""lpactl provision, and the answers to its questions, as processes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.gateway import Gateway
from cli.conftest import Terminal, at_a_terminal
from engine.lab import CARD
from engine.operations.platform_lab import PlatformLab, hurry
from lpad.cli.terminal import exit_codes
from lpad.engine.change.change import State
from lpad.engine.policy.provisioning import ProvisioningPolicy
from lpad.simulator.platform.faults import PlatformFault

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki


@pytest.fixture
def lab(tmp_path: Path, pki: Pki) -> Iterator[PlatformLab]:
    """Yield a lab with an empty card and a desk, at which lpad may make two orders a day."""
    with PlatformLab(tmp_path, pki, like="desk") as made:
        made.provisioning = ProvisioningPolicy(most_orders=2)
        made.until(lambda: made.engine.snapshot(CARD), lambda seen: seen.eid is not None)
        yield made


@pytest.fixture
def terminal(lab: PlatformLab) -> Iterator[Terminal]:
    """Yield a terminal that runs lpactl on the lab's gateway."""
    with Gateway(lab) as gateway:
        yield Terminal(lab, gateway.path)


def test_a_profile_is_provisioned(
    lab: PlatformLab, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command ends with the profile's ICCID, the platform and the state."""
    hurry(monkeypatch)
    done = terminal.lpactl("provision", "--product", "europe-5gb").ok()
    assert f"{lab.enabled[0]}  mine  installed and enabled" in done.out
    assert lab.platform.stock.reserved[0].product == "europe-5gb"


def test_contradictory_or_empty_options_are_refused(terminal: Terminal) -> None:
    """Contradictory or empty options are refused before anything is requested."""
    assert "NAME=VALUE" in terminal.lpactl("provision", "--option", "fleet").err
    assert "omit --no-enable" in terminal.lpactl("provision", "--no-enable", "--guard", "registered").err
    done = terminal.lpactl("provision", "--platform", "other")
    assert (done.code, "the settings name no platform 'other'" in done.err) == (3, True)


def test_the_status_of_a_wish(lab: PlatformLab, terminal: Terminal) -> None:
    """While the platform is not ready, the status shows the wish's progress, and when lpad queries again."""
    lab.platform.faults.add(PlatformFault.NEVER_AVAILABLE, call="order")
    change = terminal.lpactl("provision", "--no-wait", "--json").ok().json["id"]
    lab.asked_or_paused(change)
    told = terminal.lpactl("status").ok().err
    assert "modem: asked the platform 'mine' for a profile (profile pending, line idle)" in told
    assert "lpad checks again at 20" in told
    (card,) = terminal.lpactl("status", "--json").ok().json["euiccs"]
    assert card["wish"]["next_look_at"]
    assert card["wish"]["orders"] == 1


@pytest.mark.parametrize("waits", [True, False])
def test_a_wish_at_another_platform(lab: PlatformLab, terminal: Terminal, *, waits: bool) -> None:
    """A request for another platform resumes the open wish, whether its change waits or has ended."""
    mine = lab.platforms.get("mine")
    assert mine is not None
    lab.platforms.become([mine, lab.openable(name="other")])
    lab.platform.faults.add(PlatformFault.NEVER_AVAILABLE, call="order")
    change = lab.asked_or_paused(lab.provision().id)
    if not waits:
        lab.engine.cancel(change.id, undo=False)
        lab.ended(change.id)
    told = terminal.lpactl("provision", "--platform", "other", "--no-wait").ok().err
    assert "wish is open at the platform 'mine'" in told
    assert "'other' is not asked" in told
    assert lab.platform.orders == 1


@pytest.mark.parametrize(("answer", "orders", "state"), [("--yes", 2, "done"), ("--no", 1, "failed")])
def test_a_second_order_is_answered(
    lab: PlatformLab,
    terminal: Terminal,
    monkeypatch: pytest.MonkeyPatch,
    answer: str,
    orders: int,
    state: str,
) -> None:
    """The status shows the question and how to answer it; --yes orders again, and --no closes the wish."""
    hurry(monkeypatch)
    lab.platform.faults.add(PlatformFault.FAILS, call="order")
    change = str(terminal.lpactl("provision", "--no-wait", "--json").ok().json["id"])
    lab.asked(int(change))
    told = terminal.lpactl("status").ok().err
    assert f"lpactl answer {change} --yes or --no" in told
    assert "the profile failed" in told
    assert "give either" in terminal.lpactl("answer", change).err
    terminal.lpactl("answer", change, answer).ok()
    ended = lab.ended(int(change))
    assert (ended.state.value, lab.platform.orders, lab.engine.card(CARD).wish()) == (state, orders, None)


def test_a_wish_is_closed(lab: PlatformLab, terminal: Terminal) -> None:
    """The desk takes the order back; without --yes the command asks, so that no wish is closed by mistake."""
    lab.platform.faults.add(PlatformFault.NEVER_AVAILABLE, call="order")
    lab.asked_or_paused(lab.provision().id)
    assert "add --yes" in terminal.lpactl("close-wish").err
    code, told = at_a_terminal([*terminal.command, "close-wish"], "n")
    assert (code, lab.engine.card(CARD).wish() is None) == (exit_codes.NEEDS_PEOPLE, False), told
    assert "Close the wish at the platform 'mine' (1 order)?" in told
    code, told = at_a_terminal([*terminal.command, "close-wish"], "y")
    assert (code, "lpad has left no order there" in told) == (0, True), told
    assert (lab.platform.stock.reserved, lab.engine.card(CARD).wish()) == ([], None)
    done = terminal.lpactl("close-wish", "--yes")
    assert (done.code, "the card 'modem' has no open wish" in done.err) == (exit_codes.STATE, True)


def test_a_wish_whose_order_stays_is_closed(tmp_path: Path, pki: Pki) -> None:
    """If a platform takes no order back, the wish is closed, and the command reports the remaining order."""
    with PlatformLab(tmp_path, pki, like="kore") as lab, Gateway(lab) as gateway:
        terminal = Terminal(lab, gateway.path)
        lab.platform.faults.add(PlatformFault.NEVER_AVAILABLE, call="order")
        change = lab.asked_or_paused(lab.provision().id)
        closed = terminal.lpactl("--json", "close-wish", "--yes").ok().json
        assert (closed["platform"], closed["orders"], closed["profile"]) == ("mine", 1, "pending")
        assert lab.engine.change(change.id).state is State.CANCELLED
        assert lab.engine.card(CARD).wish() is None
        assert terminal.lpactl("status").ok().err.count("asked the platform") == 0
