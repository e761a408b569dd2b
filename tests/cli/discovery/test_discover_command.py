"""lpactl discover, as a process against the daemon's API."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from api.gateway import Gateway
from cli.conftest import Terminal
from engine.discovery.discovery_lab import DiscoveryLab
from engine.lab import FIRST, SECOND
from lpad.cli.terminal import exit_codes
from lpad.simulator.euicc.chip.behaviour import CardBehaviour
from lpad.simulator.smdp.store.order import OrderState
from lpad.simulator.smds.server import events_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki


@pytest.fixture
def lab(tmp_path: Path, pki: Pki) -> Iterator[DiscoveryLab]:
    """Yield a lab whose card's settings name the root SM-DS."""
    with DiscoveryLab(tmp_path, pki) as made:
        made.start(made.policy())
        yield made


@pytest.fixture
def terminal(lab: DiscoveryLab) -> Iterator[Terminal]:
    """Yield a terminal that runs lpactl on the lab's gateway."""
    with Gateway(lab) as gateway:
        yield Terminal(lab, gateway.path)


def test_from_looking_to_the_handled_event(lab: DiscoveryLab, terminal: Terminal) -> None:
    """A new event is shown, then installed, then hidden as handled, and still shown with --all."""
    assert "no profile waits for this card" in terminal.lpactl("discover").ok().out
    lab.event(cascade=True)
    out = terminal.lpactl("discover").ok().out
    assert (lab.server.address in out, "EVENT-1" in out, "listed" in out) == (True, True, True)
    done = terminal.lpactl("discover", "--install").ok()
    assert f"{FIRST}  First  installed and enabled" in done.out
    assert lab.enabled() == [FIRST]
    assert "--all shows handled events" in terminal.lpactl("discover").ok().out
    out = terminal.lpactl("discover", "--all").ok().out
    assert ("installed" in out, FIRST in out) == (True, True)


def test_one_event_is_downloaded(lab: DiscoveryLab, terminal: Terminal) -> None:
    """`download --event` accepts the server and the ID that `discover` has shown."""
    lab.event()
    done = terminal.lpactl("download", "--smdp", lab.server.address, "--event", "EVENT-1").ok()
    assert FIRST in done.out
    assert terminal.lpactl("download", "--event", "EVENT-1").code == 2


def test_an_sm_ds_that_fails(lab: DiscoveryLab, terminal: Terminal) -> None:
    """A failing SM-DS's error is shown next to other events; `--confirm` without `--install` is a mistake."""
    lab.event()
    servers = ("--server", "smds.invalid", "--server", lab.root.address)
    done = terminal.lpactl("discover", *servers).ok()
    assert "EVENT-1" in done.out
    assert "smds.invalid" in done.err
    assert terminal.lpactl("discover", "--confirm").code == 2


def test_the_downloads_are_followed(lab: DiscoveryLab, terminal: Terminal) -> None:
    """Each download's result or error is shown; the command ends with the last download."""
    order = lab.event()
    lab.event(SECOND, "EVENT-2")
    lab.server.orders.change(order.id, state=OrderState.CANCELLED, events=())
    events_of(lab.root.folder).register(
        eid=lab.card.eid.digits, address=lab.server.address, event_id="EVENT-3"
    )
    done = terminal.lpactl("discover", "--install").ok()
    assert f"{SECOND}  First  installed and enabled" in done.out
    assert "EVENT-3: ES9+.AuthenticateClient was refused with 8.2.6/3.8" in done.err
    assert all(each.state.ended for each in lab.engine.changes())


def test_no_download_succeeds(lab: DiscoveryLab, terminal: Terminal) -> None:
    """If no download succeeds, the exit code is that of the first failure."""
    events_of(lab.root.folder).register(
        eid=lab.card.eid.digits, address=lab.server.address, event_id="EVENT-3"
    )
    done = terminal.lpactl("discover", "--install")
    assert (done.code, "EVENT-3" in done.err) == (exit_codes.SERVER, True)


def test_without_waiting_the_daemon_downloads_by_itself(lab: DiscoveryLab, terminal: Terminal) -> None:
    """With --json the command prints only the discovery and ends; the daemon carries out the download."""
    lab.event()
    change = terminal.lpactl("discover", "--install", "--json").ok().json
    assert [each["state"] for each in change["result"]["events"]] == ["wanted"]
    lab.until_true(lambda: lab.enabled() == [FIRST])


def test_the_default_smdp_is_named(tmp_path: Path, pki: Pki) -> None:
    """If no event waits, the command names the card's default SM-DP+, and does not contact it."""
    behaviour = CardBehaviour(default_dp_address="smdp.example.com")
    with DiscoveryLab(tmp_path, pki, behaviour=behaviour) as lab:
        lab.start(lab.policy())
        with Gateway(lab) as gateway:
            terminal = Terminal(lab, gateway.path)
            done = terminal.lpactl("discover").ok()
            assert "no profile waits" in done.out
            assert "smdp.example.com" in done.err
            assert "lpactl download --default" in done.err
            done = terminal.lpactl("discover", "--server", lab.root.address).ok()
            assert "smdp.example.com" not in done.err
