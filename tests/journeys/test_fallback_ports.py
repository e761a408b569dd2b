"""A modem with an MBIM port as fallback: its AT port is lost or silent while the daemon runs."""

from __future__ import annotations

import json
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from journeys.gateway import CARD, PATIENCE, Gateway
from lpad.base.identifiers import Iccid
from lpad.cli.lpactl import cli as lpactl
from lpad.simulator.mbim.control_port import MbimModem
from lpad.simulator.modem.personality import ModemPersonality, Notices
from network.runner_bench import runner

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

FIRST, SECOND = "8900101000000000017", "8900101000000000025"


class Modem:
    """A gateway whose modem has an AT port and an MBIM port, and notices a switch immediately."""

    def __init__(self, folder: Path, settings: dict[str, Any]) -> None:
        one = ModemPersonality(notices=Notices.AT_ONCE)
        self._euicc: dict[str, Any] = {"quirks": {"patience": {"apdu": 1.0, "information": 0.5}}}
        self.gateway = Gateway(personality=one, euicc=self._euicc, settings=settings)
        self.at = self.gateway.modem
        self.mbim = MbimModem(self.gateway.card, path=self.gateway.folder / "cdc-wdm0", personality=one)
        self._euicc["fallback_ports"] = [self.mbim.path]
        self.hooks = folder / "hooks"

    @property
    def port_in_use(self) -> str | None:
        """Return the port that the list of cards and the card's own view name."""
        client = self.gateway.client
        listed = [each.port_in_use for each in client.euiccs()]
        assert listed == [client.euicc(CARD).port_in_use]
        return listed[0]

    def fall_silent(self) -> None:
        """Make the AT port leave the next 50 commands without an answer."""
        for _ in range(50):
            self.at.once("", executed=False, instead=())

    def seen_by_hooks(self) -> list[str]:
        """Return a line with LPAD_EVENT and LPAD_PORT for each run of the hook."""
        return self.hooks.read_text(encoding="utf-8").splitlines()

    def lpactl(self, *words: str) -> str:
        done = CliRunner().invoke(lpactl, ["--socket", str(self.gateway.socket), *words])
        return done.output


@contextmanager
def modem(folder: Path) -> Iterator[Modem]:
    """Start a gateway with a hook and two profiles, of which the first is enabled."""
    with runner(folder) as serving:
        settings = {"network": {"hooks": True, "runner": serving.client.path}}
        made = Modem(folder, settings)
        serving.script(serving.hooks / "10-port", f'echo "$LPAD_EVENT $LPAD_PORT" >> {made.hooks}')
        with made.mbim, made.gateway as gateway:
            gateway.ready()
            for iccid in (FIRST, SECOND):
                gateway.install_profile(iccid=Iccid.parse(iccid))
            gateway.client.enable(CARD, FIRST, wait=PATIENCE).check()
            yield made


@pytest.mark.parametrize("how", ["gone", "silent"])
def test_the_other_port_serves_a_switch(how: str, tmp_path: Path) -> None:
    """If the AT port fails, a switch is done over the MBIM port, which API, hooks and lpactl name."""
    with modem(tmp_path) as made:
        gateway = made.gateway
        assert made.port_in_use == made.at.path
        assert {line.split()[1] for line in made.seen_by_hooks()} == {made.at.path}
        assert not made.mbim.received
        seen = len(made.seen_by_hooks())
        if how == "gone":
            made.at.vanish()
        else:
            made.fall_silent()
        gateway.client.enable(CARD, SECOND, wait=PATIENCE).check()
        assert str(gateway.card.enabled_iccid) == SECOND
        assert made.port_in_use == made.mbim.path
        after = dict(line.split() for line in made.seen_by_hooks()[seen:])
        assert after["post-switch"] == made.mbim.path
        assert f"{CARD}: uses the port {made.mbim.path}" in made.lpactl("status", "-v")
        assert f"reached over the fallback port {made.mbim.path}" in made.lpactl("doctor")
        assert json.loads(made.lpactl("info", "--json"))["port_in_use"] == made.mbim.path


def test_a_port_that_is_back_is_used_again(tmp_path: Path) -> None:
    """Once the AT port is back and the MBIM port is lost, lpad uses the AT port again."""
    with modem(tmp_path) as made:
        gateway = made.gateway
        made.at.vanish()
        gateway.client.enable(CARD, SECOND, wait=PATIENCE).check()
        made.at.come_back()
        made.mbim.vanish()
        gateway.client.enable(CARD, FIRST, wait=PATIENCE).check()
        assert made.port_in_use == made.at.path


def test_no_port_is_in_use_while_the_card_is_away(tmp_path: Path) -> None:
    """While no port reaches the card, no port is shown as in use; once one works, it is shown."""
    with modem(tmp_path) as made:
        gateway = made.gateway
        made.at.vanish()
        made.mbim.vanish()
        gateway.client.refresh(CARD, wait=PATIENCE)
        gateway.until(lambda: gateway.client.euicc(CARD).state == "absent")
        assert made.port_in_use is None
        assert "uses the port" not in made.lpactl("status", "-v")
        made.mbim.come_back()
        gateway.client.refresh(CARD, wait=PATIENCE).check()
        assert made.port_in_use == made.mbim.path
