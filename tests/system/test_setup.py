"""`lpad setup` on a gateway without settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from system.gateway import SIM

if TYPE_CHECKING:
    from pathlib import Path

    from system.gateway import Gateway


def test_from_a_fresh_installation_to_a_card(bare: Gateway, package: Path) -> None:
    """Without a card, lpad's outputs name `lpad setup`, which adds the modem and waits for the card."""
    bare.install(package)
    said = "no card is configured; run 'lpad setup'"
    assert bare.show("lpad.service", "StatusText")["StatusText"].startswith(said)
    assert said in bare.run("lpactl", "profiles", code=3)
    bare.set_up_simulators()
    port = f"{SIM}/modem"
    told = bare.run("lpad", "setup", "--port", port, "--yes")
    assert f"+    port: {port}" in told
    assert "adduser USER lpad" in told
    assert "modem is ready" in told
    assert bare.run("stat", "--format=%a %U %G", "/etc/lpad/lpad.yaml").split() == ["640", "root", "lpad"]
    assert "already in the settings as 'modem'" in bare.run("lpad", "setup", "--port", port, "--yes")
