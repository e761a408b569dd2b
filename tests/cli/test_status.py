"""What `lpactl status` tells beyond cards that are well."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from api.gateway import Gateway
from cli.conftest import Terminal
from engine.guarding import guarding, stuck
from engine.lab import FIRST, Lab
from lpad.base.server_address import ServerAddress
from lpad.engine.policy.provisioning import FROM_DEFAULT_SMDP

if TYPE_CHECKING:
    from pathlib import Path

    from lpad.simulator.pki.pki import Pki


def test_an_empty_card_that_nobody_has_a_profile_for(tmp_path: Path, pki: Pki) -> None:
    """How often was asked, and when it is next, is told until the card has its profile."""
    with Lab(tmp_path, pki) as lab:
        address = ServerAddress.parse(lab.server.address)
        lab.start(replace(lab.port, provisioning=FROM_DEFAULT_SMDP, default_smdp=address))
        with Gateway(lab) as gateway:
            lab.until(lab.engine.changes, lambda found: bool(found and found[0].state.ended))
            terminal = Terminal(lab, gateway.path)
            assert "lpad asked for a first profile 1 times; next at" in terminal.lpactl("status").ok().err
            assert "requests for a first profile" in terminal.lpactl("info").ok().out


def test_a_switch_that_ended_stuck(tmp_path: Path, pki: Pki) -> None:
    """What lpad goes on trying is told, and when it does next; so is each of its steps as an event."""
    with guarding(tmp_path, pki) as lab, Gateway(lab) as gateway:
        change = stuck(lab)
        terminal = Terminal(lab, gateway.path)
        told = terminal.lpactl("status").ok().err
        assert f"the guarded switch of change {change.id} ended stuck; lpad keeps trying to enable" in told
        assert FIRST in told
